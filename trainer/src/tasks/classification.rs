//! The common parts of the two classification tasks: the analysis of predictions, their figures as text and JSON, and
//! the comparison of two classifiers.

pub mod analysis;
mod calibrate;
pub mod class_figures;
pub mod fold_predictions;
pub mod label_comparison;
mod mcnemar;
mod refusal_figures;
mod teachers;

pub use analysis::Analysis;
pub use calibrate::{Settings, calibrate};
pub use refusal_figures::RefusalFigures;
pub use teachers::{Teachers, describe_teachers};

use crate::baselines::{self, Baseline};
use crate::display::visible;
use crate::report::elements::{count, exact, percent};
use crate::report::{Measurements, SummaryFigure, TaskReport};
use crate::train::{CrossValidation, Sample, Target};
use analysis::{Temperature, wilson};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The figures of a classifier in the report, the most important one first: the JSON pointer in `metrics.json`, the
/// name, and the number format.
pub const SUMMARY_FIGURES: &[SummaryFigure] = &[
    ("/validation/accuracy", "validation accuracy", percent),
    ("/validation/majority_accuracy", "accuracy of the most frequent label", percent),
    ("/validation/macro_f1", "macro F1", exact),
    ("/validation/loss", "validation loss (cross-entropy)", exact),
    ("/validation/calibration/ece", "expected calibration error", exact),
    ("/validation/refusal/in_scope_refused_share", "refused", percent),
    ("/validation/refusal/out_of_scope_refused_share", "refused out of scope", percent),
    ("/validation/refusal/answered_accuracy", "accuracy where answered", percent),
    ("/export/integer_accuracy", "accuracy in integers", percent),
    ("/train_examples", "training rows", count),
    ("/validation/examples", "validation rows", count),
];

/// Statistics of a classifier's training set.
#[derive(Clone, Copy, Debug)]
pub struct TrainingStats<'a> {
    /// The training samples, whose targets are the labels.
    pub samples: &'a [Sample],
    /// The number of tokens or time steps of each sample, for texts before the truncation.
    pub lengths: &'a [usize],
    /// The number of validation examples that are also in the training set.
    pub leaked: usize,
    /// The number of samples that were truncated to the recipe's `max_length` or `batch_tokens`.
    pub truncated: usize,
}

/// Returns the measurements of a classifier. If `analysis` has no predictions, as after an interrupted
/// cross-validation, they have no validation metrics. `cross_validation`: the cross-validation whose predictions
/// `analysis` has; `None` if they are those for the validation split.
pub fn measurements(
    analysis: &Analysis,
    labels: &[String],
    training: TrainingStats<'_>,
    report: Arc<dyn TaskReport>,
    cross_validation: Option<&CrossValidation>,
) -> Measurements {
    // The number of training samples with each label.
    let mut support = Map::new();
    for (label, name) in labels.iter().enumerate() {
        let samples = training.samples.iter().filter(|sample| sample.target == Target::Class(label));
        support.insert(name.clone(), json!(samples.count()));
    }
    let lengths = length_figures(training.lengths);
    let train = json!({ "support": support, "cut": training.truncated, "tokens": lengths });
    let evaluation = &analysis.evaluation;
    if evaluation.examples() == 0 {
        let lines = vec!["no figures, since the cross-validation is incomplete".to_owned()];
        return Measurements { validation: Value::Null, train, baselines: None, lines, report };
    }
    let mut validation = validation(analysis, labels);
    validation["also_in_training"] = json!(training.leaked);
    if let Some(found) = cross_validation {
        validation["folds"] = json!(found.folds);
    }
    let [low, high] = wilson(evaluation.accuracy(), evaluation.examples());
    let mut lines = vec![
        format!(
            "validation accuracy {:.4} ({} of {}), 95 % interval {low:.2} to {high:.2}",
            evaluation.accuracy(),
            evaluation.correct(),
            evaluation.examples(),
        ),
        format!("validation loss {:.4}, macro F1 {:.4}", evaluation.loss(), evaluation.macro_f1()),
        format!("the most frequent label alone: accuracy {:.4}", evaluation.majority_accuracy()),
    ];
    if let Some(Temperature { temperature, uncalibrated_ece, uncalibrated_loss }) = analysis.temperature {
        lines.push(format!(
            "temperature {temperature:.3}: expected calibration error {:.4}, before {uncalibrated_ece:.4}; loss before \
             {uncalibrated_loss:.4}",
            analysis.calibration().ece,
        ));
    }
    lines.extend(analysis.refusal.iter().flat_map(|refusal| refusal.lines(RefusalFigures::NAME_WIDTH)));
    if let Some(found) = cross_validation {
        lines.insert(0, format!("{}-fold cross-validation, by networks not trained on the rows:", found.folds));
    }
    Measurements { validation, train, baselines: None, lines, report }
}

/// Adds the figures of the baselines to the measurements of a model. `analysis` and `parameters`: the predictions and
/// the number of parameters of the model itself.
pub fn add_baselines(measurements: &mut Measurements, baselines: &[Baseline], analysis: &Analysis, parameters: usize) {
    if !baselines.is_empty() && analysis.evaluation.examples() > 0 {
        measurements.baselines = Some(baselines::to_json(baselines));
        measurements.lines.extend(baselines::to_text(baselines, &analysis.evaluation, parameters));
    }
}

/// Returns the answer of a classifier as `tern predict` prints it: the label and its probability, or these in brackets
/// after "refused".
pub fn answer(label: &str, probability: f64, refused: bool) -> String {
    let answer = format!("{} {:.1}%", visible(label), 100.0 * probability);
    if refused { format!("refused ({answer})") } else { answer }
}

/// Returns the object `validation` of `metrics.json` for a classifier.
pub fn validation(analysis: &Analysis, labels: &[String]) -> Value {
    let evaluation = &analysis.evaluation;
    let mut validation = json!({
        "examples": evaluation.examples(),
        "accuracy": evaluation.accuracy(),
        "interval": wilson(evaluation.accuracy(), evaluation.examples()),
        "loss": evaluation.loss(),
        "macro_f1": evaluation.macro_f1(),
        "majority_accuracy": evaluation.majority_accuracy(),
        "per_class": class_figures::per_class(labels, evaluation),
        "confusion": evaluation.confusion(),
        "calibration": analysis.calibration(),
        "by_length": analysis.by_length(),
    });
    if let Some(refusal) = &analysis.refusal {
        validation["refusal"] = json!(refusal);
    }
    validation
}

/// Returns the median and the maximum of `lengths`, and a histogram of at most 30 equally wide ranges, as JSON. Of an
/// even number of lengths, the median is the upper of the two middle ones. Without lengths, both are 0.
fn length_figures(lengths: &[usize]) -> Value {
    let mut sorted = lengths.to_vec();
    sorted.sort_unstable();
    let longest = sorted.last().copied().unwrap_or(0);
    // The lengths from 0 to `longest` are divided into ranges of this many lengths.
    let width = (longest + 1).div_ceil(30);
    let mut counts = vec![0usize; longest / width + 1];
    for length in &sorted {
        counts[length / width] += 1;
    }
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or(0);
    json!({ "median": median, "longest": longest, "range": width, "counts": counts })
}
