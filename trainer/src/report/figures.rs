//! The figures of a training.

use super::analysis::{Analysis, wilson};
use crate::baselines::{self, Baseline};
use crate::float_model::FloatModel;
use crate::task::Task;
use crate::tasks::Findings;
use crate::train::{Ending, EpochFigures, Outcome};
use serde_json::{Map, Value, json};

/// How a model does on what was held out, and what it learnt from.
#[derive(Clone, Debug)]
pub struct Measured {
    /// `validation` in `metrics.json`.
    pub validation: Value,
    /// `train` in `metrics.json`.
    pub train: Value,
    /// `baselines` in `metrics.json`, where simpler models were trained on the same rows.
    pub baselines: Option<Value>,
    /// The figures for people.
    pub lines: Vec<String>,
    /// What single held-out examples show.
    pub findings: Findings,
}

/// What a classifier learnt from.
#[derive(Clone, Copy, Debug)]
pub struct Learnt<'a> {
    /// The label of each example.
    pub labels: &'a [usize],
    /// Number of tokens or steps of each.
    pub lengths: &'a [usize],
    /// Held-out examples that are among them.
    pub leaked: usize,
    /// Examples that were cut.
    pub cut: usize,
}

impl Measured {
    /// Of a classifier.
    pub fn classifier(analysis: &Analysis, labels: &[String], learnt: Learnt<'_>, findings: Findings) -> Self {
        let mut validation = validation(analysis, labels);
        validation["also_in_training"] = json!(learnt.leaked);
        let count = |label| learnt.labels.iter().filter(|of| **of == label).count();
        let support: Map<String, Value> =
            labels.iter().enumerate().map(|(label, name)| (name.clone(), json!(count(label)))).collect();
        let evaluation = &analysis.evaluation;
        let lines = vec![
            format!(
                "validation accuracy {:.4} ({} of {}), always the most frequent label: {:.4}",
                evaluation.accuracy(),
                evaluation.correct(),
                evaluation.examples(),
                evaluation.majority_accuracy()
            ),
            format!("validation loss {:.4}, macro F1 {:.4}", evaluation.loss(), evaluation.macro_f1()),
        ];
        let train = json!({ "support": support, "cut": learnt.cut, "tokens": lengths(learnt.lengths) });
        Measured { validation, train, baselines: None, lines, findings }
    }

    /// Puts simpler models beside it; `analysis` is that of the model, which has so many `parameters`.
    pub fn beside(mut self, baselines: &[Baseline], analysis: &Analysis, parameters: usize) -> Self {
        if !baselines.is_empty() {
            self.baselines = Some(baselines::to_json(baselines));
            self.lines.extend(baselines::to_text(baselines, Some(("this model", &analysis.evaluation, parameters))));
        }
        self
    }
}

/// The figures of a training: what `metrics.json` holds.
#[derive(Clone, Debug)]
pub struct Figures {
    /// What the model does.
    pub task: Task,
    /// How the kept weights do.
    pub measured: Measured,
    /// All epochs in turn.
    pub history: Vec<EpochFigures>,
    /// The epoch that was kept, from 1.
    pub best_epoch: usize,
    /// Why the training ended.
    pub ending: Ending,
    /// What was learnt from: texts, sequences or windows.
    pub train_examples: usize,
    /// Values in the model.
    pub parameters: usize,
}

impl Figures {
    /// Those of `model`, which is what came out, learnt from so many examples.
    pub fn new(model: &FloatModel, measured: Measured, train_examples: usize, outcome: &Outcome) -> Self {
        Figures {
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

    /// The figures for people.
    pub fn lines(&self) -> Vec<String> {
        let (best, epochs, parameters) = (self.best_epoch, self.history.len(), self.parameters);
        let mut lines = vec![format!("best epoch {best} of {epochs}, {parameters} parameters; on what was held out:")];
        lines.extend_from_slice(&self.measured.lines);
        lines
    }
}

/// What a report shows of a classifier on held-out rows. The keys of `validation` in `metrics.json`.
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

/// Median, longest, and how many there are in each of up to 30 ranges of equal width.
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
