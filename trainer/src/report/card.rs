//! Writes `README.md`, the model card, with the front matter that the Hugging Face Hub reads
//! (<https://github.com/huggingface/hub-docs/blob/main/modelcard.md>).

mod front_matter;

use super::task_report::TaskWording;
use crate::float_model::Config;
use crate::recipe::Recipe;
use serde_json::Value;
use std::fmt::Write;
use tern_format::{Input, Task};

/// The inputs of a card.
struct Card<'a> {
    config: &'a Config,
    wording: &'a TaskWording,
    recipe: Option<&'a Recipe>,
    metrics: &'a Value,
    export: Option<&'a Value>,
}

/// The text of a card. An imported model has no `recipe`, and a model that was never exported no `export`.
pub fn card(
    config: &Config,
    wording: &TaskWording,
    recipe: Option<&Recipe>,
    metrics: &Value,
    export: Option<&Value>,
) -> String {
    let card = Card { config, wording, recipe, metrics, export };
    let sections = [
        card.front_matter(),
        format!("\n# {}\n\n", inline(&config.name)),
        card.description(),
        card.figures(),
        card.exported(),
        card.intended_use(),
        card.training_data(),
        card.commands(),
    ];
    sections.concat()
}

impl Card<'_> {
    fn number(&self, pointer: &str) -> Option<f64> {
        self.metrics.pointer(pointer)?.as_f64()
    }

    fn description(&self) -> String {
        let config = self.config;
        let mut text = String::new();
        if let Some(description) = self.recipe.and_then(|recipe| recipe.card.description.as_deref()) {
            let _ = writeln!(text, "{}\n", inline(description));
        }
        let reads = match config.input {
            Input::Tokens => format!("{} tokens, embedding {}", config.vocab_size, config.embedding_dim),
            Input::Values => format!("{} channels", config.channels.len()),
        };
        let parameters = self.number("/parameters").map_or_else(String::new, |count| format!(", {count} parameters"));
        let network = config.recurrent().describe(config.hidden_size);
        let _ = writeln!(
            text,
            "{}. A recurrent network small enough for a microcontroller: {reads}, {network}{parameters}. Made with Tern, which \
             trains such models and runs them in integers only.\n",
            (self.wording.purpose)(config)
        );
        text
    }

    /// The validation split in words: how many rows, and where they come from.
    fn validation_split(&self) -> String {
        let (rows, pointer) = self.wording.validation;
        let count = self.number(pointer).unwrap_or(0.0);
        let Some(data) = self.recipe.map(|recipe| &recipe.data) else {
            return format!("the {count} {rows} of `{}`", self.validation_file());
        };
        let share = 100.0 * data.valid_fraction;
        match &data.valid {
            Some(valid) => format!("the {count} {rows} of `{}`", file_name(valid)),
            None if self.wording.splits_classes => {
                format!("a validation split of {count} {rows}, {share:.0} % of each class")
            }
            None => {
                let train = file_name(&data.train);
                format!("a validation split of {count} {rows}, the last {share:.0} % of `{train}`")
            }
        }
    }

    /// The file in the model directory that holds the validation split.
    fn validation_file(&self) -> &'static str {
        self.wording.files[0]
    }

    fn figures(&self) -> String {
        let mut text = String::from("## Figures\n\n");
        if !self.metrics["validation"].is_object() {
            return text + "None: this model has no validation split. `tern eval` measures it on your data.\n\n";
        }
        let _ = write!(text, "Measured on {}", self.validation_split());
        let _ = match (self.number("/best_epoch"), self.number("/epochs")) {
            (Some(best), Some(epochs)) => writeln!(text, ", which also chose epoch {best} of {epochs}.\n"),
            _ => writeln!(text, ".\n"),
        };
        text.push_str("| figure | value |\n|---|--:|\n");
        for &(pointer, name, format) in self.wording.figures {
            if let Some(value) = self.number(pointer).filter(|_| pointer.starts_with("/validation")) {
                // Shares have four digits here, which other programs can read.
                let value = if value.fract() == 0.0 && value > 1.0 { format(value) } else { format!("{value:.4}") };
                let _ = writeln!(text, "| {name} | {value} |");
            }
        }
        if let [Some(low), Some(high)] = [0, 1].map(|end| self.number(&format!("/validation/interval/{end}"))) {
            let _ = writeln!(text, "| 95 % interval of the accuracy (Wilson) | {low:.4} – {high:.4} |");
        }
        let _ = writeln!(text, "\nThe command: `tern eval . --data {}`, in this folder.\n", self.validation_file());
        if let Some(leaked) = self.number("/validation/also_in_training").filter(|leaked| *leaked > 0.0) {
            let _ = writeln!(
                text,
                "{leaked} of these texts are also training texts: the figures are better than they would be on new texts.\n"
            );
        }
        text + &self.classes() + &self.channels()
    }

    fn classes(&self) -> String {
        let Some(classes) = self.metrics.pointer("/validation/per_class").and_then(Value::as_object) else {
            return String::new();
        };
        let mut text = String::from(
            "| label | precision | recall | F1 | validation rows | training rows |\n|---|--:|--:|--:|--:|--:|\n",
        );
        for (label, class) in classes {
            let number = |key: &str| class[key].as_f64().unwrap_or(0.0);
            let training = self.metrics["train"]["support"][label.as_str()].as_u64();
            let _ = writeln!(
                text,
                "| {} | {:.4} | {:.4} | {:.4} | {} | {} |",
                cell(label),
                number("precision"),
                number("recall"),
                number("f1"),
                number("support"),
                training.map_or_else(|| "–".to_owned(), |count| count.to_string())
            );
        }
        text + "\n"
    }

    /// The channels of a model that reads numbers, with their normalisation.
    fn channels(&self) -> String {
        if self.config.channels.is_empty() {
            return String::new();
        }
        let mut text = String::from("| channel | mean | standard deviation |\n|---|--:|--:|\n");
        for channel in &self.config.channels {
            let _ = writeln!(text, "| {} | {} | {} |", cell(&channel.name), channel.mean, channel.std);
        }
        if let Some(forecast) = &self.config.forecast {
            let targets = inline(&forecast.targets.join(", "));
            let (window, horizon) = (forecast.window, forecast.horizon);
            let _ = writeln!(text, "\nIt reads {window} rows and predicts the next {horizon} of {targets}.");
        }
        text + "\n"
    }

    fn exported(&self) -> String {
        let Some(export) = self.export else { return String::new() };
        let mut text = String::from(
            "## On the device\n\nThe last `tern export` of this model, compared with the floats above:\n\n| figure | value |\n|---|--:|\n",
        );
        let share = |key: &str| export[key].as_f64().map(|share| format!("{share:.4}"));
        let whole = |key: &str| export[key].as_u64().map(|count| count.to_string());
        for (name, value) in [
            ("accuracy in floats", share("float_accuracy")),
            ("accuracy in integers", share("integer_accuracy")),
            ("perplexity in floats", share("float_perplexity")),
            ("perplexity in integers", share("integer_perplexity")),
            ("RMSE in floats", share("float_rmse")),
            ("RMSE in integers", share("integer_rmse")),
            ("examples compared", whole("examples")),
            ("examples predicted otherwise", whole("disagreements").filter(|_| self.config.task != Task::Forecast)),
            ("bytes of the device file", whole("file_bytes")),
            ("bytes of RAM: scratch, which the caller provides", whole("scratch_bytes")),
            ("multiply-accumulates a token", whole("macs_per_token")),
        ] {
            if let Some(value) = value {
                let _ = writeln!(text, "| {name} | {value} |");
            }
        }
        text + "\n"
    }

    fn intended_use(&self) -> String {
        let (inputs, limits) = self.wording.intended_use;
        format!(
            "## Intended use and limits\n\nFor {inputs} like its training set, where a wrong prediction does no lasting harm. {limits}\n\n"
        )
    }

    fn training_data(&self) -> String {
        let mut text = String::from("## Training data\n\n");
        let (rows, pointer) = self.wording.training;
        match (self.recipe, self.number(pointer)) {
            (Some(recipe), Some(count)) => {
                let _ = writeln!(
                    text,
                    "{count} {rows} of `{}`. The model repeats their errors and gaps: read in `report.html` where it is wrong \
                     before you rely on it.\n",
                    file_name(&recipe.data.train)
                );
            }
            (Some(recipe), None) => {
                let _ = writeln!(text, "`{}`.\n", file_name(&recipe.data.train));
            }
            _ => text.push_str("Unknown: the model was not trained by Tern.\n\n"),
        }
        let calibration = self.wording.files[1];
        let _ = writeln!(
            text,
            "This folder contains some of the data: `{}` and `{calibration}` are parts of it, and a device file contains a few short \
             examples.\n",
            self.validation_file()
        );
        text
    }

    fn commands(&self) -> String {
        let (folder, validation) = (shell(&self.config.name), self.validation_file());
        let mut text = String::from("## Use\n\nFrom the folder that contains this one:\n\n```console\n");
        let _ = writeln!(text, "{}", (self.wording.commands)(&folder, validation));
        let _ = writeln!(text, "tern eval {folder} --data {folder}/{validation}");
        let _ = writeln!(text, "tern export {folder} -o {folder}.safetensors    # for a device");
        if self.recipe.is_some() {
            let _ = writeln!(text, "tern train {folder}/recipe.toml -o {folder}    # trains it again, bit for bit");
        }
        text + "```\n"
    }
}

/// The name of a file without its folders.
fn file_name(path: &std::path::Path) -> String {
    inline(&path.file_name().unwrap_or_default().to_string_lossy())
}

/// A text on one line, without the markup of Markdown and HTML.
fn inline(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || matches!(c, '<' | '>' | '`') { ' ' } else { c }).collect()
}

/// A text in a table.
fn cell(text: &str) -> String {
    inline(text).replace('|', "\\|")
}

/// A text as one argument of a shell command.
fn shell(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let text = inline(text);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
