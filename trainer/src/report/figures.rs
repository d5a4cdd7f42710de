//! The figures of a training.

use super::analysis::{Analysis, wilson};
use crate::baselines::{self, Baseline};
use crate::classifier::Classifier;
use crate::data::Example;
use crate::float_model::FloatModel;
use crate::train::{Ending, EpochFigures, Outcome};
use serde_json::{Map, Value, json};

/// The figures of a training: what `metrics.json` holds.
#[derive(Clone, Debug)]
pub struct Figures {
    /// How the kept weights do on the held-out rows.
    pub validation: Analysis,
    /// The labels, in the order of the evaluation's classes.
    pub labels: Vec<String>,
    /// All epochs in turn.
    pub history: Vec<EpochFigures>,
    /// The epoch that was kept, from 1.
    pub best_epoch: usize,
    /// Why the training ended.
    pub ending: Ending,
    /// Number of examples learnt from, by class.
    pub train_support: Vec<usize>,
    /// Number of tokens of each example learnt from.
    pub lengths: Vec<usize>,
    /// Validation texts that were learnt from as well.
    pub leaked: usize,
    /// Training texts that were cut.
    pub cut: usize,
    /// Values in the model.
    pub parameters: usize,
    /// Simpler models on the same rows. Empty where none was trained.
    pub baselines: Vec<Baseline>,
}

impl Figures {
    /// Evaluates `model` on its held-out rows and gathers the rest.
    pub fn new(model: &FloatModel, train: &[Example], leaked: usize, outcome: &Outcome) -> Self {
        let validation = Analysis::new(model, model.validation());
        let mut train_support = vec![0; model.labels().len()];
        for example in train {
            train_support[example.label] += 1;
        }
        Figures {
            validation,
            labels: Classifier::labels(model).to_vec(),
            history: outcome.history.clone(),
            best_epoch: outcome.best_epoch,
            ending: outcome.ending,
            train_support,
            lengths: train.iter().map(|example| model.vocabulary().encode(&example.text).len()).collect(),
            leaked,
            cut: outcome.cut,
            parameters: model.weights().count(),
            baselines: Vec::new(),
        }
    }

    /// The content of `metrics.json`.
    pub fn to_json(&self) -> Value {
        let mut validation = validation(&self.validation, &self.labels);
        validation["also_in_training"] = json!(self.leaked);
        let support: Map<String, Value> =
            self.labels.iter().cloned().zip(self.train_support.iter().map(|&count| json!(count))).collect();
        let mut figures = json!({
            "best_epoch": self.best_epoch,
            "epochs": self.history.len(),
            "ending": self.ending,
            "train_examples": self.lengths.len(),
            "parameters": self.parameters,
            "validation": validation,
            "train": { "support": support, "cut": self.cut, "tokens": lengths(&self.lengths) },
            "history": self.history,
        });
        if !self.baselines.is_empty() {
            figures["baselines"] = baselines::to_json(&self.baselines);
        }
        figures
    }

    /// The figures in two lines.
    pub fn summary(&self) -> [String; 2] {
        let validation = &self.validation.evaluation;
        [
            format!(
                "best epoch {}: validation accuracy {:.4} ({} of {}), always the most frequent label: {:.4}",
                self.best_epoch,
                validation.accuracy(),
                validation.correct(),
                validation.examples(),
                validation.majority_accuracy()
            ),
            format!(
                "validation loss {:.4}, macro F1 {:.4}, {} parameters",
                validation.loss(),
                validation.macro_f1(),
                self.parameters
            ),
        ]
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
