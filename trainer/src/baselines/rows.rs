//! The rows that baselines are trained and measured on, and the result of a baseline.

use crate::data::Example;
use crate::metrics::Evaluation;
use crate::vocabulary::Vocabulary;

/// A simpler model and its evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// The key in `metrics.json`.
    pub name: &'static str,
    /// The description in messages and reports.
    pub title: String,
    /// The evaluation on the validation rows.
    pub evaluation: Evaluation,
    /// The number of parameters.
    pub parameters: usize,
}

/// The rows that baselines are trained and measured on.
pub(super) struct Rows<'a> {
    /// The training rows, or a sample of them.
    pub train: Vec<&'a Example>,
    /// The validation rows.
    pub valid: Vec<&'a Example>,
    /// The vocabulary of the network.
    pub vocabulary: &'a Vocabulary,
    /// The number of labels.
    pub labels: usize,
}
