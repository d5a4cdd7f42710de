//! The rule by which a classifier refuses to answer.

use crate::logits::Logits;
use serde::{Deserialize, Serialize};

/// The rule by which a classifier refuses to answer: `docs/arithmetic.md`, "Refusal".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// The lowest probability of the most probable label with which the model answers, times 2^16: 1 to 65,536.
    pub below: u32,
    /// The label of the training rows that no other label fits. Predicting it is a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

impl Refusal {
    /// The probability 1 as an integer.
    pub const ONE: u32 = 1 << 16;

    /// The lowest probability with which the model answers, 0 to 1.
    pub fn probability(&self) -> f64 {
        f64::from(self.below) / f64::from(Refusal::ONE)
    }

    /// The class whose prediction is a refusal, for a model with these labels; `None` if there is none.
    pub fn class(&self, labels: &[String]) -> Option<usize> {
        let label = self.label.as_ref()?;
        labels.iter().position(|known| known == label)
    }

    /// Returns true if a model with these labels refuses to answer where it computes these logits. Those of a device
    /// file are compared in the device's integers.
    pub fn applies(&self, labels: &[String], logits: &Logits) -> bool {
        let label = logits.label();
        let is_below = match logits {
            Logits::Integer { values, .. } => tern_runtime::softmax(values, label) < self.below,
            Logits::Float(_) => logits.log_probabilities()[label].exp() < self.probability(),
        };
        is_below || self.class(labels) == Some(label)
    }
}
