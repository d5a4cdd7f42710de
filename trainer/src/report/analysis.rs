//! How a classifier does on labelled texts, beyond counting: is it as sure as it is right, and does length matter?

use crate::classifier::{Classifier, Logits, Prediction};
use crate::data::Example;
use crate::metrics::Evaluation;
use rayon::prelude::*;
use serde::Serialize;

/// Ranges of confidence in the reliability diagram, equally wide.
const BINS: usize = 10;
/// The most ranges of length.
const LENGTHS: usize = 6;
/// The least examples in a range of length.
const LEAST: usize = 5;

/// What a model said of one example.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Its label.
    pub label: usize,
    /// The label predicted.
    pub predicted: usize,
    /// The probability of that, 0 to 1.
    pub probability: f64,
    /// Number of tokens in the text, or of steps in the sequence.
    pub tokens: usize,
}

/// Answers to examples and what follows from them.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// The counts.
    pub evaluation: Evaluation,
    /// One for each example.
    pub answers: Vec<Answer>,
}

/// How sure the model is, beside how right it is. "On Calibration of Modern Neural Networks", Guo et al. 2017.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// Expected calibration error: the mean over the examples of |accuracy - confidence| of their range.
    pub ece: f64,
    /// The ranges that hold an example.
    pub bins: Vec<ConfidenceBin>,
}

/// Examples whose predicted label has a probability in `from < p <= to`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConfidenceBin {
    /// Lower end.
    pub from: f64,
    /// Upper end.
    pub to: f64,
    /// Number of examples.
    pub examples: usize,
    /// Mean probability of the predicted labels.
    pub confidence: f64,
    /// Share of examples that were predicted right.
    pub accuracy: f64,
}

/// Examples of `from` to `to` tokens, both included.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LengthBin {
    /// The fewest tokens.
    pub from: usize,
    /// The most tokens.
    pub to: usize,
    /// Number of examples.
    pub examples: usize,
    /// Share of examples that were predicted right.
    pub accuracy: f64,
    /// Where the true share lies with 95 % confidence (Wilson).
    pub interval: [f64; 2],
}

impl Analysis {
    /// Runs `model` on `examples`, on all threads of the current pool. The result does not depend on their number.
    pub fn new(model: &dyn Classifier, examples: &[Example]) -> Self {
        let predictions: Vec<Prediction> = examples.par_iter().map(|example| model.classify(&example.text)).collect();
        let answers = examples.iter().zip(predictions).map(|(example, said)| (example.label, said.logits, said.tokens));
        Analysis::of(model.labels().len(), answers)
    }

    /// Of answers that were given: the label of each example, the logits, and the number of tokens or steps.
    pub fn of(labels: usize, answers: impl Iterator<Item = (usize, Logits, usize)>) -> Self {
        let mut evaluation = Evaluation::new(labels);
        let answer = |(label, logits, tokens): (usize, Logits, usize)| {
            let (logs, predicted) = (logits.log_probabilities(), logits.label());
            evaluation.add(label, predicted, -logs[label]);
            Answer { label, predicted, probability: logs[predicted].exp().min(1.0), tokens }
        };
        let answers = answers.map(answer).collect();
        Analysis { evaluation, answers }
    }

    /// The reliability diagram and its error.
    pub fn calibration(&self) -> Calibration {
        let mut sums = [(0usize, 0.0, 0usize); BINS];
        for answer in &self.answers {
            let bin = ((answer.probability * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
            let (examples, confidence, right) = &mut sums[bin];
            *examples += 1;
            *confidence += answer.probability;
            *right += usize::from(answer.label == answer.predicted);
        }
        let bins: Vec<ConfidenceBin> = sums
            .into_iter()
            .enumerate()
            .filter(|(_, (examples, ..))| *examples > 0)
            .map(|(bin, (examples, confidence, right))| ConfidenceBin {
                from: bin as f64 / BINS as f64,
                to: (bin + 1) as f64 / BINS as f64,
                examples,
                confidence: confidence / examples as f64,
                accuracy: right as f64 / examples as f64,
            })
            .collect();
        let total = self.answers.len().max(1) as f64;
        let ece = bins.iter().map(|bin| bin.examples as f64 / total * (bin.accuracy - bin.confidence).abs()).sum();
        Calibration { ece, bins }
    }

    /// Accuracy by number of tokens, in ranges of about as many examples each.
    pub fn by_length(&self) -> Vec<LengthBin> {
        let mut answers: Vec<(usize, bool)> =
            self.answers.iter().map(|answer| (answer.tokens, answer.label == answer.predicted)).collect();
        answers.sort_unstable();
        let size = answers.len().div_ceil(LENGTHS).max(LEAST);
        let mut bins = Vec::new();
        let mut rest = answers.as_slice();
        while !rest.is_empty() {
            // Texts of one length stay together, and a rest that is too small joins the range before it.
            let mut end = size.min(rest.len());
            while end < rest.len() && (rest[end].0 == rest[end - 1].0 || rest.len() - end < LEAST) {
                end += 1;
            }
            let (bin, others) = rest.split_at(end);
            let right = bin.iter().filter(|(_, right)| *right).count();
            bins.push(LengthBin {
                from: bin[0].0,
                to: bin[end - 1].0,
                examples: end,
                accuracy: right as f64 / end as f64,
                interval: wilson(right, end),
            });
            rest = others;
        }
        bins
    }
}

/// The 95 % interval of a share of which `right` of `examples` were seen: Wilson's score interval, 1927.
pub fn wilson(right: usize, examples: usize) -> [f64; 2] {
    if examples == 0 {
        return [0.0, 1.0];
    }
    const Z: f64 = 1.959_963_984_540_054;
    let (n, p) = (examples as f64, right as f64 / examples as f64);
    let middle = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    [((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn analysis(answers: &[(usize, usize, f64, usize)]) -> Analysis {
        let mut evaluation = Evaluation::new(2);
        let answers: Vec<Answer> = answers
            .iter()
            .map(|&(label, predicted, probability, tokens)| Answer { label, predicted, probability, tokens })
            .collect();
        answers.iter().for_each(|answer| evaluation.add(answer.label, answer.predicted, 0.0));
        Analysis { evaluation, answers }
    }

    #[test]
    fn calibration_of_four_answers_by_hand() {
        // Range 0.9..1: mean confidence 0.95, accuracy 0.5. Range 0.6..0.7: 0.65 and 1.
        let calibration = analysis(&[(0, 0, 0.92, 1), (0, 1, 0.98, 1), (1, 1, 0.62, 1), (1, 1, 0.68, 1)]).calibration();
        assert_eq!(calibration.bins.iter().map(|bin| bin.examples).collect::<Vec<_>>(), [2, 2]);
        assert!((calibration.ece - (0.5 * 0.35 + 0.5 * 0.45)).abs() < 1e-12, "{calibration:?}");
        // The upper end belongs to a range, the lower one to that below.
        let calibration = analysis(&[(0, 0, 1.0, 1), (0, 0, 0.9, 1), (0, 0, 0.0, 1)]).calibration();
        let ends: Vec<f64> = calibration.bins.iter().map(|bin| bin.to).collect();
        assert_eq!(ends, [0.1, 0.9, 1.0]);
        assert_eq!(analysis(&[]).calibration(), Calibration { ece: 0.0, bins: vec![] });
    }

    #[test]
    fn ranges_of_length_hold_every_example_once() {
        for lengths in [vec![], vec![3], vec![7; 100], (0..100).collect::<Vec<_>>(), (0..13).map(|n| n * n).collect()] {
            let bins = analysis(&lengths.iter().map(|&n| (0, n % 2, 0.9, n)).collect::<Vec<_>>()).by_length();
            assert_eq!(bins.iter().map(|bin| bin.examples).sum::<usize>(), lengths.len());
            assert!(bins.len() <= LENGTHS && bins.windows(2).all(|pair| pair[0].to < pair[1].from), "{bins:?}");
            let right: f64 = bins.iter().map(|bin| bin.accuracy * bin.examples as f64).sum();
            assert!((right - lengths.iter().filter(|n| *n % 2 == 0).count() as f64).abs() < 1e-9);
        }
    }

    #[test]
    fn wilsons_interval_as_statsmodels_gives_it() {
        // statsmodels.stats.proportion.proportion_confint(k, n, method="wilson")
        for ((right, examples), expected) in [
            ((8, 10), [0.490_162_471_536_641_8, 0.943_317_848_545_624_7]),
            ((490, 494), [0.979_367_603_640_744, 0.996_846_794_314_893_2]),
            ((0, 5), [0.0, 0.434_482_464_783_174_87]),
        ] {
            let found = wilson(right, examples);
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-9, "{right} of {examples}: {found}, expected {expected}");
            }
        }
    }
}
