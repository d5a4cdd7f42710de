//! The parameters of a network by name, as in a PyTorch `state_dict`, and the check that they fit an
//! [`Architecture`].

use crate::architecture::Architecture;
use std::collections::BTreeMap;

/// A dense f32 array in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// The dimensions, outermost first.
    pub shape: Vec<usize>,
    /// The values; their number is the product of the dimensions.
    pub data: Vec<f32>,
}

/// The reason why a set of weights does not fit an architecture.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum WeightsError {
    /// A parameter is missing.
    #[error("tensor `{name}` is missing, expected {expected:?} F32")]
    Missing {
        /// Name of the parameter.
        name: String,
        /// The shape that the architecture requires.
        expected: Vec<usize>,
    },
    /// A parameter has the wrong shape.
    #[error("tensor `{name}` is {found:?}, expected {expected:?} from config.json")]
    Shape {
        /// Name of the parameter.
        name: String,
        /// The shape of the array.
        found: Vec<usize>,
        /// The shape that the architecture requires.
        expected: Vec<usize>,
    },
    /// The architecture has no parameter of this name.
    #[error("tensor `{name}` is not a parameter of this model; expected only {}", expected.join(", "))]
    Unknown {
        /// Name of the tensor.
        name: String,
        /// The names of all parameters of the architecture.
        expected: Vec<String>,
    },
    /// A value is infinite or NaN.
    #[error(
        "tensor `{name}` holds {value} at index {index}, expected finite numbers: the training diverged, lower the learning rate"
    )]
    NotFinite {
        /// Name of the tensor.
        name: String,
        /// Index of the value in the flattened array.
        index: usize,
        /// The value.
        value: f32,
    },
}

/// The parameters of a network by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights(BTreeMap<String, Array>);

impl Weights {
    /// Adds or replaces a parameter.
    pub fn insert(&mut self, name: impl Into<String>, array: Array) {
        self.0.insert(name.into(), array);
    }

    /// Returns a parameter, or `None` if it does not exist.
    pub fn get(&self, name: &str) -> Option<&Array> {
        self.0.get(name)
    }

    /// Returns a parameter for modification.
    ///
    /// # Panics
    /// Panics if there is no parameter of this name.
    pub fn get_mut(&mut self, name: &str) -> &mut Array {
        self.0.get_mut(name).unwrap_or_else(|| panic!("no parameter {name}"))
    }

    /// Iterates over all parameters, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Array)> {
        self.0.iter().map(|(name, array)| (name.as_str(), array))
    }

    /// Checks that these are exactly the parameters of `architecture` and that all values are finite.
    ///
    /// # Errors
    /// Fails for the first parameter of the architecture that is missing or has another shape; or else for the first
    /// array, by name, that is unknown or has a value that is not finite.
    pub fn check(&self, architecture: &Architecture) -> Result<(), WeightsError> {
        let shapes = architecture.shapes();
        for (name, shape) in &shapes {
            let (name, expected) = (name.clone(), shape.clone());
            let Some(array) = self.get(&name) else {
                return Err(WeightsError::Missing { name, expected });
            };
            let value_count: usize = shape.iter().product();
            if array.shape != *shape || array.data.len() != value_count {
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

    /// Returns the parameter of this name.
    ///
    /// # Panics
    /// Panics if there is none.
    fn index(&self, name: &str) -> &Array {
        &self.0[name]
    }
}
