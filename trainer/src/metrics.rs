//! The metrics of a classifier: accuracy, precision, recall and F1 from a confusion matrix, and the mean loss.

pub use tern_nn::objective::argmax;

use serde::Serialize;

/// Computes the natural logarithm of the softmax of `logits`.
pub fn log_softmax(logits: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    // Without the largest logit, exp cannot overflow.
    let max = logits.clone().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = logits.clone().map(|logit| (logit - max).exp()).sum();
    logits.map(|logit| logit - max - total.ln()).collect()
}

/// The confusion matrix and the total loss of a classifier.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// `confusion[label][predicted]`: number of examples.
    confusion: Vec<Vec<usize>>,
    /// The sum of -ln p(label) over the examples, in nats.
    total_loss: f64,
}

/// The metrics of one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassFigures {
    /// The share of correct predictions among the predictions of this class. 0 without predictions.
    pub precision: f64,
    /// The share of correct predictions among the examples of this class. 0 without examples.
    pub recall: f64,
    /// The harmonic mean of precision and recall. 0 without correct predictions.
    pub f1: f64,
    /// Number of examples in the class.
    pub support: usize,
}

impl Evaluation {
    /// Creates an evaluation without examples, for `labels` labels.
    pub fn new(labels: usize) -> Self {
        Evaluation { confusion: vec![vec![0; labels]; labels], total_loss: 0.0 }
    }

    /// Adds an example with its label and the predicted label. `loss`: -ln of the predicted probability of its label.
    pub fn add(&mut self, label: usize, predicted: usize, loss: f64) {
        self.confusion[label][predicted] += 1;
        self.total_loss += loss;
    }

    /// Adds the examples of another evaluation with the same labels.
    pub fn merge(&mut self, other: &Evaluation) {
        for (row, other_row) in self.confusion.iter_mut().zip(&other.confusion) {
            for (count, other_count) in row.iter_mut().zip(other_row) {
                *count += other_count;
            }
        }
        self.total_loss += other.total_loss;
    }

    /// The confusion matrix, `[label][predicted]`: number of examples.
    pub fn confusion(&self) -> &[Vec<usize>] {
        &self.confusion
    }

    /// Number of examples.
    pub fn examples(&self) -> usize {
        self.confusion.iter().flatten().sum()
    }

    /// Number of correct predictions.
    pub fn correct(&self) -> usize {
        (0..self.confusion.len()).map(|label| self.confusion[label][label]).sum()
    }

    /// The share of correct predictions. 0 without examples.
    pub fn accuracy(&self) -> f64 {
        share(self.correct(), self.examples())
    }

    /// The accuracy of always predicting the most frequent label of the examples. 0 without examples.
    pub fn majority_accuracy(&self) -> f64 {
        share(self.confusion.iter().map(|row| row.iter().sum()).max().unwrap_or(0), self.examples())
    }

    /// The mean cross-entropy in nats. 0 without examples.
    pub fn loss(&self) -> f64 {
        self.total_loss / self.examples().max(1) as f64
    }

    /// The metrics of each class, in the order of the labels.
    pub fn per_class(&self) -> Vec<ClassFigures> {
        (0..self.confusion.len())
            .map(|label| {
                let correct = self.confusion[label][label];
                let support = self.confusion[label].iter().sum();
                let predicted: usize = self.confusion.iter().map(|row| row[label]).sum();
                ClassFigures {
                    precision: share(correct, predicted),
                    recall: share(correct, support),
                    f1: share(2 * correct, predicted + support),
                    support,
                }
            })
            .collect()
    }

    /// The mean F1 over the classes that have examples. 0 without examples.
    pub fn macro_f1(&self) -> f64 {
        let classes: Vec<ClassFigures> = self.per_class().into_iter().filter(|class| class.support > 0).collect();
        classes.iter().map(|class| class.f1).sum::<f64>() / classes.len().max(1) as f64
    }
}

/// Returns the wrong predictions in a confusion matrix, `[label][predicted]`, as (count, label, predicted label), the
/// most frequent first.
pub fn confused_pairs(confusion: &[Vec<usize>]) -> Vec<(usize, usize, usize)> {
    let mut pairs = Vec::new();
    for (label, row) in confusion.iter().enumerate() {
        let wrong = row.iter().enumerate().filter(|&(predicted, &count)| predicted != label && count > 0);
        pairs.extend(wrong.map(|(predicted, &count)| (count, label, predicted)));
    }
    // Equal counts are in the order of the labels.
    pairs.sort_by(|a, b| b.0.cmp(&a.0).then(a.cmp(b)));
    pairs
}

/// Returns `part / whole`, or 0 if `whole` is 0.
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_of_four_examples() {
        let mut evaluation = Evaluation::new(3);
        for (label, predicted) in [(0, 0), (0, 0), (0, 1), (1, 1)] {
            evaluation.add(label, predicted, 0.5);
        }
        assert_eq!((evaluation.examples(), evaluation.accuracy(), evaluation.loss()), (4, 0.75, 0.5));
        assert_eq!(evaluation.majority_accuracy(), 0.75);
        let classes = evaluation.per_class();
        assert_eq!(classes[0], ClassFigures { precision: 1.0, recall: 2.0 / 3.0, f1: 0.8, support: 3 });
        assert_eq!(classes[1], ClassFigures { precision: 0.5, recall: 1.0, f1: 2.0 / 3.0, support: 1 });
        assert_eq!(classes[2], ClassFigures { precision: 0.0, recall: 0.0, f1: 0.0, support: 0 });
        assert!((evaluation.macro_f1() - (0.8 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
    }

    #[test]
    fn the_metrics_of_no_examples_are_0() {
        let evaluation = Evaluation::new(2);
        assert_eq!((evaluation.accuracy(), evaluation.loss(), evaluation.macro_f1()), (0.0, 0.0, 0.0));
    }

    #[test]
    fn log_softmax_of_large_logits_is_finite() {
        let logs = log_softmax([1e6, 1e6 - 1.0].into_iter());
        assert!((logs[0] - (1.0 / (1.0 + (-1.0f64).exp())).ln()).abs() < 1e-9);
        assert_eq!(argmax(&[1, 3, 3]), 1);
    }
}
