//! Analyses a classifier's predictions on labelled examples: metrics, calibration, and accuracy by length.

use super::refusal_figures::RefusalFigures;
use crate::data::Example;
use crate::float_model::Config;
use crate::logits::{Logits, class_logits};
use crate::metrics::{Evaluation, log_softmax};
use crate::model::{Model, Prediction};
use crate::train::{Sample, Target};
use rayon::prelude::*;
use serde::Serialize;

/// Largest number of wrong predictions that a report lists.
pub const MAX_MISTAKES: usize = 25;
/// The number of equally wide ranges of probability in the calibration.
const BINS: usize = 10;
/// The maximum number of ranges of length.
const MAX_LENGTH_BINS: usize = 6;
/// The minimum number of examples in a range of length, unless there are fewer examples in all.
const MIN_EXAMPLES: usize = 5;
/// The 0.975 quantile of the standard normal distribution: 95 % of the distribution are between −Z and Z.
pub const Z: f64 = 1.959_963_984_540_054;

/// The prediction for one example.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictedExample {
    /// The index of the true label.
    pub label: usize,
    /// The index of the predicted label.
    pub predicted: usize,
    /// The probability of the predicted label, 0 to 1.
    pub probability: f64,
    /// The number of tokens of the text, or of time steps of the sequence.
    pub tokens: usize,
    /// True if the model refuses to answer.
    pub refused: bool,
}

impl PredictedExample {
    /// Returns true if the predicted label is the true one.
    fn is_correct(&self) -> bool {
        self.label == self.predicted
    }
}

/// The predictions of a classifier for labelled examples, with their metrics.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// The metrics.
    pub evaluation: Evaluation,
    /// The prediction for each example, in the order of the examples.
    pub predictions: Vec<PredictedExample>,
    /// The temperature of the model and the figures without it; `None` if the model has no temperature.
    pub temperature: Option<Temperature>,
    /// The figures of refusal; `None` for a model that always answers.
    pub refusal: Option<RefusalFigures>,
}

/// The temperature by which a model's logits were divided, and the figures of the logits before the division.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Temperature {
    /// The temperature.
    pub temperature: f64,
    /// Expected calibration error without the temperature.
    pub uncalibrated_ece: f64,
    /// Mean loss without the temperature.
    pub uncalibrated_loss: f64,
}

/// Accuracy by predicted probability ("On Calibration of Modern Neural Networks", Guo et al. 2017).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// Expected calibration error: the mean over all examples of |accuracy - confidence| of the example's range of
    /// probability.
    pub ece: f64,
    /// The ranges of probability with at least one example.
    pub bins: Vec<ConfidenceBin>,
    /// The temperature of the model, if it has one.
    #[serde(flatten)]
    pub temperature: Option<Temperature>,
}

/// The examples whose predicted label has a probability p with `from < p <= to`; in the first range, p can also be 0.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConfidenceBin {
    /// Lower end.
    pub from: f64,
    /// Upper end.
    pub to: f64,
    /// The number of examples.
    pub examples: usize,
    /// The mean probability of the predicted labels.
    pub confidence: f64,
    /// The share of correct predictions.
    pub accuracy: f64,
}

/// The examples with `from` to `to` tokens or time steps, both included.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LengthBin {
    /// The minimum number of tokens.
    pub from: usize,
    /// The maximum number of tokens.
    pub to: usize,
    /// The number of examples.
    pub examples: usize,
    /// The share of correct predictions.
    pub accuracy: f64,
    /// The 95 % confidence interval of the accuracy (Wilson).
    pub interval: [f64; 2],
}

impl Analysis {
    /// Runs `model` on `examples`, in all threads of the current pool. The result does not depend on the number of
    /// threads.
    pub fn new(model: &dyn Model, examples: &[Example]) -> Self {
        let predict = |example: &Example| {
            let Prediction { logits, tokens, .. } = model.classify(&example.text);
            (example.label, logits, tokens)
        };
        let predictions: Vec<_> = examples.par_iter().map(predict).collect();
        Analysis::of(model.config(), predictions.into_iter())
    }

    /// Analyses the outputs of a model with the configuration `config`. `outputs`: the true label of each example, its
    /// logits, and its number of tokens or time steps.
    pub fn of(config: &Config, outputs: impl Iterator<Item = (usize, Logits, usize)>) -> Self {
        let mut evaluation = Evaluation::new(config.labels.len());
        let mut predictions = Vec::new();
        // The probability and the correctness of each prediction without the temperature, and their total loss.
        let (mut uncalibrated, mut uncalibrated_loss) = (Vec::new(), 0.0);
        for (label, logits, tokens) in outputs {
            let (logs, predicted) = (logits.log_probabilities(), logits.label());
            evaluation.add(label, predicted, -logs[label]);
            if let Some(temperature) = config.temperature {
                // The logits have been divided by the temperature; the multiplication undoes that.
                let logs = log_softmax(logits.nats().into_iter().map(|logit| logit * temperature));
                uncalibrated.push((logs[predicted].exp().min(1.0), label == predicted));
                uncalibrated_loss -= logs[label];
            }
            // Rounding can make the probability slightly larger than 1.
            let (probability, refused) = (logs[predicted].exp().min(1.0), config.refuses(&logits));
            predictions.push(PredictedExample { label, predicted, probability, tokens, refused });
        }
        let temperature = config.temperature.map(|temperature| {
            let (uncalibrated_ece, _) = confidence_bins(uncalibrated.iter().copied());
            let mean_loss = uncalibrated_loss / predictions.len().max(1) as f64;
            Temperature { temperature, uncalibrated_ece, uncalibrated_loss: mean_loss }
        });
        let rows = predictions.iter().map(|example| (example.label, example.predicted, example.refused));
        let refusal = RefusalFigures::new(config, rows);
        Analysis { evaluation, predictions, temperature, refusal }
    }

    /// Analyses the predictions of a cross-validation for its `samples`. `outputs`: the outputs for each sample of the
    /// network that was not trained on it, `[samples][outputs]`.
    pub fn of_outputs(config: &Config, samples: &[Sample], outputs: &[Vec<f32>]) -> Self {
        let labelled = |(sample, outputs): (&Sample, &Vec<f32>)| match sample.target {
            Target::Class(label) => Some((label, Logits::Float(class_logits(outputs)), sample.steps.len())),
            // The target of a classifier's sample is always a class.
            _ => None,
        };
        Analysis::of(config, samples.iter().zip(outputs).filter_map(labelled))
    }

    /// Returns the wrong predictions with the indices of their examples, the most confident first.
    pub fn wrong(&self) -> Vec<(usize, &PredictedExample)> {
        let examples = self.predictions.iter().enumerate();
        let mut wrong: Vec<_> = examples.filter(|(_, prediction)| !prediction.is_correct()).collect();
        wrong.sort_by(|(_, a), (_, b)| b.probability.total_cmp(&a.probability));
        wrong
    }

    /// Returns the accuracy by predicted probability.
    pub fn calibration(&self) -> Calibration {
        let predictions = self.predictions.iter().map(|prediction| (prediction.probability, prediction.is_correct()));
        let (ece, bins) = confidence_bins(predictions);
        Calibration { ece, bins, temperature: self.temperature }
    }

    /// Returns the accuracy by number of tokens or time steps, in at most six ranges with about the same number of
    /// examples, from the shortest to the longest.
    pub fn by_length(&self) -> Vec<LengthBin> {
        // The number of tokens of each example, and true if its prediction is correct.
        let predictions = self.predictions.iter().map(|prediction| (prediction.tokens, prediction.is_correct()));
        let mut predictions: Vec<(usize, bool)> = predictions.collect();
        predictions.sort_unstable();
        let target_size = predictions.len().div_ceil(MAX_LENGTH_BINS).max(MIN_EXAMPLES);
        let mut bins = Vec::new();
        let mut remaining = predictions.as_slice();
        while !remaining.is_empty() {
            let count = remaining.len();
            // Examples of the same length stay together, and a remainder that is too small joins the range before it.
            let mut end = target_size.min(count);
            while end < count && (remaining[end].0 == remaining[end - 1].0 || count - end < MIN_EXAMPLES) {
                end += 1;
            }
            let (bin, longer) = remaining.split_at(end);
            let correct = bin.iter().filter(|(_, is_correct)| *is_correct).count();
            let accuracy = correct as f64 / end as f64;
            bins.push(LengthBin {
                from: bin[0].0,
                to: bin[end - 1].0,
                examples: end,
                accuracy,
                interval: wilson(accuracy, end),
            });
            remaining = longer;
        }
        bins
    }
}

/// Returns the expected calibration error and the ranges of probability with at least one example. `predictions`: the
/// probability of each prediction, and true if it is correct.
fn confidence_bins(predictions: impl ExactSizeIterator<Item = (f64, bool)>) -> (f64, Vec<ConfidenceBin>) {
    let total = predictions.len().max(1) as f64;
    let boundary = |bin: usize| bin as f64 / BINS as f64;
    let empty = |bin| {
        let (from, to) = (boundary(bin), boundary(bin + 1));
        ConfidenceBin { from, to, examples: 0, confidence: 0.0, accuracy: 0.0 }
    };
    let mut bins: Vec<ConfidenceBin> = (0..BINS).map(empty).collect();
    for (probability, is_correct) in predictions {
        // A range includes its upper end. A probability of 0 is in the first range.
        let bin_from_1 = ((probability * BINS as f64).ceil() as usize).clamp(1, BINS);
        let bin = &mut bins[bin_from_1 - 1];
        // These are sums until they are divided by the number of examples below.
        bin.examples += 1;
        bin.confidence += probability;
        bin.accuracy += f64::from(u8::from(is_correct));
    }
    bins.retain(|bin| bin.examples > 0);
    for bin in &mut bins {
        bin.confidence /= bin.examples as f64;
        bin.accuracy /= bin.examples as f64;
    }
    let ece = bins.iter().map(|bin| bin.examples as f64 / total * (bin.accuracy - bin.confidence).abs()).sum();
    (ece, bins)
}

/// Returns the ends of the 95 % confidence interval of an accuracy that was measured on `examples` examples (Wilson's
/// score interval, 1927).
pub fn wilson(accuracy: f64, examples: usize) -> [f64; 2] {
    if examples == 0 {
        return [0.0, 1.0];
    }
    let (n, p) = (examples as f64, accuracy);
    let middle = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    [((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An analysis of predictions, given by label, predicted label, probability and number of tokens.
    fn analysis(predictions: &[(usize, usize, f64, usize)]) -> Analysis {
        let mut evaluation = Evaluation::new(2);
        let predictions: Vec<PredictedExample> = predictions
            .iter()
            .map(|&(label, predicted, probability, tokens)| PredictedExample {
                label,
                predicted,
                probability,
                tokens,
                refused: false,
            })
            .collect();
        predictions.iter().for_each(|prediction| evaluation.add(prediction.label, prediction.predicted, 0.0));
        Analysis { evaluation, predictions, temperature: None, refusal: None }
    }

    #[test]
    fn the_calibration_of_four_predictions_is_the_one_by_hand() {
        // Range 0.9..1: mean confidence 0.95, accuracy 0.5. Range 0.6..0.7: 0.65 and 1.
        let calibration = analysis(&[(0, 0, 0.92, 1), (0, 1, 0.98, 1), (1, 1, 0.62, 1), (1, 1, 0.68, 1)]).calibration();
        assert_eq!(calibration.bins.iter().map(|bin| bin.examples).collect::<Vec<_>>(), [2, 2]);
        assert!((calibration.ece - (0.5 * 0.35 + 0.5 * 0.45)).abs() < 1e-12, "{calibration:?}");
        // A range includes its upper end and not its lower end.
        let calibration = analysis(&[(0, 0, 1.0, 1), (0, 0, 0.9, 1), (0, 0, 0.0, 1)]).calibration();
        let ends: Vec<f64> = calibration.bins.iter().map(|bin| bin.to).collect();
        assert_eq!(ends, [0.1, 0.9, 1.0]);
        assert_eq!(analysis(&[]).calibration(), Calibration { ece: 0.0, bins: vec![], temperature: None });
    }

    #[test]
    fn each_example_is_in_one_range_of_length() {
        for lengths in [vec![], vec![3], vec![7; 100], (0..100).collect::<Vec<_>>(), (0..13).map(|n| n * n).collect()] {
            let bins = analysis(&lengths.iter().map(|&n| (0, n % 2, 0.9, n)).collect::<Vec<_>>()).by_length();
            assert_eq!(bins.iter().map(|bin| bin.examples).sum::<usize>(), lengths.len());
            assert!(bins.len() <= MAX_LENGTH_BINS && bins.windows(2).all(|pair| pair[0].to < pair[1].from), "{bins:?}");
            let right: f64 = bins.iter().map(|bin| bin.accuracy * bin.examples as f64).sum();
            assert!((right - lengths.iter().filter(|n| *n % 2 == 0).count() as f64).abs() < 1e-9);
        }
    }

    #[test]
    fn wilsons_interval_is_that_of_statsmodels() {
        // statsmodels.stats.proportion.proportion_confint(k, n, method="wilson")
        for ((right, examples), expected) in [
            ((8, 10), [0.490_162_471_536_641_8, 0.943_317_848_545_624_7]),
            ((490, 494), [0.979_367_603_640_744, 0.996_846_794_314_893_2]),
            ((0, 5), [0.0, 0.434_482_464_783_174_87]),
        ] {
            let found = wilson(f64::from(right) / examples as f64, examples);
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-9, "{right} of {examples}: {found}, expected {expected}");
            }
        }
    }
}
