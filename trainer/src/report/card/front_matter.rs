//! Writes the front matter of a model card: YAML by which the Hugging Face Hub indexes the model.

use super::file_name;
use crate::recipe::Recipe;
use crate::report::ReportInputs;

impl ReportInputs {
    /// Returns the front matter with its `---` lines. Keys that the recipe does not have, such as a licence, are left
    /// out; the Hub shows that they are missing.
    pub(super) fn front_matter(&self) -> String {
        let (task, task_name) = self.task.wording().hub_task;
        let mut yaml = format!("---\nlibrary_name: tern\npipeline_tag: {task}\n");
        if let Some(Recipe { card, .. }) = &self.recipe {
            if let Some(license) = &card.license {
                yaml += &format!("license: {}\n", quoted(license));
            }
            yaml += &list("language", card.language.iter().cloned());
            yaml += &list("datasets", card.datasets.iter().cloned());
        }
        let mut tags = vec!["tern", "tinyml", "microcontroller", "rnn", self.config.cell.name()];
        // The cell may also be named "rnn", as the tag before it.
        tags.dedup();
        yaml += &list("tags", tags.into_iter().map(str::to_owned));
        yaml + &self.model_index(task, task_name) + "---\n"
    }

    /// Returns the metrics in the form of the Hub's `model-index`; empty without metrics.
    fn model_index(&self, task: &str, task_name: &str) -> String {
        // The type of each metric on the Hub, its name, and its JSON pointer. A model has only those of its task.
        let known_metrics = [
            ("accuracy", "Accuracy", "/validation/accuracy"),
            ("f1", "Macro F1", "/validation/macro_f1"),
            ("perplexity", "Perplexity", "/validation/perplexity"),
            ("mae", "Mean absolute error", "/validation/mae"),
        ];
        let (on_rows, rows) = match self.is_cross_validated() {
            true => ("in a cross-validation", "cross-validation"),
            false => ("on the validation split", "validation split"),
        };
        let measured = |(kind, name, pointer)| Some((kind, format!("{name} {on_rows}"), self.number(pointer)?));
        let mut metrics: Vec<(&str, String, f64)> = known_metrics.into_iter().filter_map(measured).collect();
        if metrics.is_empty() {
            return String::new();
        }
        let kinds = list("metrics", metrics.iter().map(|(kind, ..)| (*kind).to_owned()));
        let export = self.export.as_ref().filter(|export| export["on_training_rows"] != true);
        if let Some(accuracy) = export.and_then(|export| export["integer_accuracy"].as_f64()) {
            metrics.push(("accuracy", "Accuracy in integers, as on the device".to_owned(), accuracy));
        }
        // The file of the rows and, if the recipe names one, the data set on the Hub that they come from.
        let (file, dataset) = match &self.recipe {
            Some(Recipe { data, card, .. }) => {
                (file_name(data.valid.as_ref().unwrap_or(&data.train)), card.datasets.first().cloned())
            }
            None => (self.validation_file().to_owned(), None),
        };
        let results = metrics
            .iter()
            .map(|(kind, name, value)| format!("    - type: {kind}\n      name: {name}\n      value: {value}\n"));
        format!(
            "{kinds}model-index:\n- name: {}\n  results:\n  - task:\n      type: {task}\n      name: {task_name}\n    \
             dataset:\n      name: {}\n      type: {}\n    metrics:\n{}",
            quoted(&self.config.name),
            quoted(&format!("{file}, {rows}")),
            quoted(&dataset.unwrap_or_else(|| slug(&file))),
            results.collect::<String>()
        )
    }
}

/// Returns a key with a list in YAML; an empty string if the list is empty.
fn list(key: &str, items: impl Iterator<Item = String>) -> String {
    let items: String = items.map(|item| format!("- {}\n", quoted(&item))).collect();
    if items.is_empty() { items } else { format!("{key}:\n{items}") }
}

/// Returns a string in YAML: a word of lower-case letters and hyphens as it is, unless YAML would read it as another
/// type; any other text in quotes as in JSON.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c == '-';
    let is_word = text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(is_plain);
    // One of these words, `no`, is the code of a language: Norwegian.
    let is_other_type = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"].contains(&text);
    if is_word && !is_other_type { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

/// Returns an identifier for a data set, made from a file name: lower-case letters, digits, `_` and `-`.
fn slug(name: &str) -> String {
    let name = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let slug: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let slug = slug.trim_matches('-');
    if slug.is_empty() { "data".to_owned() } else { slug.to_lowercase() }
}
