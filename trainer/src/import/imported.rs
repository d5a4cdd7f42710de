//! The result of an import.

use super::names::Recognised;
use crate::float_model::FloatModel;

/// An imported model.
#[derive(Debug)]
pub struct Imported {
    /// The model, without calibration and validation rows.
    pub model: FloatModel,
    /// Notes for the user about tensors and tokens that were converted, added or renamed, or are never used.
    pub notes: Vec<String>,
    /// The parts of the network, which determine the assumed forward pass.
    pub recognised: Recognised,
    /// Tern's id of each row of the imported embedding. Empty for a network that reads numbers.
    pub(super) ids_of_rows: Vec<u32>,
}

impl Imported {
    /// Returns Tern's id of a row of the imported embedding; `None` if there is no such row.
    pub fn id_of_row(&self, row: usize) -> Option<u32> {
        self.ids_of_rows.get(row).copied()
    }
}
