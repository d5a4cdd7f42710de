//! Which held-out sequences of numbers got a wrong label.

use super::Sequences;
use crate::tasks::classification::Analysis;

/// The most mistakes that are kept.
const MISTAKES: usize = 25;

/// What the held-out sequences show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SequenceMistakes {
    /// How many of them got a wrong label.
    pub wrong: usize,
    /// The surest of those.
    pub mistakes: Vec<WrongSequence>,
}

/// A held-out sequence that the model got wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct WrongSequence {
    /// What it is called in the table.
    pub name: String,
    /// Its label.
    pub label: usize,
    /// The label predicted.
    pub predicted: usize,
    /// The probability of that.
    pub probability: f64,
    /// Its rows.
    pub steps: usize,
}

impl SequenceMistakes {
    /// Collects the mistakes of an analysis of `sequences`.
    pub fn new(analysis: &Analysis, sequences: &Sequences) -> Self {
        let names = (0..sequences.spans.len()).map(|sequence| sequences.name(sequence));
        let answers = names.zip(&analysis.predictions).filter(|(_, answer)| answer.label != answer.predicted);
        let mut mistakes: Vec<WrongSequence> = answers
            .map(|(name, answer)| WrongSequence {
                name: name.to_owned(),
                label: answer.label,
                predicted: answer.predicted,
                probability: answer.probability,
                steps: answer.tokens,
            })
            .collect();
        mistakes.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        let wrong = mistakes.len();
        mistakes.truncate(MISTAKES);
        SequenceMistakes { wrong, mistakes }
    }
}
