//! Writes `report.html`: one page that contains no scripts and needs no other files.
//!
//! `html_page/` has the sections that all tasks or all classifiers share; those of one task are in its folder of
//! `tasks`. Every figure from `metrics.json` and `export.json` is a `<data>` element with the exact value and its JSON
//! pointer, so that programs can read the page, too (test `tests/tests/path/report.rs`).

mod classifier;
mod exported;
mod learning_curves;
mod search;

use super::elements::{Cell, Format, STYLE, count, nothing, percent};
use super::{ReportInputs, Section};
use crate::display::is_control;
use crate::float_model::files;
use crate::recipe::Recipe;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tern_format::Input;

/// The content security policy. It forbids the browser to load or run anything, in case a text on the page is not
/// escaped.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

impl ReportInputs {
    /// Returns the content of `report.html`.
    pub fn page(&self) -> String {
        let name = &self.config.name;
        let sections = self.sections();
        let files = if self.export.is_some() { "metrics.json and export.json" } else { "metrics.json" };
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    title { (name) ": report" }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    header {
                        h1 { (name) }
                        (self.summary())
                        nav aria-label="Sections" {
                            @for (id, title, _) in &sections { a href={ "#" (id) } { (title) } " " }
                        }
                    }
                    main {
                        @for (id, title, content) in &sections {
                            section aria-labelledby=(id) { h2 id=(id) { (title) } (content) }
                        }
                    }
                    footer.note { "Made by " code { "tern report" } ". The figures are those of " (files) " beside this page." }
                }
            }
        };
        // Names and texts from the data may contain control characters and characters that change the direction of
        // text.
        page.0.chars().map(|c| if c != '\n' && is_control(c) { ' ' } else { c }).collect()
    }

    /// Returns the sections that have content for this model.
    fn sections(&self) -> Vec<Section> {
        let mut sections = vec![("training", "Learning curves", self.learning_curves())];
        sections.extend(self.task.sections(self));
        sections.push(("search", "Search", self.search()));
        sections.push(("device", "On the device", self.exported()));
        sections.push(("recipe", "Reproduce this model", self.reproduce()));
        sections.retain(|(.., content)| !content.0.is_empty());
        sections
    }

    /// Returns true if the model reads numbers, false if it reads text.
    fn reads_values(&self) -> bool {
        self.config.input == Input::Values
    }

    /// Returns the plural nouns for the examples of a classifier and for their time steps.
    fn nouns(&self) -> (&'static str, &'static str) {
        if self.reads_values() { ("sequences", "time steps") } else { ("texts", "tokens") }
    }

    /// Returns the top of the page: a description of the model, the most important figures and the baselines.
    fn summary(&self) -> Markup {
        let config = &self.config;
        let network = config.architecture().describe();
        html! {
            p.lede { ((self.task.wording().purpose)(config)) "." }
            p.note {
                @match config.input {
                    Input::Tokens if config.num_layers == 0 => { "n-grams of words and characters" }
                    Input::Tokens => { (count(config.vocab_size as f64)) " tokens → embedding " (config.embedding_dim) }
                    Input::Values => {
                        @for (index, channel) in config.channels.iter().enumerate() {
                            @if index > 0 { ", " }
                            (channel.name)
                        }
                    }
                }
                " → " (network)
                @if self.number("/parameters").is_some() { "; " (self.value("/parameters", count)) " parameters" }
                @if let Some(recipe) = &self.recipe { "; seed " (recipe.training.seed) }
            }
            dl.tiles {
                @let on_training = |pointer: &str| pointer.starts_with("/export") && self.is_export_on_training_rows();
                @let has_figure = |pointer: &str| self.number(pointer).is_some() && !on_training(pointer);
                @let figures = self.task.wording().figures.iter().filter(|(pointer, ..)| has_figure(pointer));
                @for (index, &(pointer, name, format)) in figures.enumerate() {
                    div.main[index == 0] { dt { (name) } dd { (self.value(pointer, format)) } }
                }
            }
            (self.caveats())
            (self.baselines())
        }
    }

    /// Returns notes on the choice of the epoch, the uncertainty of the figures, and training texts in the validation
    /// split.
    fn caveats(&self) -> Markup {
        let is_leaked = self.number("/validation/also_in_training").is_some_and(|leaked| leaked > 0.0);
        html! {
            @if self.number("/best_epoch").is_some() && self.number("/epochs").is_some() {
                p {
                    @if self.is_cross_validated() {
                        "The validation figures are those of a " (self.value("/validation/folds", count)) "-fold cross-validation: "
                        "each training row was predicted by a network that was not trained on it. It also chose the number of "
                        "epochs, " (self.value("/best_epoch", count)) ", for this model, which was trained on all rows. Expect "
                        "slightly worse figures on new data."
                    } @else {
                        "Epoch " (self.value("/best_epoch", count)) " of " (self.value("/epochs", count)) " was kept: the best on the "
                        "validation split. Since that choice used the validation split, expect slightly worse figures on new data."
                    }
                    @if self.number("/validation/interval/0").is_some() {
                        " With this many validation rows, the true accuracy is between "
                        (self.value("/validation/interval/0", percent)) " and " (self.value("/validation/interval/1", percent))
                        " (95 % confidence, Wilson’s interval)."
                    }
                }
            }
            @if is_leaked {
                p.warning {
                    strong { (self.value("/validation/also_in_training", count)) " of the validation texts are also training texts" }
                    ": the figures are better than they would be on new texts."
                }
            }
        }
    }

    /// Returns the command that trains the model again, and its recipe; empty for an imported model.
    fn reproduce(&self) -> Markup {
        let Some(recipe) = &self.recipe else { return nothing() };
        html! {
            p {
                code { "tern train recipe.toml -o NAME" }
                " in the folder of the model trains the same model again, bit for bit, from the same data."
            }
            details { summary { "Every setting" } pre { (settings(recipe)) } }
        }
    }

    /// Returns true if the validation figures are those of a cross-validation.
    pub(crate) fn is_cross_validated(&self) -> bool {
        self.number("/validation/folds").is_some()
    }

    /// Returns the name of the file in the model directory with the validation rows, or with the predictions of the
    /// cross-validation.
    pub(crate) fn validation_file(&self) -> &'static str {
        if self.is_cross_validated() { files::CROSS_VALIDATION } else { self.task.wording().files[0] }
    }

    /// Returns true if the last export compared both models on training rows.
    fn is_export_on_training_rows(&self) -> bool {
        self.json_at("/export/on_training_rows") == Some(&Value::Bool(true))
    }

    /// Returns the value at a JSON pointer; `None` if there is none. A pointer that begins with `/export` points into
    /// `export.json`, any other one into `metrics.json`.
    pub(crate) fn json_at(&self, pointer: &str) -> Option<&Value> {
        match pointer.strip_prefix("/export") {
            Some(rest) => self.export.as_ref()?.pointer(rest),
            None => self.metrics.pointer(pointer),
        }
    }

    /// Returns the number at a JSON pointer; `None` if there is none.
    pub(crate) fn number(&self, pointer: &str) -> Option<f64> {
        self.json_at(pointer)?.as_f64()
    }

    /// Returns the list at a JSON pointer; an empty one if there is none.
    pub(crate) fn list(&self, pointer: &str) -> &[Value] {
        self.json_at(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Returns the number at a JSON pointer as a `<data>` element with the exact value; a dash if there is none.
    pub(crate) fn value(&self, pointer: &str, format: Format) -> Markup {
        html! {
            @match self.number(pointer) {
                Some(value) => { data value=(value.to_string()) data-at=(pointer) { (format(value)) } }
                None => "–",
            }
        }
    }

    /// Returns a [`value`](Self::value) as a cell of a table.
    pub(crate) fn cell(&self, pointer: &str, format: Format) -> Cell {
        Cell::Number(self.value(pointer, format))
    }
}

/// Escapes a key for a JSON pointer (RFC 6901).
fn escape_pointer(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Returns the recipe as TOML, without the folders of the data files, which the readers of the page need not know.
fn settings(recipe: &Recipe) -> String {
    let mut recipe = recipe.clone();
    let file_name = |path: &Path| PathBuf::from(path.file_name().unwrap_or_default());
    recipe.data.train = file_name(&recipe.data.train);
    recipe.data.valid = recipe.data.valid.map(|valid| file_name(&valid));
    recipe.model.embeddings = recipe.model.embeddings.map(|vectors| file_name(&vectors));
    for teacher in &mut recipe.training.teachers {
        *teacher = file_name(teacher);
    }
    // The number of threads does not change the model, so it does not change the page: 0 is the default.
    recipe.training.threads = 0;
    toml::to_string(&recipe).expect("tables of strings and numbers are always TOML")
}
