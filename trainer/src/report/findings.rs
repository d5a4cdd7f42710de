//! What single held-out examples show, by task.

mod language;
mod sequences;
mod series;
mod texts;

pub use language::{Language, Surprise};
pub use sequences::{Sequences, WrongSequence};
pub use series::{Series, Target};
pub use texts::{Mistake, Texts};

/// What single held-out examples show; which of them depends on the task.
#[derive(Clone, Debug, Default)]
pub enum Findings {
    /// Nothing is held out.
    #[default]
    None,
    /// Of a classifier of texts.
    Texts(Texts),
    /// Of a classifier of sequences of numbers.
    Sequences(Sequences),
    /// Of a language model.
    Language(Language),
    /// Of a forecast.
    Series(Series),
}
