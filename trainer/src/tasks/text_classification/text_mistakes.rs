//! The most confident wrong predictions of a text classifier, and the words that influenced its predictions.

use super::word_weights::{self, WeightedPart, WordWeights};
use crate::data::Example;
use crate::model::Model;
use crate::tasks::classification::Analysis;
use rayon::prelude::*;

/// Largest number of mistakes that are kept.
const MISTAKES: usize = 25;

/// The wrong predictions on the validation texts.
#[derive(Clone, Debug, Default)]
pub struct TextMistakes {
    /// Number of validation texts.
    pub examples: usize,
    /// Number of wrong predictions.
    pub wrong: usize,
    /// The most confident wrong predictions.
    pub mistakes: Vec<Mistake>,
    /// The most influential words of each label.
    pub words: WordWeights,
}

/// A validation text with a wrong prediction.
#[derive(Clone, Debug)]
pub struct Mistake {
    /// The text.
    pub text: String,
    /// The index of its true label.
    pub label: usize,
    /// The index of the predicted label.
    pub predicted: usize,
    /// The probability of the predicted label.
    pub probability: f64,
    /// The weights of the text's words, or of groups of words if it is long, for the label that the model predicts.
    pub weighted_parts: Vec<WeightedPart>,
}

impl TextMistakes {
    /// Collects the mistakes of `model` on `examples`. `analysis` must be that of the same model and examples.
    pub fn new(model: &dyn Model, examples: &[Example], analysis: &Analysis) -> Self {
        let classify = |text: &str| model.classify(text).logits;
        let mut wrong: Vec<_> = examples
            .iter()
            .zip(&analysis.predictions)
            .filter(|(_, prediction)| prediction.label != prediction.predicted)
            .collect();
        wrong.sort_by(|a, b| b.1.probability.total_cmp(&a.1.probability));
        let mistakes = wrong
            .par_iter()
            .take(MISTAKES)
            .map(|(example, prediction)| Mistake {
                text: example.text.clone(),
                label: prediction.label,
                predicted: prediction.predicted,
                probability: prediction.probability,
                weighted_parts: word_weights::parts(&classify, &example.text),
            })
            .collect();
        TextMistakes {
            examples: examples.len(),
            wrong: wrong.len(),
            mistakes,
            words: word_weights::most_influential(&classify, model.labels().len(), examples),
        }
    }
}
