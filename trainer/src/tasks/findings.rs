//! What single held-out examples show, by task.

use super::forecast::Series;
use super::language_model::Language;
use super::sequence_classification::SequenceMistakes;
use super::text_classification::TextMistakes;

/// What single held-out examples show; which of them depends on the task.
#[derive(Clone, Debug, Default)]
pub enum Findings {
    /// Nothing is held out.
    #[default]
    None,
    /// Of a classifier of texts.
    Texts(TextMistakes),
    /// Of a classifier of sequences of numbers.
    Sequences(SequenceMistakes),
    /// Of a language model.
    Language(Language),
    /// Of a forecast.
    Series(Series),
}
