//! Baselines for text classifiers: simpler models, trained on the same rows, for comparison with the network.
//!
//! `ngrams` is a linear support vector machine on tf-idf of n-grams; `bag` is a linear layer on the mean of a text's
//! embedded tokens, with the network's vocabulary. Both give the same figures with any number of threads.

mod bag;
mod features;
mod ngrams;
mod rows;

pub use rows::Baseline;

use rows::Rows;

use crate::data::sample_indices;
use crate::metrics::Evaluation;
use crate::progress::Stage;
use crate::recipe::Metric;
use crate::train::Prepared;
use serde_json::{Map, Value, json};

#[cfg(test)]
mod tests;

/// The largest number of training rows of a baseline. Larger training sets are sampled, which bounds time and memory.
const MAX_ROWS: usize = 200_000;

/// Trains the baselines on the training rows and evaluates them on the validation rows, in the threads of the current
/// pool. Returns the linear model and the bag of embeddings. `metric` chooses the best epoch of the bag of embeddings,
/// as it does for the network.
pub fn measure(data: &Prepared, metric: Metric, seed: u64) -> Vec<Baseline> {
    let _stage = Stage::new("training the baselines");
    let sampled = sample_indices(&data.train, data.labels.len(), MAX_ROWS, seed);
    let rows = Rows {
        train: sampled.into_iter().map(|row| &data.train[row]).collect(),
        valid: data.valid.iter().collect(),
        vocabulary: &data.vocabulary,
        labels: data.labels.len(),
    };
    let (mut linear, mut bag) = rayon::join(|| ngrams::measure(&rows, seed), || bag::measure(&rows, metric, seed));
    if rows.train.len() < data.train.len() {
        for baseline in [&mut linear, &mut bag] {
            baseline.title += &format!(", on {} of the rows", rows.train.len());
        }
    }
    vec![linear, bag]
}

/// Adds the evaluations of `other_fold`, the same baselines on another fold of a cross-validation, to those of
/// `baselines`. The titles and the numbers of parameters stay those of `baselines`.
pub fn pooled(mut baselines: Vec<Baseline>, other_fold: Vec<Baseline>) -> Vec<Baseline> {
    baselines.iter_mut().zip(&other_fold).for_each(|(baseline, other)| baseline.evaluation.merge(&other.evaluation));
    baselines
}

/// Returns the value of `baselines` in `metrics.json`.
pub fn to_json(baselines: &[Baseline]) -> Value {
    let figures = |baseline: &Baseline| {
        json!({
            "accuracy": baseline.evaluation.accuracy(),
            "macro_f1": baseline.evaluation.macro_f1(),
            "parameters": baseline.parameters,
            "about": baseline.title,
        })
    };
    baselines.iter().map(|baseline| (baseline.name.to_owned(), figures(baseline))).collect::<Map<_, _>>().into()
}

/// Returns the lines of a table that compares the most frequent label, the baselines and the model by accuracy, macro
/// F1 and number of parameters; no lines without baselines.
pub fn to_text(baselines: &[Baseline], model: &Evaluation, model_parameters: usize) -> Vec<String> {
    if baselines.is_empty() {
        return Vec::new();
    }
    // Title, accuracy, and macro F1 with the number of parameters, which the most frequent label does not have.
    let mut rows = vec![("always the most frequent label", model.majority_accuracy(), None)];
    let simpler = baselines.iter().map(|baseline| (baseline.title.as_str(), &baseline.evaluation, baseline.parameters));
    for (title, evaluation, parameters) in simpler.chain([("this model", model, model_parameters)]) {
        rows.push((title, evaluation.accuracy(), Some((evaluation.macro_f1(), parameters))));
    }
    let width = rows.iter().map(|(title, ..)| title.chars().count()).max().unwrap_or(0);
    let mut lines = vec![format!("{:width$}  accuracy  macro F1  parameters", "on the validation rows")];
    lines.extend(rows.into_iter().map(|(title, accuracy, f1_and_parameters)| match f1_and_parameters {
        Some((macro_f1, parameters)) => format!("{title:width$}  {accuracy:>8.4}  {macro_f1:>8.4}  {parameters:>10}"),
        None => format!("{title:width$}  {accuracy:>8.4}"),
    }));
    lines
}
