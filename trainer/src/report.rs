//! The files of a model directory that describe the training and the export: `metrics.json`, `export.json`,
//! `recipe.toml`, `README.md` (the model card), and `report.html` (the page).
//!
//! [`ReportInputs`] holds everything that the page and the card are generated from: the two JSON files, the
//! configuration, the recipe, and the results on the validation split or of a cross-validation. [`ReportInputs::read`]
//! reads them from a model directory, so that both can be generated again at any time. Each task gives the words for
//! its models in [`TaskWording`] and adds its sections to the page by [`TaskReport`].

mod card;
pub(crate) mod chart;
pub(crate) mod elements;
pub(crate) mod html_page;
#[cfg(test)]
mod tests;

use crate::float_model::{Config, FloatModel, files};
use crate::recipe::{Metric, Recipe};
use crate::train::Outcome;
use crate::write_file::write_file;
use anyhow::{Context, anyhow};
use elements::Format;
use maud::Markup;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

/// Writes recipe, metrics, card and page of a training into `folder`, which will be renamed to `target`; paths in the
/// recipe are relative to `target`. Fails if a file cannot be written.
pub fn write(
    folder: &Path,
    target: &Path,
    model: &FloatModel,
    recipe: &Recipe,
    metrics: &TrainingMetrics,
) -> anyhow::Result<()> {
    let inputs = ReportInputs::new(model, recipe, metrics);
    for (name, text) in [
        (files::RECIPE, recipe.to_toml(target)),
        (files::METRICS, format!("{:#}\n", metrics.json)),
        (files::CARD, inputs.card()),
        (files::REPORT, inputs.page()),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Writes `export`, the figures of an export, to `export.json` in the model directory `dir`, and writes the page and
/// the card again. A card that was changed by hand is kept. Returns true if the card was written. Fails if a file
/// cannot be read or written.
pub fn add_export(
    dir: &Path,
    model: &FloatModel,
    validation: ValidationResult,
    export: &Value,
) -> anyhow::Result<bool> {
    let mut inputs = ReportInputs::read(dir, model, validation)?;
    let card = dir.join(files::CARD);
    // `inputs` still have the figures of the last export, with which the card was generated. A missing card counts as
    // generated.
    let is_generated = std::fs::read_to_string(&card).map_or(true, |text| text == inputs.card());
    inputs.set_export(export);
    let write_text = |name: &str, text: String| {
        let path = dir.join(name);
        write_file(&path, text.as_bytes()).with_context(|| path.display().to_string())
    };
    write_text(files::EXPORT, format!("{export:#}\n"))?;
    write_text(files::REPORT, inputs.page())?;
    if is_generated {
        write_text(files::CARD, inputs.card())?;
    }
    Ok(is_generated)
}

/// A figure: its JSON pointer, its name, and its number format. A pointer that begins with `/export` points into
/// `export.json`, any other one into `metrics.json`.
pub type SummaryFigure = (&'static str, &'static str, Format);

/// A section of the page: its id, its title and its content.
pub type Section = (&'static str, &'static str, Markup);

/// The words in which the page and the card describe models of one task.
pub struct TaskWording {
    /// The purpose of a model, as a sentence without its full stop.
    pub purpose: fn(&Config) -> String,
    /// The figures at the top of the page and in the card, the most important one first.
    pub figures: &'static [SummaryFigure],
    /// The name of the loss in the learning curves.
    pub loss: &'static str,
    /// The plural noun for the examples on which the float model and the device file are compared.
    pub compared: &'static str,
    /// The plural noun for the validation examples, and the JSON pointer of their number.
    pub validation: (&'static str, &'static str),
    /// The plural noun for the training examples, and the JSON pointer of their number.
    pub training: (&'static str, &'static str),
    /// True if the validation split contains the same share of each class, false if it is the end of the data.
    pub is_stratified: bool,
    /// The files in the model directory that hold the validation split and the calibration data.
    pub files: [&'static str; 2],
    /// The Hugging Face Hub's identifier of the task, and its name.
    pub hub_task: (&'static str, &'static str),
    /// The plural noun for the inputs of the model, and sentences on the limits of its use.
    pub intended_use: (&'static str, &'static str),
    /// Returns example commands, given the model directory and the name of a file with example rows in it.
    pub commands: fn(&str, &str) -> String,
}

/// The part of a report that depends on the task.
pub trait TaskReport: Debug + Send + Sync {
    /// Returns the words for models of this task.
    fn wording(&self) -> &'static TaskWording;

    /// Returns the sections of the page between the learning curves and the search. A section without content is left
    /// out of the page.
    fn sections(&self, page: &ReportInputs) -> Vec<Section>;
}

/// The metrics of a model on the validation split, and the statistics of its training set.
#[derive(Clone, Debug)]
pub struct Measurements {
    /// The object `validation` of `metrics.json`.
    pub validation: Value,
    /// The object `train` of `metrics.json`.
    pub train: Value,
    /// The object `baselines` of `metrics.json`, if simpler models were trained on the same rows.
    pub baselines: Option<Value>,
    /// The metrics as lines for a person.
    pub lines: Vec<String>,
    /// The words and sections of the report.
    pub report: Arc<dyn TaskReport>,
}

/// The metrics of a training.
#[derive(Clone, Debug)]
pub struct TrainingMetrics {
    /// The content of `metrics.json`.
    pub json: Value,
    /// The metrics as lines for a person.
    pub lines: Vec<String>,
    /// The words and sections of the report.
    pub report: Arc<dyn TaskReport>,
}

impl TrainingMetrics {
    /// The metrics of the training that resulted in `model`. `measured`: the metrics of the weights of the best epoch.
    /// `train_examples`: the number of texts, sequences or windows in the training set. `metric`: the metric by which
    /// the best epoch was chosen.
    pub fn new(
        model: &FloatModel,
        measured: Measurements,
        train_examples: usize,
        outcome: &Outcome,
        metric: Metric,
    ) -> Self {
        let Measurements { validation, train, baselines, lines, report } = measured;
        let Outcome { best_epoch, history, stop_reason, .. } = outcome;
        let (epochs, parameters) = (history.len(), model.weights().count());
        // After a cross-validation, `lines` begins with its name.
        let split = if validation["folds"].is_null() { "; on the validation split:" } else { "" };
        let metric_title = metric.title();
        let first_line =
            format!("best epoch {best_epoch} of {epochs} by {metric_title}, {parameters} parameters{split}");
        let mut json = json!({
            "task": model.config().task.name(),
            "best_epoch": best_epoch,
            "epochs": epochs,
            "ending": stop_reason,
            "train_examples": train_examples,
            "parameters": parameters,
            "validation": validation,
            "train": train,
            "history": history,
        });
        if let Some(baselines) = baselines {
            json["baselines"] = baselines;
        }
        TrainingMetrics { json, lines: [vec![first_line], lines].concat(), report }
    }
}

/// The inputs of the page and the card.
#[derive(Clone, Debug)]
pub struct ReportInputs {
    /// The configuration of the model.
    pub config: Config,
    /// The recipe of the training; `None` for an imported model, and if `recipe.toml` cannot be read.
    pub recipe: Option<Recipe>,
    /// The content of `metrics.json`.
    pub metrics: Value,
    /// The content of `export.json`; `None` before the first export.
    pub export: Option<Value>,
    /// The words and sections of the model's task.
    pub task: Arc<dyn TaskReport>,
}

/// The result of evaluating a model on the validation split in its directory.
pub struct ValidationResult {
    /// The object `validation` of `metrics.json`; null without a validation split.
    pub metrics: Value,
    /// The content of the report for the model's task.
    pub report: Arc<dyn TaskReport>,
}

impl ValidationResult {
    /// The result for a model directory without a validation split. `report` has the words of the task but no sections.
    pub fn none(report: impl TaskReport + 'static) -> Self {
        ValidationResult { metrics: Value::Null, report: Arc::new(report) }
    }
}

impl ReportInputs {
    /// The inputs after the training of `model`, before the first export.
    pub fn new(model: &FloatModel, recipe: &Recipe, metrics: &TrainingMetrics) -> Self {
        ReportInputs {
            config: model.config().clone(),
            recipe: Some(recipe.clone()),
            metrics: metrics.json.clone(),
            export: None,
            task: metrics.report.clone(),
        }
    }

    /// Reads the inputs from the directory `dir` of `model`. If `metrics.json` is missing, as for an imported model, or
    /// has no validation metrics, those in `validation` take their place. Fails if `metrics.json` or `export.json`
    /// exists but cannot be read or is not JSON.
    pub fn read(dir: &Path, model: &FloatModel, validation: ValidationResult) -> anyhow::Result<Self> {
        let ValidationResult { metrics: computed, report } = validation;
        let mut metrics = read_json(&dir.join(files::METRICS))?.unwrap_or_else(|| json!({}));
        if computed.is_object() && metrics["validation"].is_null() {
            metrics["validation"] = computed;
        }
        metrics["parameters"] = json!(model.weights().count());
        Ok(ReportInputs {
            config: model.config().clone(),
            recipe: Recipe::read(&dir.join(files::RECIPE)).ok(),
            metrics,
            export: read_json(&dir.join(files::EXPORT))?,
            task: report,
        })
    }

    /// Sets the content of `export.json`.
    pub fn set_export(&mut self, export: &Value) {
        self.export = Some(export.clone());
    }
}

/// Reads a JSON file; `None` if it does not exist. Fails if it cannot be read or is not JSON.
fn read_json(path: &Path) -> anyhow::Result<Option<Value>> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        result => result.with_context(|| path.display().to_string())?,
    };
    serde_json::from_str(&text).map(Some).map_err(|error| {
        let path = path.display();
        anyhow!("{path}: {error}; expected the JSON that `tern train` and `tern export` write: train or export again")
    })
}
