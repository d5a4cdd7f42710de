//! Named weights, as in a PyTorch `state_dict`.

use crate::architecture::Architecture;
use std::collections::BTreeMap;

/// The names that PyTorch gives to the parameters of `embedding`, `fc` and a single `lstm` layer. Those of other
/// recurrent layers come from [`Recurrent::names`](crate::architecture::Recurrent::names).
pub mod names {
    /// `[vocab_size, embedding_dim]`
    pub const EMBEDDING: &str = "embedding.weight";
    /// `[4 * hidden_size, embedding_dim]`, gates i, f, g, o
    pub const W_IH: &str = "lstm.weight_ih_l0";
    /// `[4 * hidden_size, hidden_size]`, gates i, f, g, o
    pub const W_HH: &str = "lstm.weight_hh_l0";
    /// `[4 * hidden_size]`
    pub const B_IH: &str = "lstm.bias_ih_l0";
    /// `[4 * hidden_size]`
    pub const B_HH: &str = "lstm.bias_hh_l0";
    /// `[head_hidden, hidden_size]`, where there is such a layer; wider where the head reads more than one state
    pub const HIDDEN_WEIGHT: &str = "hidden.weight";
    /// `[head_hidden]`
    pub const HIDDEN_BIAS: &str = "hidden.bias";
    /// `[outputs, hidden_size]`; wider where the head reads more than one state, `[outputs, head_hidden]` after a hidden layer
    pub const FC_WEIGHT: &str = "fc.weight";
    /// `[outputs]`
    pub const FC_BIAS: &str = "fc.bias";
}

/// The sizes of a model that reads tokens and has a linear head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Rows of the embedding: the tokens, PAD and UNK among them.
    pub vocab_size: usize,
    /// Width of the embedding.
    pub embedding_dim: usize,
    /// Cells of a recurrent layer, in each direction.
    pub hidden_size: usize,
    /// Number of outputs: one for each label.
    pub labels: usize,
}

/// A dense array of f32, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// The dimensions, outermost first.
    pub shape: Vec<usize>,
    /// As many values as the product of the dimensions.
    pub data: Vec<f32>,
}

/// What is wrong with a set of weights.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum WeightsError {
    /// A parameter is missing.
    #[error("tensor `{name}` is missing, expected {expected:?} F32")]
    Missing {
        /// The parameter.
        name: String,
        /// The shape that it must have.
        expected: Vec<usize>,
    },
    /// A parameter has the wrong shape.
    #[error("tensor `{name}` is {found:?}, expected {expected:?} from config.json")]
    Shape {
        /// The parameter.
        name: String,
        /// The shape that it has.
        found: Vec<usize>,
        /// The shape that it must have.
        expected: Vec<usize>,
    },
    /// There is a tensor that the model has no place for.
    #[error("tensor `{name}` has no place in this model; expected only {}", expected.join(", "))]
    Unknown {
        /// The tensor.
        name: String,
        /// All names that the model has a place for.
        expected: Vec<String>,
    },
    /// A value is not a number.
    #[error(
        "tensor `{name}` holds {value} at index {index}, expected finite numbers: the training diverged, lower the learning rate"
    )]
    NotFinite {
        /// The tensor.
        name: String,
        /// Position of the value.
        index: usize,
        /// Infinity or NaN.
        value: f32,
    },
}

/// The parameters of a model by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights(BTreeMap<String, Array>);

impl Weights {
    /// Adds a parameter, or replaces it.
    pub fn insert(&mut self, name: impl Into<String>, array: Array) {
        self.0.insert(name.into(), array);
    }

    /// A parameter, if it is there.
    pub fn get(&self, name: &str) -> Option<&Array> {
        self.0.get(name)
    }

    /// A parameter to change.
    ///
    /// # Panics
    ///
    /// Where there is no parameter of this name.
    pub fn get_mut(&mut self, name: &str) -> &mut Array {
        self.0.get_mut(name).unwrap_or_else(|| panic!("no parameter {name}"))
    }

    /// All parameters in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Array)> {
        self.0.iter().map(|(name, array)| (name.as_str(), array))
    }

    /// Checks that these are the parameters of such a model, with finite values.
    pub fn check(&self, architecture: &Architecture) -> Result<(), WeightsError> {
        let shapes = architecture.shapes();
        for (name, expected) in &shapes {
            let (name, expected) = (name.clone(), expected.clone());
            let Some(array) = self.get(&name) else {
                return Err(WeightsError::Missing { name, expected });
            };
            if array.shape != expected || array.data.len() != expected.iter().product::<usize>() {
                return Err(WeightsError::Shape { name, found: array.shape.clone(), expected });
            }
        }
        for (name, array) in self.iter() {
            if !shapes.iter().any(|(known, _)| known == name) {
                let expected = shapes.iter().map(|(name, _)| name.clone()).collect();
                return Err(WeightsError::Unknown { name: name.to_owned(), expected });
            }
            if let Some(index) = array.data.iter().position(|value| !value.is_finite()) {
                return Err(WeightsError::NotFinite { name: name.to_owned(), index, value: array.data[index] });
            }
        }
        Ok(())
    }

    /// Number of values in all parameters.
    pub fn count(&self) -> usize {
        self.0.values().map(|array| array.data.len()).sum()
    }
}

impl std::ops::Index<&str> for Weights {
    type Output = Array;

    /// # Panics
    ///
    /// Where there is no parameter of this name.
    fn index(&self, name: &str) -> &Array {
        &self.0[name]
    }
}
