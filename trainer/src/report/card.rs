//! Writes `README.md`, the model card, with the front matter that the Hugging Face Hub reads
//! (<https://github.com/huggingface/hub-docs/blob/main/modelcard.md>).
//!
//! The figures come from `metrics.json` and `export.json`. `html_page.rs` defines the methods that read them, such as
//! [`ReportInputs::number`].

mod front_matter;

use super::ReportInputs;
use crate::float_model::Channel;
use crate::recipe::Recipe;
use crate::report::elements::{Format, exact, percent};
use serde_json::Value;
use tern_format::{Input, Task};

impl ReportInputs {
    /// Returns the content of `README.md`.
    pub fn card(&self) -> String {
        let sections = [
            self.front_matter(),
            format!("\n# {}\n\n", inline(&self.config.name)),
            self.description(),
            self.figures(),
            self.exported_figures(),
            self.intended_use(),
            self.training_data(),
            self.commands(),
        ];
        sections.concat()
    }

    /// Returns the description from the recipe, if there is one, and a paragraph on the purpose and the network of the
    /// model.
    fn description(&self) -> String {
        let config = &self.config;
        let description = self.recipe.as_ref().and_then(|recipe| recipe.card.description.as_deref());
        let first_paragraph = description.map_or_else(String::new, |text| format!("{}\n\n", inline(text)));
        let purpose = (self.task.wording().purpose)(config);
        let input = match config.input {
            // An n-gram branch alone has no embedding.
            Input::Tokens if config.num_layers == 0 => String::new(),
            Input::Tokens => format!("{} tokens, embedding {}, ", config.vocab_size, config.embedding_dim),
            Input::Values => format!("{} channels, ", config.channels.len()),
        };
        let network = config.architecture().describe();
        let parameters = self.number("/parameters").map_or_else(String::new, |count| format!(", {count} parameters"));
        let kind = if config.num_layers > 0 { "recurrent network" } else { "network" };
        format!(
            "{first_paragraph}{purpose}. A {kind} small enough for a microcontroller: {input}{network}{parameters}. Made \
             with Tern, which trains such models and runs them in integers only.\n\n"
        )
    }

    /// Returns a noun phrase for the validation rows: their number and where they come from.
    fn validation_split(&self) -> String {
        let (noun, count_pointer) = self.task.wording().validation;
        let count = self.number(count_pointer).unwrap_or(0.0);
        if let Some(folds) = self.number("/validation/folds") {
            return format!(
                "the {count} training {noun} in a {folds}-fold cross-validation, each by a network that was not trained on it"
            );
        }
        let Some(Recipe { data, .. }) = &self.recipe else {
            return format!("the {count} {noun} of `{}`", self.validation_file());
        };
        let share = 100.0 * data.valid_fraction;
        match &data.valid {
            Some(valid) => format!("the {count} {noun} of `{}`", file_name(valid)),
            None if self.task.wording().is_stratified => {
                format!("a validation split of {count} {noun}, {share:.0} % of each class")
            }
            None => {
                let train = file_name(&data.train);
                format!("a validation split of {count} {noun}, the last {share:.0} % of `{train}`")
            }
        }
    }

    /// Returns the section with the validation figures, or with a note that there are none.
    fn figures(&self) -> String {
        if !self.metrics["validation"].is_object() {
            return "## Figures\n\nNone: this model has no validation split. `tern eval` measures it on your data.\n\n"
                .to_owned();
        }
        let epochs = match (self.number("/best_epoch"), self.number("/epochs")) {
            (Some(best), Some(_)) if self.is_cross_validated() => {
                format!(" The cross-validation also chose the number of epochs, {best}, for this model.")
            }
            (Some(best), Some(epochs)) => format!(" The same data also chose epoch {best} of {epochs}."),
            _ => String::new(),
        };
        let mut rows = Vec::new();
        for &(pointer, name, format) in self.task.wording().figures {
            // Other sections have the number of training rows and the figures of the device file.
            if let Some(value) = self.number(pointer).filter(|_| pointer.starts_with("/validation")) {
                rows.push([name.to_owned(), without_percent(value, format)]);
            }
        }
        if let [Some(low), Some(high)] = [0, 1].map(|end| self.number(&format!("/validation/interval/{end}"))) {
            rows.push(["95 % interval of the accuracy (Wilson)".to_owned(), format!("{low:.4} – {high:.4}")]);
        }
        let figure_table = table(["figure", "value"], rows);
        let file = self.validation_file();
        let source = match self.is_cross_validated() {
            true => format!("The predictions are in `{file}`. The model itself was trained on all of these rows."),
            false => format!("The command: `tern eval . --data {file}`, in this folder."),
        };
        let leak_warning = match self.number("/validation/also_in_training") {
            Some(leaked) if leaked > 0.0 => format!(
                "{leaked} of these texts are also training texts: the figures are better than they would be on new texts.\n\n"
            ),
            _ => String::new(),
        };
        let (split, classes, channels) = (self.validation_split(), self.class_table(), self.channel_table());
        format!(
            "## Figures\n\nMeasured on {split}.{epochs}\n\n{figure_table}\n{source}\n\n{leak_warning}{classes}{channels}"
        )
    }

    /// Returns the table of the metrics of each class; empty for a model without classes.
    fn class_table(&self) -> String {
        let Some(classes) = self.metrics.pointer("/validation/per_class").and_then(Value::as_object) else {
            return String::new();
        };
        let row = |(label, class): (&String, &Value)| {
            let share = |key: &str| format!("{:.4}", class[key].as_f64().unwrap_or(0.0));
            let validation_rows = class["support"].as_f64().unwrap_or(0.0).to_string();
            let training_rows = match self.metrics["train"]["support"][label.as_str()].as_u64() {
                Some(count) => count.to_string(),
                None => "–".to_owned(),
            };
            [cell(label), share("precision"), share("recall"), share("f1"), validation_rows, training_rows]
        };
        let head = ["label", "precision", "recall", "F1", "validation rows", "training rows"];
        table(head, classes.iter().map(row)) + "\n"
    }

    /// Returns the table of the channels and their normalisation, and a sentence on the rows of a forecast; empty for a
    /// model that reads text.
    fn channel_table(&self) -> String {
        if self.config.channels.is_empty() {
            return String::new();
        }
        let row = |channel: &Channel| [cell(&channel.name), channel.mean.to_string(), channel.std.to_string()];
        let channels = table(["channel", "mean", "standard deviation"], self.config.channels.iter().map(row));
        let forecast = self.config.forecast.as_ref().map_or_else(String::new, |forecast| {
            let targets = inline(&forecast.targets.join(", "));
            let (window, horizon) = (forecast.window, forecast.horizon);
            format!("\nIt reads {window} rows and predicts the next {horizon} of {targets}.\n")
        });
        format!("{channels}{forecast}\n")
    }

    /// Returns the section with the figures of the last export; empty before the first one.
    fn exported_figures(&self) -> String {
        let Some(export) = &self.export else { return String::new() };
        let compared = match export["on_training_rows"] == true {
            true => "compared with the float model on training rows, where figures are better than on new data",
            false => "compared with the float model above",
        };
        let share = |key: &str| export[key].as_f64().map(|share| format!("{share:.4}"));
        let whole = |key: &str| export[key].as_u64().map(|count| count.to_string());
        let figures = [
            ("accuracy in floats", share("float_accuracy")),
            ("accuracy in integers", share("integer_accuracy")),
            ("perplexity in floats", share("float_perplexity")),
            ("perplexity in integers", share("integer_perplexity")),
            ("RMSE in floats", share("float_rmse")),
            ("RMSE in integers", share("integer_rmse")),
            ("examples compared", whole("examples")),
            // A forecast is a number, so almost every one differs.
            ("examples predicted otherwise", whole("disagreements").filter(|_| self.config.task != Task::Forecast)),
            ("bytes of the device file", whole("file_bytes")),
            ("bytes of RAM: scratch, which the caller provides", whole("scratch_bytes")),
            ("multiply-accumulates a token", whole("macs_per_token")),
        ];
        // A model has only the figures of its task.
        let rows = figures.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?]));
        let figure_table = table(["figure", "value"], rows);
        format!("## On the device\n\nThe last `tern export` of this model, {compared}:\n\n{figure_table}\n")
    }

    /// Returns the section on the intended use and the limits.
    fn intended_use(&self) -> String {
        let (inputs, mut limits) = self.task.wording().intended_use;
        let with_refusal;
        if let Some(refusal) = &self.config.refusal {
            let lowest = percent(refusal.probability());
            // In this sentence, `limits` follows a comma, so its first letter, which is ASCII, becomes lower-case.
            let (first, rest) = limits.split_at(1);
            with_refusal = format!(
                "It refuses to answer if no label reaches a probability of {lowest}. Apart from that, {}{rest}",
                first.to_lowercase()
            );
            limits = &with_refusal;
        }
        format!(
            "## Intended use and limits\n\nFor {inputs} like its training set, where a wrong prediction does no lasting harm. {limits}\n\n"
        )
    }

    /// Returns the section on the training data.
    fn training_data(&self) -> String {
        let (noun, count_pointer) = self.task.wording().training;
        let train = self.recipe.as_ref().map(|recipe| file_name(&recipe.data.train));
        let source = match (train, self.number(count_pointer)) {
            (Some(train), Some(count)) => format!(
                "{count} {noun} of `{train}`. The model repeats their errors and gaps: read in `report.html` where it is \
                 wrong before you rely on it."
            ),
            (Some(train), None) => format!("`{train}`."),
            (None, _) => "Unknown: the model was not trained by Tern.".to_owned(),
        };
        let (validation, [_, calibration]) = (self.validation_file(), self.task.wording().files);
        format!(
            "## Training data\n\n{source}\n\nThis folder contains some of the data: `{validation}` and `{calibration}` are \
             parts of it, and a device file contains a few short examples.\n\n"
        )
    }

    /// Returns the section with example commands.
    fn commands(&self) -> String {
        let folder = shell(&self.config.name);
        let [validation, calibration] = self.task.wording().files;
        // After a cross-validation, the model was trained on all rows, so only other data can measure it. A prediction
        // is then shown for a calibration row.
        let (example, evaluated) = match self.is_cross_validated() {
            true => (calibration, "DATA.csv".to_owned()),
            false => (validation, format!("{folder}/{validation}")),
        };
        let examples = (self.task.wording().commands)(&folder, example);
        let retraining = match &self.recipe {
            Some(_) => format!("tern train {folder}/recipe.toml -o {folder}    # trains it again, bit for bit\n"),
            None => String::new(),
        };
        format!(
            "## Use\n\nFrom the folder that contains this one:\n\n```console\n{examples}\n\
             tern eval {folder} --data {evaluated}\n\
             tern export {folder} -o {folder}.safetensors    # for a device\n{retraining}```\n"
        )
    }
}

/// Formats a figure as `format` does, but a percentage as a share from 0 to 1 with four decimals, so that programs can
/// read it.
fn without_percent(value: f64, format: Format) -> String {
    let text = format(value);
    if text.ends_with('%') { exact(value) } else { text }
}

/// Returns a table in Markdown: a left-aligned column of text, then right-aligned columns of numbers.
fn table<const COLUMNS: usize>(head: [&str; COLUMNS], rows: impl IntoIterator<Item = [String; COLUMNS]>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let numbers = "--:|".repeat(COLUMNS - 1);
    let rows: String = rows.into_iter().map(|row| line(&row)).collect();
    format!("{}|---|{numbers}\n{rows}", line(&head.map(str::to_owned)))
}

/// Returns the name of a file without its folders.
fn file_name(path: &std::path::Path) -> String {
    inline(&path.file_name().unwrap_or_default().to_string_lossy())
}

/// Returns a text on one line, with spaces in place of control characters and of `<`, `>` and backquotes.
fn inline(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || matches!(c, '<' | '>' | '`') { ' ' } else { c }).collect()
}

/// Returns a text for a cell of a Markdown table.
fn cell(text: &str) -> String {
    inline(text).replace('|', "\\|")
}

/// Returns a text as one argument of a shell command, in single quotes if it is not a plain file name. A single quote
/// in it ends the quotes, follows escaped, and begins them again.
fn shell(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let text = inline(text);
    if !text.is_empty() && text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::elements::count;

    #[test]
    fn counts_are_whole_and_shares_have_no_percent_sign() {
        let counts = [0.0, 1.0, 4986.0].map(|value| without_percent(value, count));
        assert_eq!(counts, ["0", "1", "4,986"]);
        let shares = [0.0, 0.5, 1.0, 2.0].map(|value| without_percent(value, percent));
        assert_eq!(shares, ["0.0000", "0.5000", "1.0000", "2.0000"]);
        assert_eq!(without_percent(2.0, exact), "2.0000");
    }
}
