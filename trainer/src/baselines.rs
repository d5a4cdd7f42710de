//! What recurrence buys: models that do not see the order of words beyond two of them, trained on the same rows.
//!
//! A recurrent network earns its cost only above these. They are meant to be strong: `ngrams` is a linear support
//! vector machine on tf-idf of n-grams, `bag` the mean of embeddings before a linear layer, with the model's own
//! vocabulary. Both take seconds, and the same rows give the same figures with any number of threads.

mod bag;
mod features;
mod ngrams;
mod svm;

use crate::metrics::Evaluation;
use crate::train::Prepared;
use serde_json::{Map, Value, json};

#[cfg(test)]
mod tests;

/// A simpler model and how it did on the held-out rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// Its key in `metrics.json`.
    pub name: &'static str,
    /// For people: what it is.
    pub title: String,
    /// How it did.
    pub evaluation: Evaluation,
    /// Its numbers.
    pub parameters: usize,
}

/// Trains the baselines on the rows to learn from and measures them on the held-out ones, on the threads of the current
/// pool.
pub fn measure(data: &Prepared, seed: u64) -> Vec<Baseline> {
    let (linear, bag) = rayon::join(|| ngrams::measure(data, seed), || bag::measure(data, seed));
    vec![linear, bag]
}

/// The value of `baselines` in `metrics.json`.
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

/// A table for people: the baselines, and the `model` where there is one already.
pub fn to_text(baselines: &[Baseline], model: Option<(&str, &Evaluation, usize)>) -> Vec<String> {
    let Some(first) = baselines.first() else { return Vec::new() };
    let evaluation = model.map_or(&first.evaluation, |(_, evaluation, _)| evaluation);
    let mut rows = vec![(String::from("always the most frequent label"), evaluation.majority_accuracy(), None)];
    let figures = |evaluation: &Evaluation, parameters| Some((evaluation.macro_f1(), parameters));
    rows.extend(baselines.iter().map(|baseline| {
        let Baseline { title, evaluation, parameters, .. } = baseline;
        (title.clone(), evaluation.accuracy(), figures(evaluation, *parameters))
    }));
    rows.extend(model.map(|(title, evaluation, parameters)| {
        (title.to_owned(), evaluation.accuracy(), figures(evaluation, parameters))
    }));
    let width = rows.iter().map(|(title, ..)| title.chars().count()).max().unwrap_or(0);
    let mut lines = vec![format!("{:width$}  accuracy  macro F1  parameters", "on the held-out rows")];
    lines.extend(rows.into_iter().map(|(title, accuracy, more)| match more {
        Some((macro_f1, parameters)) => format!("{title:width$}  {accuracy:>8.4}  {macro_f1:>8.4}  {parameters:>10}"),
        None => format!("{title:width$}  {accuracy:>8.4}"),
    }));
    lines
}
