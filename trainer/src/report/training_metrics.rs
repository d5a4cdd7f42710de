//! The metrics of a training, which `metrics.json` stores.

use crate::baselines::{self, Baseline};
use crate::float_model::FloatModel;
use crate::task::Task;
use crate::tasks::Findings;
use crate::tasks::classification::Analysis;
use crate::tasks::classification::analysis::wilson;
use crate::train::{Ending, EpochFigures, Outcome};
use serde_json::{Map, Value, json};

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
    /// Examples of the validation split, for the report.
    pub findings: Findings,
}

/// Statistics of a classifier's training set.
#[derive(Clone, Copy, Debug)]
pub struct TrainingStats<'a> {
    /// The label of each example.
    pub labels: &'a [usize],
    /// The number of tokens or time steps of each example.
    pub lengths: &'a [usize],
    /// The number of validation examples that are also in the training set.
    pub leaked: usize,
    /// The number of examples that were cut to the maximum length.
    pub cut: usize,
}

impl Measurements {
    /// The measurements of a classifier.
    pub fn classifier(analysis: &Analysis, labels: &[String], training: TrainingStats<'_>, findings: Findings) -> Self {
        let mut validation = validation(analysis, labels);
        validation["also_in_training"] = json!(training.leaked);
        let count = |label| training.labels.iter().filter(|of| **of == label).count();
        let support: Map<String, Value> =
            labels.iter().enumerate().map(|(label, name)| (name.clone(), json!(count(label)))).collect();
        let evaluation = &analysis.evaluation;
        let lines = vec![
            format!(
                "validation accuracy {:.4} ({} of {}); the most frequent label alone: {:.4}",
                evaluation.accuracy(),
                evaluation.correct(),
                evaluation.examples(),
                evaluation.majority_accuracy()
            ),
            format!("validation loss {:.4}, macro F1 {:.4}", evaluation.loss(), evaluation.macro_f1()),
        ];
        let train = json!({ "support": support, "cut": training.cut, "tokens": lengths(training.lengths) });
        Measurements { validation, train, baselines: None, lines, findings }
    }

    /// Adds simpler models to compare with. `analysis` and `parameters` are those of this model.
    pub fn with_baselines(mut self, baselines: &[Baseline], analysis: &Analysis, parameters: usize) -> Self {
        if !baselines.is_empty() {
            self.baselines = Some(baselines::to_json(baselines));
            self.lines.extend(baselines::to_text(baselines, Some(("this model", &analysis.evaluation, parameters))));
        }
        self
    }
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
    pub ending: Ending,
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
            ending: outcome.ending,
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
            "ending": self.ending,
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

    /// The metrics as lines for a person.
    pub fn lines(&self) -> Vec<String> {
        let (best, epochs, parameters) = (self.best_epoch, self.history.len(), self.parameters);
        let mut lines =
            vec![format!("best epoch {best} of {epochs}, {parameters} parameters; on the validation split:")];
        lines.extend_from_slice(&self.measured.lines);
        lines
    }
}

/// The object `validation` of `metrics.json` for a classifier.
pub fn validation(analysis: &Analysis, labels: &[String]) -> Value {
    let evaluation = &analysis.evaluation;
    let per_class: Map<String, Value> =
        labels.iter().cloned().zip(evaluation.per_class().iter().map(|figures| json!(figures))).collect();
    json!({
        "examples": evaluation.examples(),
        "accuracy": evaluation.accuracy(),
        "interval": wilson(evaluation.correct(), evaluation.examples()),
        "loss": evaluation.loss(),
        "macro_f1": evaluation.macro_f1(),
        "majority_accuracy": evaluation.majority_accuracy(),
        "per_class": per_class,
        "confusion": evaluation.confusion(),
        "calibration": analysis.calibration(),
        "by_length": analysis.by_length(),
    })
}

/// The median and the maximum of some lengths, and a histogram of up to 30 equally wide ranges.
fn lengths(lengths: &[usize]) -> Value {
    let mut sorted = lengths.to_vec();
    sorted.sort_unstable();
    let longest = sorted.last().copied().unwrap_or(0);
    let width = (longest + 1).div_ceil(30).max(1);
    let mut counts = vec![0usize; longest / width + 1];
    sorted.iter().for_each(|length| counts[length / width] += 1);
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or(0);
    json!({ "median": median, "longest": longest, "range": width, "counts": counts })
}
