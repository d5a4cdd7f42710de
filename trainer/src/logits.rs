//! The outputs of a model: floats, or the integers of a device file.

use crate::metrics::{argmax, log_softmax};

/// The outputs of a model: logits, or the normalised values of a forecast.
#[derive(Clone, Debug, PartialEq)]
pub enum Logits {
    /// The logits of a float model, in nats, or the normalised values of a forecast by a float model or a device
    /// file.
    Float(Vec<f32>),
    /// The logits of a device file that classifies or is a language model.
    Integer {
        /// The integers, as the device computes them.
        values: Vec<i32>,
        /// The number of nats that the integer 1 stands for.
        scale: f64,
    },
}

impl Logits {
    /// The index of the largest logit: the predicted label. The first index if several logits are equal.
    pub fn label(&self) -> usize {
        match self {
            Logits::Float(values) => argmax(values),
            Logits::Integer { values, .. } => argmax(values),
        }
    }

    /// The logits in nats, or the normalised values of a forecast.
    pub fn nats(&self) -> Vec<f64> {
        match self {
            Logits::Float(values) => values.iter().map(|&value| f64::from(value)).collect(),
            Logits::Integer { values, scale } => values.iter().map(|&value| f64::from(value) * scale).collect(),
        }
    }

    /// The natural logarithm of the probability of each label or token.
    pub fn log_probabilities(&self) -> Vec<f64> {
        log_softmax(self.nats().into_iter())
    }

    /// The outputs as a JSON array: floats or integers, as the model computed them.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Logits::Float(values) => values.as_slice().into(),
            Logits::Integer { values, .. } => values.as_slice().into(),
        }
    }
}

/// Returns a logit for each label from the outputs of a classifier. A single output z (sigmoid) is the logit of the
/// second of two labels; the first label then has the logit 0.
pub fn class_logits(outputs: &[f32]) -> Vec<f32> {
    match outputs {
        [z] => vec![0.0, *z],
        logits => logits.to_vec(),
    }
}
