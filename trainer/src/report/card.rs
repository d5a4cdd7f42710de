//! `README.md`: the model card, with the front matter that the Hugging Face Hub reads
//! (<https://github.com/huggingface/hub-docs/blob/main/modelcard.md>).

mod front;

use crate::float_model::Config;
use crate::recipe::Recipe;
use crate::task::{Input, Task};
use serde_json::Value;
use std::fmt::Write;

/// What a card is made from.
struct Card<'a> {
    config: &'a Config,
    recipe: Option<&'a Recipe>,
    metrics: &'a Value,
    export: Option<&'a Value>,
}

/// The card.
pub fn card(config: &Config, recipe: Option<&Recipe>, metrics: &Value, export: Option<&Value>) -> String {
    let card = Card { config, recipe, metrics, export };
    let mut text = card.front_matter();
    let _ = writeln!(text, "\n# {}\n", inline(&config.name));
    text.push_str(&card.what());
    text.push_str(&card.figures());
    text.push_str(&card.quantised());
    text.push_str(&card.uses());
    text.push_str(&card.data());
    text + &card.commands()
}

impl Card<'_> {
    fn is_classifier(&self) -> bool {
        self.config.task == Task::Classify
    }

    fn number(&self, pointer: &str) -> Option<f64> {
        self.metrics.pointer(pointer)?.as_f64()
    }

    fn what(&self) -> String {
        let config = self.config;
        let does = match (config.task, config.input) {
            (Task::Classify, Input::Tokens) => format!("Gives a text one of {} labels", config.labels.len()),
            (Task::Classify, Input::Values) => {
                format!("Gives a series of numbers one of {} labels", config.labels.len())
            }
            (Task::LanguageModel, _) => "Says how a text goes on".to_owned(),
            (Task::Forecast, _) => "Says how a series goes on".to_owned(),
        };
        let reads = match config.input {
            Input::Tokens => format!("{} tokens, embedding {}", config.vocab_size, config.embedding_dim),
            Input::Values => format!("{} channels", config.channels.len()),
        };
        let parameters = self.number("/parameters").map_or_else(String::new, |count| format!(", {count} parameters"));
        let mut text = String::new();
        if let Some(description) = self.recipe.and_then(|recipe| recipe.card.description.as_deref()) {
            let _ = writeln!(text, "{}\n", inline(description));
        }
        let _ = writeln!(
            text,
            "{does}. A recurrent network small enough for a microcontroller: {reads}, {}{parameters}. Made with Tern, \
             which trains such models and runs them in integers only.\n",
            config.recurrent().describe(config.hidden_size),
        );
        text
    }

    /// What the held-out rows are.
    fn held_out(&self) -> String {
        let rows = self.number("/validation/examples").unwrap_or(0.0);
        match self.recipe.map(|recipe| &recipe.data) {
            Some(data) => match &data.valid {
                Some(valid) => format!("the {rows} rows of `{}`", file(valid)),
                None => format!(
                    "{rows} rows that were held out of the data, {:.0} % of each class",
                    100.0 * data.valid_fraction
                ),
            },
            None => format!("the {rows} rows of `validation.csv`"),
        }
    }

    fn figures(&self) -> String {
        let mut text = String::from("## Figures\n\n");
        if self.number("/validation/examples").is_none() {
            return text + "None: this model came without held-out rows. `tern eval` measures it on yours.\n\n";
        }
        let _ = write!(text, "Measured on {}", self.held_out());
        let _ = match (self.number("/best_epoch"), self.number("/epochs")) {
            (Some(best), Some(epochs)) => {
                writeln!(text, ", which also chose epoch {best} of {epochs}: they are validation figures.\n")
            }
            _ => writeln!(text, ".\n"),
        };
        text.push_str("| figure | value |\n|---|--:|\n");
        let mut rows: Vec<(String, f64)> = Vec::new();
        if self.is_classifier() {
            for (key, name) in [
                ("accuracy", "accuracy"),
                ("majority_accuracy", "always the most frequent label"),
                ("macro_f1", "macro F1"),
                ("loss", "loss (nats)"),
                ("calibration/ece", "expected calibration error"),
            ] {
                rows.extend(self.number(&format!("/validation/{key}")).map(|value| (name.to_owned(), value)));
            }
        } else {
            let figures = self.metrics["validation"].as_object().into_iter().flatten();
            rows.extend(figures.filter_map(|(key, value)| Some((key.replace('_', " "), value.as_f64()?))));
        }
        for (name, value) in rows {
            let _ = writeln!(text, "| {} | {value:.4} |", cell(&name));
        }
        if let [Some(low), Some(high)] = [0, 1].map(|end| self.number(&format!("/validation/interval/{end}"))) {
            let _ = writeln!(text, "| 95 % interval of the accuracy (Wilson) | {low:.4} – {high:.4} |");
        }
        text.push_str("\nThe command: `tern eval . --data validation.csv`, in this folder.\n\n");
        if let Some(leaked) = self.number("/validation/also_in_training").filter(|leaked| *leaked > 0.0) {
            let _ =
                writeln!(text, "{leaked} of these texts were learnt from as well: the figures flatter the model.\n");
        }
        text + &self.classes()
    }

    fn classes(&self) -> String {
        let Some(classes) = self.metrics.pointer("/validation/per_class").and_then(Value::as_object) else {
            return String::new();
        };
        let mut text =
            String::from("| label | precision | recall | F1 | held out | learnt from |\n|---|--:|--:|--:|--:|--:|\n");
        for (label, class) in classes {
            let number = |key: &str| class[key].as_f64().unwrap_or(0.0);
            let learnt = self.metrics["train"]["support"][label.as_str()].as_u64();
            let _ = writeln!(
                text,
                "| {} | {:.4} | {:.4} | {:.4} | {} | {} |",
                cell(label),
                number("precision"),
                number("recall"),
                number("f1"),
                number("support"),
                learnt.map_or_else(|| "–".to_owned(), |count| count.to_string())
            );
        }
        text + "\n"
    }

    fn quantised(&self) -> String {
        let Some(export) = self.export else { return String::new() };
        let mut text = String::from(
            "## On the device\n\nThe last `tern export` of this model, compared with the floats above:\n\n| figure | value |\n|---|--:|\n",
        );
        let accuracy = |key: &str| export[key].as_f64().map(|share| format!("{share:.4}"));
        let plain = |key: &str| export[key].as_u64().map(|count| count.to_string());
        for (name, value) in [
            ("accuracy in floats", accuracy("float_accuracy")),
            ("accuracy in integers", accuracy("integer_accuracy")),
            ("texts compared", plain("examples")),
            ("texts given another label", plain("disagreements")),
            ("bytes of the device file", plain("file_bytes")),
            ("bytes of RAM for a text", plain("scratch_bytes")),
            ("multiply-accumulates a token", plain("macs_per_token")),
        ] {
            if let Some(value) = value {
                let _ = writeln!(text, "| {name} | {value} |");
            }
        }
        text + "\n"
    }

    fn uses(&self) -> String {
        let mut text = String::from("## Intended use and limits\n\n");
        if self.is_classifier() {
            text.push_str(
                "For texts like those it learnt from, where a wrong label does no harm that cannot be undone. It gives every text one of \
                 its labels, also one that fits none of them: look at the probability, and at how many tokens were unknown. It was not \
                 tested on other kinds of text, other languages, or against people who want to mislead it.\n\n",
            );
        } else {
            text.push_str(
                "For data like those it learnt from, where a wrong answer does no harm that cannot be undone. It was not tested on others.\n\n",
            );
        }
        text
    }

    fn data(&self) -> String {
        let mut text = String::from("## Training data\n\n");
        match (self.recipe, self.number("/train_examples")) {
            (Some(recipe), Some(examples)) => {
                let _ = writeln!(
                    text,
                    "{examples} rows of `{}` were learnt from. What they say, and what they leave out, the model repeats: look at `report.html` for \
                     its most confident mistakes before you rely on it.\n",
                    file(&recipe.data.train)
                );
            }
            (Some(recipe), None) => {
                let _ = writeln!(text, "`{}`.\n", file(&recipe.data.train));
            }
            _ => text.push_str("Not known: the model was not trained by Tern.\n\n"),
        }
        text + "This folder carries some of these texts: `validation.csv` and `calibration.csv` hold rows of the data, and a device file holds a few \
                short ones.\n\n"
    }

    fn commands(&self) -> String {
        let folder = shell(&self.config.name);
        let mut text = String::from("## Use\n\nFrom the folder that holds this one:\n\n```console\n");
        if self.is_classifier() {
            let _ = writeln!(text, "tern predict {folder} \"a text\"");
            let _ = writeln!(text, "tern eval {folder} --data {folder}/validation.csv");
        }
        let _ = writeln!(text, "tern export {folder} -o {folder}.safetensors    # for a device");
        if self.recipe.is_some() {
            let _ = writeln!(text, "tern train {folder}/recipe.toml -o {folder}    # makes it again, to the bit");
        }
        text + "```\n"
    }
}

/// A file's name without its folders.
fn file(path: &std::path::Path) -> String {
    inline(&path.file_name().unwrap_or_default().to_string_lossy())
}

/// Text on one line, without Markdown's or HTML's markup.
fn inline(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || matches!(c, '<' | '>' | '`') { ' ' } else { c }).collect()
}

/// Text in a table.
fn cell(text: &str) -> String {
    inline(text).replace('|', "\\|")
}

/// A word for a shell.
fn shell(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let text = inline(text);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
