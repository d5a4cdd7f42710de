//! The figures that are measured on the validation rows: loss, accuracy, macro F1, perplexity, errors of forecasts.

use super::{Classes, Sample, Target};
use crate::logits::class_logits;
use crate::metrics::{Evaluation, argmax, log_softmax};
use crate::nn::network::Network;
use crate::recipe::Metric;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Largest number of parts into which a text is divided. A language model reads them in parallel, each from its initial
/// state.
const PARTS: usize = 8;
/// Number of tokens whose logits are computed together. Also the smallest number of tokens of a part, except the last.
const CHUNK: usize = 256;

/// The figures of the validation rows. A figure that the task does not have is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Mean loss: cross entropy in nats, or the mean squared error of normalised values.
    #[serde(rename = "valid_loss")]
    pub loss: f64,
    /// Share of labels or tokens that are predicted correctly.
    #[serde(rename = "valid_accuracy", skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Unweighted mean of the F1 scores of the classes that have validation rows.
    #[serde(rename = "valid_macro_f1", skip_serializing_if = "Option::is_none")]
    pub macro_f1: Option<f64>,
    /// Perplexity: exp(loss).
    #[serde(rename = "valid_perplexity", skip_serializing_if = "Option::is_none")]
    pub perplexity: Option<f64>,
    /// Total loss of all tokens in bits, divided by the number of characters.
    #[serde(rename = "valid_bits_per_character", skip_serializing_if = "Option::is_none")]
    pub bits_per_character: Option<f64>,
    /// Share of tokens that are among the five most probable predictions at their place.
    #[serde(rename = "valid_top_5", skip_serializing_if = "Option::is_none")]
    pub top_5: Option<f64>,
    /// Mean absolute error in the units of the data.
    #[serde(rename = "valid_mae", skip_serializing_if = "Option::is_none")]
    pub mae: Option<f64>,
    /// Root mean squared error in the units of the data.
    #[serde(rename = "valid_rmse", skip_serializing_if = "Option::is_none")]
    pub rmse: Option<f64>,
}

impl Validation {
    /// Returns the figures of a classifier.
    pub fn of_classes(evaluation: &Evaluation) -> Self {
        Validation {
            loss: evaluation.loss(),
            accuracy: Some(evaluation.accuracy()),
            macro_f1: Some(evaluation.macro_f1()),
            ..Validation::default()
        }
    }

    /// Returns the figures of a language model from its predictions for a text of `tokens` tokens and `characters`
    /// characters.
    pub fn of_language(guesses: &[Guess], tokens: usize, characters: usize) -> Self {
        let count = guesses.len().max(1) as f64;
        let loss = guesses.iter().map(|guess| guess.loss).sum::<f64>() / count;
        let share_of_top = |k| guesses.iter().filter(|guess| guess.above < k).count() as f64 / count;
        // The first token of each part is not predicted; the mean loss is taken for it.
        let bits = loss / std::f64::consts::LN_2 * tokens as f64 / characters.max(1) as f64;
        Validation {
            loss,
            accuracy: Some(share_of_top(1)),
            perplexity: Some(loss.exp()),
            bits_per_character: Some(bits),
            top_5: Some(share_of_top(5)),
            ..Validation::default()
        }
    }

    /// Returns true if these figures are better than `other` by `metric`. If both have the same value of the metric, or
    /// the task does not have it, the lower loss is better.
    pub fn is_better_than(&self, other: &Validation, metric: Metric) -> bool {
        let value = |figures: &Validation| match metric {
            Metric::Accuracy => figures.accuracy,
            Metric::MacroF1 => figures.macro_f1,
            Metric::Loss => None,
        };
        match (value(self), value(other)) {
            (Some(a), Some(b)) if a != b => a > b,
            _ => self.loss < other.loss,
        }
    }
}

/// Returns the figures of a classifier from its outputs for each sample, `[samples][outputs]`. The loss has no label
/// smoothing and no class weights.
pub(super) fn classes(outputs: &[Vec<f32>], samples: &[Sample], classes: &Classes) -> Validation {
    let mut evaluation = Evaluation::new(classes.weights.len());
    for (sample, outputs) in samples.iter().zip(outputs) {
        let Target::Class(label) = sample.target else { continue };
        let logits = class_logits(outputs);
        let log_probabilities = log_softmax(logits.iter().map(|&logit| f64::from(logit)));
        evaluation.add(label, argmax(&logits), -log_probabilities[label]);
    }
    Validation::of_classes(&evaluation)
}

/// Returns the figures of a forecast from its normalised outputs for each sample, `[samples][outputs]`. Missing targets
/// do not count. `scale`: the standard deviation of each output in the units of the data, `[outputs]`.
pub(super) fn values(outputs: &[Vec<f32>], samples: &[Sample], scale: &[f32]) -> Validation {
    // The sums of the squared normalised errors, the absolute errors and the squared errors; the number of errors.
    let (mut normalised_squared, mut absolute, mut squared, mut count) = (0.0, 0.0, 0.0, 0usize);
    for (sample, outputs) in samples.iter().zip(outputs) {
        let Target::Values(targets) = &sample.target else { continue };
        for ((&output, &target), &scale) in outputs.iter().zip(targets).zip(scale) {
            if !target.is_nan() {
                let normalised_error = f64::from(output) - f64::from(target);
                let error = normalised_error * f64::from(scale);
                normalised_squared += normalised_error * normalised_error;
                absolute += error.abs();
                squared += error * error;
                count += 1;
            }
        }
    }
    let count = count.max(1) as f64;
    Validation {
        loss: normalised_squared / count,
        mae: Some(absolute / count),
        rmse: Some((squared / count).sqrt()),
        ..Validation::default()
    }
}

/// A language model's prediction of one token of a text, compared with that token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guess {
    /// The index of the token in the text.
    pub place: usize,
    /// The negative logarithm of the token's predicted probability, in nats.
    pub loss: f64,
    /// Number of tokens of the vocabulary with a higher predicted probability; 0 if the token is the most probable one.
    pub above: usize,
}

impl Guess {
    /// Compares the token at `place` in a text with the `logits` that the model computes from the tokens before it.
    /// `id`: the id of the token.
    pub fn new(place: usize, logits: &[f32], id: u32) -> Self {
        // The negative log-softmax. The maximum is subtracted so that the exponentials do not overflow.
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|&logit| f64::from((logit - max).exp())).sum();
        let logit = logits[id as usize];
        let loss = sum.ln() + f64::from(max) - f64::from(logit);
        Guess { place, loss, above: logits.iter().filter(|other| **other > logit).count() }
    }
}

/// Predicts the tokens of a text with a language model. Each of the [`language_parts`] is read from the initial state,
/// and its first token is not predicted. The result does not depend on the number of threads.
pub fn guesses(network: &Network, ids: &[u32]) -> Vec<Guess> {
    guesses_with(ids, |start, ids| read_part(network, start, ids))
}

/// Predicts the tokens of a text as [`guesses`] does, with any model. `read` predicts the tokens of one part; its
/// arguments are the index of the part's first token and the part's tokens.
pub fn guesses_with(ids: &[u32], read: impl Fn(usize, &[u32]) -> Vec<Guess> + Sync + Send) -> Vec<Guess> {
    let parts: Vec<Vec<Guess>> = language_parts(ids).into_par_iter().map(|(start, ids)| read(start, ids)).collect();
    parts.concat()
}

/// Divides a text into the consecutive parts on which a language model is measured: at most eight, of 256 tokens or
/// more except the last. Returns the index of the first token and the tokens of each part.
pub fn language_parts(ids: &[u32]) -> Vec<(usize, &[u32])> {
    let len = part_len(ids.len());
    ids.chunks(len).enumerate().map(|(part, ids)| (part * len, ids)).collect()
}

/// Returns the index of the first token of the part that holds the token at `place`, in a text of `tokens` tokens.
pub fn part_of(place: usize, tokens: usize) -> usize {
    let part_len = part_len(tokens);
    // The division drops the remainder.
    place / part_len * part_len
}

/// Returns the number of tokens of each part, except the last, of a text of `tokens` tokens.
fn part_len(tokens: usize) -> usize {
    tokens.div_ceil(PARTS).max(CHUNK)
}

/// Predicts the tokens of one part of a text, except the first, from the initial state. `start`: the index of the
/// part's first token in the text.
fn read_part(network: &Network, start: usize, ids: &[u32]) -> Vec<Guess> {
    let mut guesses = Vec::with_capacity(ids.len());
    let mut state = network.initial_state(1);
    // The target after each token is the next one, so the last token has none.
    let (inputs, targets) = (&ids[..ids.len() - 1], &ids[1..]);
    for (inputs, targets) in inputs.chunks(CHUNK).zip(targets.chunks(CHUNK)) {
        let mut states = Vec::new();
        for &id in inputs {
            states.extend_from_slice(network.step(&mut state, &[id]));
        }
        let outputs = network.outputs_of_states(&states);
        let vocab_size = outputs.len() / targets.len();
        for (logits, &target) in outputs.chunks_exact(vocab_size).zip(targets) {
            guesses.push(Guess::new(start + guesses.len() + 1, logits, target));
        }
    }
    guesses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::{Head, Recurrent};
    use crate::float_model::tests::model_with;

    #[test]
    fn each_metric_chooses_the_better_figures() {
        let of = |loss, accuracy, macro_f1| Validation { loss, accuracy, macro_f1, ..Validation::default() };
        let [accuracy, macro_f1, loss] = [Metric::Accuracy, Metric::MacroF1, Metric::Loss];
        assert!(of(2.0, Some(0.9), Some(0.1)).is_better_than(&of(1.0, Some(0.8), Some(0.9)), accuracy));
        assert!(of(1.0, Some(0.9), Some(0.1)).is_better_than(&of(2.0, Some(0.9), Some(0.9)), accuracy));
        assert!(of(2.0, Some(0.8), Some(0.9)).is_better_than(&of(1.0, Some(0.9), Some(0.1)), macro_f1));
        assert!(of(1.0, Some(0.1), None).is_better_than(&of(2.0, Some(0.2), None), loss));
        assert!(!of(f64::NAN, None, None).is_better_than(&of(2.0, None, None), loss));
    }

    #[test]
    fn guesses_are_those_of_the_whole_sequence() {
        let model = model_with(Recurrent::default(), Head { hidden: 0, outputs: 11 });
        let network = model.network();
        let ids: Vec<u32> = (0..700).map(|index| index * index % 11).collect();
        let figures = Validation::of_language(&guesses(network, &ids), ids.len(), 1400);
        let (mut loss, mut count) = (0.0, 0);
        for part in ids.chunks(256) {
            for (logits, &next) in network.logits_after_each(&part[..part.len() - 1]).iter().zip(&part[1..]) {
                loss -= log_softmax(logits.iter().map(|&z| f64::from(z)))[next as usize];
                count += 1;
            }
        }
        assert_eq!(count, 697);
        let mean = loss / f64::from(count);
        assert!((figures.loss - mean).abs() < 1e-5, "{figures:?} {mean}");
        assert!((figures.bits_per_character.unwrap() - mean / 2f64.ln() / 2.0).abs() < 1e-5);
        assert!((figures.perplexity.unwrap() - mean.exp()).abs() < 1e-3);
        let (first, top_5) = (figures.accuracy.unwrap(), figures.top_5.unwrap());
        assert!(first < top_5 && top_5 < 1.0);
    }

    #[test]
    fn errors_are_in_the_numbers_units() {
        let sample = |targets: &[f32]| {
            let steps = crate::train::Steps::Values { values: vec![0.0], channels: 1 };
            Sample::new(steps, Target::Values(targets.to_vec()))
        };
        let samples = [sample(&[1.0, f32::NAN]), sample(&[0.0, 2.0])];
        let figures = values(&[vec![0.0, 9.0], vec![0.0, 1.0]], &samples, &[10.0, 100.0]);
        assert!((figures.loss - 2.0 / 3.0).abs() < 1e-9);
        assert!((figures.mae.unwrap() - 110.0 / 3.0).abs() < 1e-9);
        assert!((figures.rmse.unwrap() - (10_100.0f64 / 3.0).sqrt()).abs() < 1e-9);
    }
}
