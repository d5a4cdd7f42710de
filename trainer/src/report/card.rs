//! `README.md`: the model card, with the front matter that the Hugging Face Hub reads
//! (<https://github.com/huggingface/hub-docs/blob/main/modelcard.md>).

mod front;

use crate::float_model::{Config, files};
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

    /// What the figures are of.
    fn held_out(&self) -> String {
        let number = |pointer: &str| self.number(pointer).unwrap_or(0.0);
        let examples = number("/validation/examples");
        let data = self.recipe.map(|recipe| &recipe.data);
        let (train, valid) =
            (data.map(|data| file(&data.train)), data.and_then(|data| data.valid.as_deref()).map(file));
        let share = 100.0 * data.map_or(0.0, |data| data.valid_fraction);
        let (carried, rows) = match (self.config.task, self.config.input) {
            (Task::Classify, Input::Tokens) => (files::VALIDATION, "rows"),
            (Task::Classify, Input::Values) => (files::VALIDATION, "sequences"),
            (Task::LanguageModel, _) => (files::VALIDATION_TEXT, "characters"),
            (Task::Forecast, _) => (files::VALIDATION, "windows"),
        };
        let count = if rows == "characters" { number("/validation/characters") } else { examples };
        match (valid, train, self.is_classifier()) {
            (Some(valid), ..) => format!("the {count} {rows} of `{valid}`"),
            (None, Some(_), true) => {
                format!("{count} {rows} that were held out of the data, {share:.0} % of each class")
            }
            (None, Some(train), false) => {
                format!("{count} {rows} in the last {share:.0} % of `{train}`, which were held out")
            }
            (None, None, _) => format!("the {count} {rows} of `{carried}`"),
        }
    }

    fn figures(&self) -> String {
        let mut text = String::from("## Figures\n\n");
        if !self.metrics["validation"].is_object() {
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
            let known: &[(&str, &str)] = match self.config.task {
                Task::Forecast => &[
                    ("rmse", "root mean squared error"),
                    ("naive_rmse", "the same of the last number again"),
                    ("seasonal_naive_rmse", "the same of a season before"),
                    ("mae", "mean absolute error"),
                    ("naive_mae", "the same of the last number again"),
                    ("seasonal_naive_mae", "the same of a season before"),
                ],
                _ => &[
                    ("perplexity", "perplexity"),
                    ("bits_per_character", "bits per character"),
                    ("bits_per_byte", "bits per byte"),
                    ("loss", "loss (nats a token)"),
                    ("accuracy", "next token right"),
                    ("top_5_accuracy", "next token among the best 5"),
                    ("tokens", "tokens"),
                    ("unknown", "of these unknown"),
                ],
            };
            let row =
                |(key, name): &(&str, &str)| Some(((*name).to_owned(), self.number(&format!("/validation/{key}"))?));
            rows.extend(known.iter().filter_map(row));
        }
        for (name, value) in rows {
            let counted = matches!(name.as_str(), "tokens" | "of these unknown");
            let value = if counted { value.to_string() } else { format!("{value:.4}") };
            let _ = writeln!(text, "| {} | {value} |", cell(&name));
        }
        if let [Some(low), Some(high)] = [0, 1].map(|end| self.number(&format!("/validation/interval/{end}"))) {
            let _ = writeln!(text, "| 95 % interval of the accuracy (Wilson) | {low:.4} – {high:.4} |");
        }
        let _ = writeln!(text, "\nThe command: `tern eval . --data {}`, in this folder.\n", self.carried());
        if let Some(leaked) = self.number("/validation/also_in_training").filter(|leaked| *leaked > 0.0) {
            let _ =
                writeln!(text, "{leaked} of these texts were learnt from as well: the figures flatter the model.\n");
        }
        text + &self.classes() + &self.channels()
    }

    /// The file of the folder that holds what was held out.
    fn carried(&self) -> &'static str {
        if self.config.task == Task::LanguageModel { files::VALIDATION_TEXT } else { files::VALIDATION }
    }

    /// What is read of numbers, and how they are normalised.
    fn channels(&self) -> String {
        if self.config.channels.is_empty() {
            return String::new();
        }
        let mut text = String::from("| channel | mean | standard deviation |\n|---|--:|--:|\n");
        for channel in &self.config.channels {
            let _ = writeln!(text, "| {} | {} | {} |", cell(&channel.name), channel.mean, channel.std);
        }
        if let Some(forecast) = &self.config.forecast {
            let _ = writeln!(
                text,
                "\nIt reads {} rows and says the next {} of {}.",
                forecast.window,
                forecast.horizon,
                inline(&forecast.targets.join(", "))
            );
        }
        text + "\n"
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
            ("perplexity in floats", accuracy("float_perplexity")),
            ("perplexity in integers", accuracy("integer_perplexity")),
            ("root mean squared error in floats", accuracy("float_rmse")),
            ("root mean squared error in integers", accuracy("integer_rmse")),
            ("examples compared", plain("examples")),
            ("examples answered otherwise", plain("disagreements").filter(|_| self.config.task != Task::Forecast)),
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
        if self.is_classifier() && self.config.input == Input::Tokens {
            text.push_str(
                "For texts like those it learnt from, where a wrong label does no harm that cannot be undone. It gives every text one of \
                 its labels, also one that fits none of them: look at the probability, and at how many tokens were unknown. It was not \
                 tested on other kinds of text, other languages, or against people who want to mislead it.\n\n",
            );
        } else {
            let says = match self.config.task {
                Task::Classify => {
                    "It gives every sequence one of its labels, also one that fits none of them: look at the probability."
                }
                Task::LanguageModel => {
                    "What it writes is likely, and need not be true; it may repeat what it learnt from, word by word."
                }
                Task::Forecast => {
                    "It says a number and not how sure it is of it: compare it with the naive forecasts above. A series that changes its ways \
                     it does not follow."
                }
            };
            let _ = writeln!(
                text,
                "For data like those it learnt from, where a wrong answer does no harm that cannot be undone. {says} It was not tested on others.\n",
            );
        }
        text
    }

    fn data(&self) -> String {
        let mut text = String::from("## Training data\n\n");
        let (learnt, rows) = match (self.config.task, self.config.input) {
            (Task::LanguageModel, _) => (self.number("/train/text_tokens"), "tokens"),
            (Task::Forecast, _) => (self.number("/train/rows"), "rows"),
            (_, Input::Values) => (self.number("/train_examples"), "sequences"),
            _ => (self.number("/train_examples"), "rows"),
        };
        match (self.recipe, learnt) {
            (Some(recipe), Some(examples)) => {
                let _ = writeln!(
                    text,
                    "{examples} {rows} of `{}` were learnt from. What they say, and what they leave out, the model repeats: look at `report.html` for \
                     where it is wrong before you rely on it.\n",
                    file(&recipe.data.train)
                );
            }
            (Some(recipe), None) => {
                let _ = writeln!(text, "`{}`.\n", file(&recipe.data.train));
            }
            _ => text.push_str("Not known: the model was not trained by Tern.\n\n"),
        }
        let (a, b) = match self.config.task {
            Task::LanguageModel => (files::VALIDATION_TEXT, files::CALIBRATION_TEXT),
            _ => (files::VALIDATION, files::CALIBRATION),
        };
        let _ = writeln!(
            text,
            "This folder carries some of the data: `{a}` and `{b}` hold parts of it, and a device file holds a few short examples.\n"
        );
        text
    }

    fn commands(&self) -> String {
        let folder = shell(&self.config.name);
        let mut text = String::from("## Use\n\nFrom the folder that holds this one:\n\n```console\n");
        let _ = match (self.config.task, self.config.input) {
            (Task::Classify, Input::Tokens) => writeln!(text, "tern predict {folder} \"a text\""),
            (Task::LanguageModel, _) => {
                writeln!(text, "tern predict {folder} \"a text that\"\ntern generate {folder} --length 100")
            }
            _ => writeln!(text, "tern predict {folder} {folder}/{}", self.carried()),
        };
        let _ = writeln!(text, "tern eval {folder} --data {folder}/{}", self.carried());
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
