//! `report.html`: one page that needs nothing else.
//!
//! Every figure of `metrics.json` and `export.json` on it stands in a `<data>` element with its exact value and the place in these files (a JSON
//! pointer), so that a program can read the page as a person does (test `tests/tests/path/report.rs`).

mod answers;
mod classes;
mod device;
mod training;

use super::html::{STYLE, count, escape, exact, percent};
use crate::float_model::Config;
use crate::recipe::Recipe;
use crate::task::{Input, Task};
use crate::tasks::Findings;
use serde_json::Value;
use std::fmt::Write;

/// What a page is made of.
pub struct Page<'a> {
    /// What the model is.
    pub config: &'a Config,
    /// How it was made, where that is known.
    pub recipe: Option<&'a Recipe>,
    /// `metrics.json`.
    pub metrics: &'a Value,
    /// `export.json`, once there was an export.
    pub export: Option<&'a Value>,
    /// What the held-out texts show.
    pub findings: &'a Findings,
}

/// The page may load nothing and run nothing, whatever its texts say.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

impl Page<'_> {
    /// The HTML.
    pub fn html(&self) -> String {
        let name = escape(&self.config.name);
        let sections: Vec<(&str, &str, String)> = [
            ("training", "Training", self.training()),
            ("forecast", "Forecast and truth", self.forecast()),
            ("errors", "Errors", self.errors()),
            ("samples", "What it writes", self.samples()),
            ("k-best", "The right token among the best", self.k_best()),
            ("surprises", "Most surprising places", self.surprises()),
            ("classes", "Classes", self.classes()),
            ("confusion", "Confusion", self.confusion()),
            ("calibration", "Calibration", self.calibration()),
            (
                "length",
                if self.reads_values() { "Length of the sequences" } else { "Length of the texts" },
                self.lengths(),
            ),
            ("words", "Words that decided", self.words()),
            ("mistakes", "Most confident mistakes", self.mistakes()),
            ("device", "On the device", self.device()),
            ("recipe", "How to make it again", self.again()),
        ]
        .into_iter()
        .filter(|(.., html)| !html.is_empty())
        .collect();

        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <title>{name}: report</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{name}</h1>\n"
        );
        page.push_str(&self.summary());
        page.push_str("<nav aria-label=\"Sections\">");
        for (id, title, _) in &sections {
            let _ = write!(page, "<a href=\"#{id}\">{title}</a> ");
        }
        page.push_str("</nav>\n</header>\n<main>\n");
        for (id, title, html) in &sections {
            let _ =
                write!(page, "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>\n{html}</section>\n");
        }
        page.push_str("</main>\n<footer class=\"note\">Made by <code>tern report</code>. The figures are those of <code>metrics.json</code>");
        page.push_str(if self.export.is_some() { " and <code>export.json</code>" } else { "" });
        page + " beside this page.</footer>\n</body>\n</html>\n"
    }

    fn is_classifier(&self) -> bool {
        self.config.task == Task::Classify
    }

    fn reads_values(&self) -> bool {
        self.config.input == Input::Values
    }

    /// What a classifier reads, and what that is made of.
    fn units(&self) -> (&'static str, &'static str) {
        if self.reads_values() { ("sequences", "steps") } else { ("texts", "tokens") }
    }

    /// What it is, and the figures that matter most.
    fn summary(&self) -> String {
        let config = self.config;
        let mut html = String::new();
        let what = match (config.task, config.input) {
            (Task::Classify, Input::Tokens) => format!("Gives a text one of {} labels.", config.labels.len()),
            (Task::Classify, Input::Values) => {
                format!("Gives a series of numbers one of {} labels.", config.labels.len())
            }
            (Task::LanguageModel, _) => "Says how a text goes on.".to_owned(),
            (Task::Forecast, _) => "Says how a series goes on.".to_owned(),
        };
        let reads = match config.input {
            Input::Tokens => format!("{} tokens → embedding {}", count(config.vocab_size as f64), config.embedding_dim),
            Input::Values => {
                let names: Vec<&str> = config.channels.iter().map(|channel| channel.name.as_str()).collect();
                escape(&names.join(", "))
            }
        };
        let network = escape(&config.recurrent().describe(config.hidden_size));
        let _ = write!(html, "<p class=\"lede\">{what}</p>\n<p class=\"note\">{reads} → {network}");
        if self.number("/parameters").is_some() {
            let _ = write!(html, "; {} parameters", self.value("/parameters", count));
        }
        if let Some(recipe) = self.recipe {
            let _ = write!(html, "; seed {}", recipe.training.seed);
        }
        html.push_str("</p>\n<dl class=\"tiles\">\n");
        for (index, (pointer, name, format)) in self.tiles().into_iter().enumerate() {
            let class = if index == 0 { " class=\"main\"" } else { "" };
            let _ =
                writeln!(html, "<div{class}><dt>{}</dt><dd>{}</dd></div>", escape(&name), self.value(&pointer, format));
        }
        html.push_str("</dl>\n");
        html.push_str(&self.caveats());
        html + &self.baselines()
    }

    /// Pointer, name and format of the figures on top.
    fn tiles(&self) -> Vec<(String, String, Format)> {
        let known: &[(&str, &str, Format)] = match self.config.task {
            Task::Classify => &[
                ("/validation/accuracy", "validation accuracy", percent),
                ("/validation/majority_accuracy", "always the most frequent label", percent),
                ("/validation/macro_f1", "macro F1", exact),
                ("/validation/loss", "validation loss (nats)", exact),
                ("/validation/calibration/ece", "calibration error (ECE)", exact),
                ("/export/integer_accuracy", "accuracy in integers", percent),
                ("/train_examples", "examples learnt from", count),
                ("/validation/examples", "examples held out", count),
            ],
            Task::LanguageModel => &[
                ("/validation/perplexity", "perplexity", exact),
                ("/validation/bits_per_character", "bits per character", exact),
                ("/validation/accuracy", "next token right", percent),
                ("/validation/top_5_accuracy", "among the best 5", percent),
                ("/validation/loss", "validation loss (nats a token)", exact),
                ("/train/text_tokens", "tokens learnt from", count),
                ("/validation/tokens", "tokens held out", count),
                ("/validation/unknown", "of these unknown", count),
                ("/validation/characters", "characters held out", count),
            ],
            Task::Forecast => &[
                ("/validation/rmse", "root mean squared error", exact),
                ("/validation/naive_rmse", "of the last number again", exact),
                ("/validation/seasonal_naive_rmse", "of a season before", exact),
                ("/validation/rmse_to_naive", "of the naive error", percent),
                ("/validation/mae", "mean absolute error", exact),
                ("/train/rows", "rows learnt from", count),
                ("/validation/examples", "windows held out", count),
            ],
        };
        let known = known.iter().filter(|(pointer, ..)| self.number(pointer).is_some());
        known.map(|&(pointer, name, format)| (pointer.to_owned(), name.to_owned(), format)).collect()
    }

    /// What one must know to read the figures.
    fn caveats(&self) -> String {
        let mut html = String::new();
        let (kept, epochs) = (self.number("/best_epoch"), self.number("/epochs"));
        if let (Some(_), Some(_)) = (kept, epochs) {
            let by = if self.is_classifier() {
                "the one with the highest accuracy on the held-out rows"
            } else {
                "the best on the held-out part"
            };
            let _ = write!(
                html,
                "<p>Epoch {} of {} was kept, {by}. They chose the epoch: expect a little less on others.",
                self.value("/best_epoch", count),
                self.value("/epochs", count)
            );
            if self.number("/validation/interval/0").is_some() {
                let _ = write!(
                    html,
                    " With so many rows, the true accuracy lies between {} and {} (95 % confidence, Wilson).",
                    self.value("/validation/interval/0", percent),
                    self.value("/validation/interval/1", percent)
                );
            }
            html.push_str("</p>\n");
        }
        if self.number("/validation/also_in_training").is_some_and(|leaked| leaked > 0.0) {
            let _ = writeln!(
                html,
                "<p class=\"warning\"><strong>{} of the validation texts were learnt from as well</strong>: the figures flatter the model.</p>",
                self.value("/validation/also_in_training", count)
            );
        }
        html
    }

    fn again(&self) -> String {
        let Some(recipe) = self.recipe else { return String::new() };
        format!(
            "<p><code>tern train recipe.toml -o NAME</code> in the model's folder makes the same model again, to the bit, from the same data.</p>\n\
             <details><summary>Every setting</summary>\n<pre>{}</pre></details>\n",
            escape_lines(&settings(recipe))
        )
    }

    /// A figure by its JSON pointer; those under `/export` are of `export.json`.
    pub(crate) fn number(&self, pointer: &str) -> Option<f64> {
        self.at(pointer)?.as_f64()
    }

    fn at(&self, pointer: &str) -> Option<&Value> {
        match pointer.strip_prefix("/export") {
            Some(rest) => self.export?.pointer(rest),
            None => self.metrics.pointer(pointer),
        }
    }

    /// A figure with its exact value and its place.
    pub(crate) fn value(&self, pointer: &str, format: Format) -> String {
        match self.number(pointer) {
            Some(value) => {
                format!("<data value=\"{value}\" data-at=\"{}\">{}</data>", escape(pointer), format(value))
            }
            None => "–".to_owned(),
        }
    }
}

/// How a number is written.
type Format = fn(f64) -> String;

/// A key in a JSON pointer: RFC 6901.
fn escape_pointer(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The recipe without its paths: the page may go where the data may not.
fn settings(recipe: &Recipe) -> String {
    let mut recipe = recipe.clone();
    let name = |path: &std::path::Path| std::path::PathBuf::from(path.file_name().unwrap_or_default());
    recipe.data.train = name(&recipe.data.train);
    recipe.data.valid = recipe.data.valid.map(|valid| name(&valid));
    // They change no bit of the model, and so none of the page.
    recipe.training.threads = 0;
    toml::to_string(&recipe).expect("tables of strings and numbers are always TOML")
}

fn escape_lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}
