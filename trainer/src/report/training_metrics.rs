//! The metrics of a training, which `metrics.json` stores.

use super::task_report::TaskReport;
use crate::float_model::FloatModel;
use crate::recipe::Metric;
use crate::train::{EpochFigures, Outcome, StopReason};
use serde_json::{Value, json};
use std::sync::Arc;
use tern_format::Task;

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
    /// The sections of the report.
    pub report: Arc<dyn TaskReport>,
}

/// The content of `metrics.json`.
#[derive(Clone, Debug)]
pub struct TrainingMetrics {
    /// The model's task.
    pub task: Task,
    /// The measurements with the weights that were kept.
    pub measured: Measurements,
    /// The metrics of all epochs.
    pub history: Vec<EpochFigures>,
    /// The epoch that was kept, from 1.
    pub best_epoch: usize,
    /// The reason for the end of the training.
    pub stop_reason: StopReason,
    /// The number of training examples: texts, sequences or windows.
    pub train_examples: usize,
    /// The number of parameters.
    pub parameters: usize,
}

impl TrainingMetrics {
    /// The metrics of the training that gave `model`.
    pub fn new(model: &FloatModel, measured: Measurements, train_examples: usize, outcome: &Outcome) -> Self {
        TrainingMetrics {
            task: model.config().task,
            measured,
            history: outcome.history.clone(),
            best_epoch: outcome.best_epoch,
            stop_reason: outcome.stop_reason,
            train_examples,
            parameters: model.weights().count(),
        }
    }

    /// The content of `metrics.json`.
    pub fn to_json(&self) -> Value {
        let mut figures = json!({
            "task": self.task.name(),
            "best_epoch": self.best_epoch,
            "epochs": self.history.len(),
            "ending": self.stop_reason,
            "train_examples": self.train_examples,
            "parameters": self.parameters,
            "validation": self.measured.validation,
            "train": self.measured.train,
            "history": self.history,
        });
        if let Some(baselines) = &self.measured.baselines {
            figures["baselines"] = baselines.clone();
        }
        figures
    }

    /// The metrics as lines for a person. `metric` is the one that chose the best epoch.
    pub fn lines(&self, metric: Metric) -> Vec<String> {
        let (best, epochs, parameters) = (self.best_epoch, self.history.len(), self.parameters);
        let mut lines = vec![format!(
            "best epoch {best} of {epochs} by {}, {parameters} parameters; on the validation split:",
            metric.title()
        )];
        lines.extend_from_slice(&self.measured.lines);
        lines
    }
}
