//! Baselines for text classifiers: simpler models, trained on the same rows, for comparison with the network.
//!
//! `ngrams` is a linear support vector machine on n-grams that are weighted by tf-idf (their frequency in the text and
//! their rarity in the training texts); `bag` is a linear layer on the mean of a text's embedded tokens, with the
//! network's vocabulary. Both give the same figures with any number of threads.

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
    for (baseline, other) in baselines.iter_mut().zip(&other_fold) {
        baseline.evaluation.merge(&other.evaluation);
    }
    baselines
}

/// Returns the value of the key `baselines` in `metrics.json`: an object with the figures of each baseline by its name.
pub fn to_json(baselines: &[Baseline]) -> Value {
    let mut object = Map::new();
    for baseline in baselines {
        let figures = json!({
            "accuracy": baseline.evaluation.accuracy(),
            "macro_f1": baseline.evaluation.macro_f1(),
            "parameters": baseline.parameters,
            "about": baseline.title,
        });
        object.insert(baseline.name.to_owned(), figures);
    }
    object.into()
}

/// Returns the lines of a table that compares the most frequent label, the baselines and the model by accuracy, macro
/// F1 and number of parameters; no lines without baselines.
pub fn to_text(baselines: &[Baseline], model: &Evaluation, model_parameters: usize) -> Vec<String> {
    if baselines.is_empty() {
        return Vec::new();
    }
    const MOST_FREQUENT: &str = "always the most frequent label";
    let mut models: Vec<(&str, &Evaluation, usize)> = Vec::new();
    for baseline in baselines {
        models.push((&baseline.title, &baseline.evaluation, baseline.parameters));
    }
    models.push(("this model", model, model_parameters));
    let widest_title = models.iter().map(|(title, ..)| title.chars().count()).max().unwrap_or(0);
    let width = widest_title.max(MOST_FREQUENT.len());
    let mut lines = vec![
        format!("{:width$}  accuracy  macro F1  parameters", "on the validation rows"),
        format!("{MOST_FREQUENT:width$}  {:>8.4}", model.majority_accuracy()),
    ];
    for (title, evaluation, parameters) in models {
        let (accuracy, macro_f1) = (evaluation.accuracy(), evaluation.macro_f1());
        lines.push(format!("{title:width$}  {accuracy:>8.4}  {macro_f1:>8.4}  {parameters:>10}"));
    }
    lines
}
