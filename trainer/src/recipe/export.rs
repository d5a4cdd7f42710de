//! How the model becomes a device file.

use super::RecipeError;
use crate::quantize::{Bits, Widths};
use serde::{Deserialize, Serialize};

/// What `tern export` does where its command line says nothing else.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Export {
    /// Bits of the embedding's weights: 4, 8 or 16.
    pub embedding_bits: u32,
    /// Bits of the recurrent layers' weights: 4, 8 or 16.
    pub recurrent_bits: u32,
}

impl Default for Export {
    fn default() -> Self {
        Export { embedding_bits: 8, recurrent_bits: 8 }
    }
}

impl Export {
    /// The bits of all weights.
    pub fn widths(&self) -> Widths {
        let [embedding, recurrent] =
            [self.embedding_bits, self.recurrent_bits].map(|n| Bits::of(n).unwrap_or_default());
        Widths { embedding, recurrent }
    }

    pub(super) fn check(&self) -> Result<(), RecipeError> {
        for (key, found) in
            [("[export] embedding_bits", self.embedding_bits), ("[export] recurrent_bits", self.recurrent_bits)]
        {
            if Bits::of(found).is_none() {
                return Err(RecipeError::Value { key, found: found.to_string(), expected: "4, 8 or 16".to_owned() });
            }
        }
        Ok(())
    }
}
