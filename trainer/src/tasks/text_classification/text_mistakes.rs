//! What single held-out texts show: where a classifier is wrong, and which words decided.

use super::word_weights::{self, WeightedPart, WordWeights};
use crate::data::Example;
use crate::model::Model;
use crate::tasks::classification::Analysis;
use rayon::prelude::*;

/// The most mistakes that are kept.
const MISTAKES: usize = 25;

/// What the held-out texts show.
#[derive(Clone, Debug, Default)]
pub struct TextMistakes {
    /// Number of texts.
    pub examples: usize,
    /// How many of them got a wrong label.
    pub wrong: usize,
    /// The surest of those.
    pub mistakes: Vec<Mistake>,
    /// Which words decided.
    pub words: WordWeights,
}

/// A held-out text that the model got wrong.
#[derive(Clone, Debug)]
pub struct Mistake {
    /// The text.
    pub text: String,
    /// Its label.
    pub label: usize,
    /// The label predicted.
    pub predicted: usize,
    /// The probability of that.
    pub probability: f64,
    /// Which of its words spoke for the predicted label, which against.
    pub parts: Vec<WeightedPart>,
}

impl TextMistakes {
    /// Looks at what `model` said of `examples`. `analysis` is of the same.
    pub fn new(model: &dyn Model, examples: &[Example], analysis: &Analysis) -> Self {
        let classify = |text: &str| model.classify(text).logits;
        let mut wrong: Vec<_> =
            examples.iter().zip(&analysis.predictions).filter(|(_, answer)| answer.label != answer.predicted).collect();
        wrong.sort_by(|a, b| b.1.probability.total_cmp(&a.1.probability));
        let mistakes = wrong
            .par_iter()
            .take(MISTAKES)
            .map(|(example, answer)| Mistake {
                text: example.text.clone(),
                label: answer.label,
                predicted: answer.predicted,
                probability: answer.probability,
                parts: word_weights::parts(&classify, &example.text),
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
