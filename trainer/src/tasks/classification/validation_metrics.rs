//! The validation metrics of a classifier, as `metrics.json` stores them.

use super::Analysis;
use super::analysis::wilson;
use crate::baselines::{self, Baseline};
use crate::report::{Measurements, TaskReport};
use crate::train::CrossValidation;
use serde_json::{Map, Value, json};
use std::sync::Arc;

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

/// The measurements of a classifier.
pub fn measurements(
    analysis: &Analysis,
    labels: &[String],
    training: TrainingStats<'_>,
    report: Arc<dyn TaskReport>,
    cross_validation: Option<&CrossValidation>,
) -> Measurements {
    let mut validation = validation(analysis, labels);
    validation["also_in_training"] = json!(training.leaked);
    if let Some(found) = cross_validation {
        validation["folds"] = json!(found.folds);
    }
    let count = |label| training.labels.iter().filter(|of| **of == label).count();
    let support: Map<String, Value> =
        labels.iter().enumerate().map(|(label, name)| (name.clone(), json!(count(label)))).collect();
    let evaluation = &analysis.evaluation;
    let [least, most] = wilson(evaluation.correct(), evaluation.examples());
    let mut lines = vec![
        format!(
            "validation accuracy {:.4} ({} of {}), 95 % interval {least:.2} to {most:.2}",
            evaluation.accuracy(),
            evaluation.correct(),
            evaluation.examples(),
        ),
        format!("validation loss {:.4}, macro F1 {:.4}", evaluation.loss(), evaluation.macro_f1()),
        format!("the most frequent label alone: accuracy {:.4}", evaluation.majority_accuracy()),
    ];
    if let Some(found) = cross_validation {
        lines.insert(0, format!("{}-fold cross-validation, by networks not trained on the rows:", found.folds));
    }
    let train = json!({ "support": support, "cut": training.cut, "tokens": lengths(training.lengths) });
    Measurements { validation, train, baselines: None, lines, report }
}

/// Adds simpler models to compare with. `analysis` and `parameters` are those of this model.
pub fn add_baselines(measurements: &mut Measurements, baselines: &[Baseline], analysis: &Analysis, parameters: usize) {
    if !baselines.is_empty() {
        measurements.baselines = Some(baselines::to_json(baselines));
        measurements
            .lines
            .extend(baselines::to_text(baselines, Some(("this model", &analysis.evaluation, parameters))));
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
