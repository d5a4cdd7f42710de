//! The front matter of a model card: YAML by which the Hub indexes the model.

use super::{Card, file_name};
use std::fmt::Write;

impl Card<'_> {
    /// The front matter with its `---` lines. A licence and other keys that the recipe does not have are left out, and
    /// the Hub shows that they are missing.
    pub(super) fn front_matter(&self) -> String {
        let mut yaml = String::from("---\nlibrary_name: tern\n");
        let (task, name) = self.wording.hub_task;
        let _ = writeln!(yaml, "pipeline_tag: {task}");
        if let Some(card) = self.recipe.map(|recipe| &recipe.card) {
            if let Some(license) = &card.license {
                let _ = writeln!(yaml, "license: {}", quoted(license));
            }
            list(&mut yaml, "language", card.language.iter().cloned());
            list(&mut yaml, "datasets", card.datasets.iter().cloned());
        }
        let cell = self.config.cell.name();
        let tags = ["tern", "tinyml", "microcontroller", "rnn", cell];
        let mut tags: Vec<String> = tags.into_iter().map(str::to_owned).collect();
        tags.dedup();
        list(&mut yaml, "tags", tags);
        self.results(&mut yaml, task, name);
        yaml + "---\n"
    }

    /// Adds the metrics in the form of the Hub's `model-index`.
    fn results(&self, yaml: &mut String, task: &str, name: &str) {
        let metrics: Vec<(&str, &str, f64)> = [
            ("accuracy", "Accuracy on the validation split", "/validation/accuracy"),
            ("f1", "Macro F1 on the validation split", "/validation/macro_f1"),
            ("perplexity", "Perplexity on the validation split", "/validation/perplexity"),
            ("mae", "Mean absolute error on the validation split", "/validation/mae"),
        ]
        .into_iter()
        .filter_map(|(kind, name, pointer)| Some((kind, name, self.number(pointer)?)))
        .collect();
        if metrics.is_empty() {
            return;
        }
        list(yaml, "metrics", metrics.iter().map(|(kind, ..)| (*kind).to_owned()));
        let data = self.recipe.map(|recipe| {
            let validation = recipe.data.valid.as_ref().unwrap_or(&recipe.data.train);
            (file_name(validation), recipe.card.datasets.first().cloned())
        });
        let (file, dataset) = data.unwrap_or_else(|| ("validation.csv".to_owned(), None));
        let _ = writeln!(
            yaml,
            "model-index:\n- name: {}\n  results:\n  - task:\n      type: {task}\n      name: {name}\n    dataset:\n      name: {}\n      type: {}\n    metrics:",
            quoted(&self.config.name),
            quoted(&format!("{file}, validation split")),
            quoted(&dataset.unwrap_or_else(|| slug(&file))),
        );
        for (kind, name, value) in metrics {
            let _ = writeln!(yaml, "    - type: {kind}\n      name: {name}\n      value: {value}");
        }
        if let Some(value) = self.export.and_then(|export| export["integer_accuracy"].as_f64()) {
            let _ = writeln!(
                yaml,
                "    - type: accuracy\n      name: Accuracy in integers, as on the device\n      value: {value}"
            );
        }
    }
}

/// Adds a list, unless it is empty.
fn list(yaml: &mut String, key: &str, items: impl IntoIterator<Item = String>) {
    let items: Vec<String> = items.into_iter().map(|item| format!("- {}\n", quoted(&item))).collect();
    if !items.is_empty() {
        let _ = write!(yaml, "{key}:\n{}", items.concat());
    }
}

/// A string in YAML, in quotes as in JSON unless it is a plain word.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c == '-';
    let is_word = text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(plain);
    // YAML reads these words as other types; `no` is also the code of a language.
    let is_taken = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"].contains(&text);
    if is_word && !is_taken { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

/// An identifier for a data set, made from a file name.
fn slug(name: &str) -> String {
    let name = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let slug: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let slug = slug.trim_matches('-');
    if slug.is_empty() { "data".to_owned() } else { slug.to_lowercase() }
}
