//! The inputs of the page and the card: read from a model directory, or taken from a training.

use super::card;
use super::html_page::HtmlPage;
use super::task_report::TaskReport;
use super::training_metrics::TrainingMetrics;
use crate::float_model::{Config, FloatModel, files};
use crate::recipe::Recipe;
use anyhow::{Context, anyhow};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// The inputs of a page and a card.
#[derive(Clone, Debug)]
pub struct ReportInputs {
    config: Config,
    recipe: Option<Recipe>,
    metrics: Value,
    export: Option<Value>,
    task: Arc<dyn TaskReport>,
}

/// The result of evaluating a model on the validation split in its directory.
pub struct ValidationResult {
    /// The object `validation` of `metrics.json`; null without a validation split.
    pub metrics: Value,
    /// The content of the report for the model's task.
    pub report: Arc<dyn TaskReport>,
}

impl ReportInputs {
    /// The inputs after a training of `model`.
    pub fn new(model: &FloatModel, recipe: &Recipe, metrics: &TrainingMetrics) -> Self {
        ReportInputs {
            config: model.config().clone(),
            recipe: Some(recipe.clone()),
            metrics: as_read(&metrics.to_json()),
            export: None,
            task: metrics.measured.report.clone(),
        }
    }

    /// Reads the inputs from the directory of a loaded model. An imported model has no `recipe.toml` and no
    /// `metrics.json`; it gets the metrics of `validation`, which are those of its validation split.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or is not JSON.
    pub fn read(dir: &Path, model: &FloatModel, validation: ValidationResult) -> anyhow::Result<Self> {
        let ValidationResult { metrics: computed, report } = validation;
        let mut metrics = json(&dir.join(files::METRICS))?.unwrap_or_else(|| json!({}));
        let known = metrics.get("validation").filter(|known| !known.is_null());
        let lacks = |key: &str| known.is_none_or(|known| known.get(key).is_none()) && computed.get(key).is_some();
        if computed.is_object() && (known.is_none() || lacks("calibration")) {
            metrics["validation"] = as_read(&computed);
        }
        metrics["parameters"] = json!(model.weights().count());
        Ok(ReportInputs {
            config: model.config().clone(),
            recipe: Recipe::read(&dir.join(files::RECIPE)).ok(),
            metrics,
            export: json(&dir.join(files::EXPORT))?,
            task: report,
        })
    }

    /// The content of `metrics.json`.
    #[cfg(test)]
    pub fn metrics(&self) -> &Value {
        &self.metrics
    }

    /// Sets the content of `export.json`.
    pub fn set_export(&mut self, export: &Value) {
        self.export = Some(as_read(export));
    }

    /// The content of `report.html`.
    pub fn page(&self) -> String {
        let ReportInputs { config, recipe, metrics, export, task } = self;
        HtmlPage { config, recipe: recipe.as_ref(), metrics, export: export.as_ref(), task: task.as_ref() }.html()
    }

    /// The content of `README.md`.
    pub fn card(&self) -> String {
        card::card(&self.config, self.task.wording(), self.recipe.as_ref(), &self.metrics, self.export.as_ref())
    }
}

/// A value as it will be read from a file, so that the page and the card are the same when they are made again:
/// serde_json's reader may change the last bit of a number.
fn as_read(value: &Value) -> Value {
    serde_json::from_str(&value.to_string()).expect("serde_json reads what it wrote")
}

/// Reads a JSON file; `None` if it does not exist.
fn json(path: &Path) -> anyhow::Result<Option<Value>> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| path.display().to_string())?,
    };
    let value = serde_json::from_str(&text);
    value.map(Some).map_err(|error| {
        let path = path.display();
        anyhow!("{path}: {error}; expected the JSON that `tern train` and `tern export` write: train or export again")
    })
}
