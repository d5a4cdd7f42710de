//! The key `ngrams` of `config.json`: the part of a text classifier that adds up a vector for each n-gram of the text.

use crate::vocabulary::Fingerprints;
use serde::{Deserialize, Serialize};

/// The n-gram branch of a text classifier: `docs/arithmetic.md`, "N-gram branch". The hash of an n-gram selects a row,
/// or bucket, of its table.
///
/// Every weight of the tensor `ngrams.weight` is an integer times `step`; `tern export` writes the integers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NgramBranch {
    /// The number of rows of the table, a power of 2.
    pub buckets: usize,
    /// The number of columns of the table, a power of 2.
    pub rank: usize,
    /// The length of the longest n-grams of words: 1 or 2; 0 for none.
    pub words: u8,
    /// The length of the shortest n-grams of characters; 0 for none.
    pub min_chars: u8,
    /// The length of the longest n-grams of characters; 0 for none.
    pub max_chars: u8,
    /// The number of bits of a weight's integer: 4 for −7 … 7, 8 for −127 … 127.
    pub bits: u32,
    /// The real value of the integer 1: an f32, stored as f64 so that `config.json` holds it exactly.
    pub step: f64,
    /// The fingerprint of each bucket; `None` if every n-gram counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprints: Option<Fingerprints>,
}

impl NgramBranch {
    /// The lengths of the n-grams that the branch counts.
    pub fn kinds(&self) -> tern_format::Ngrams {
        let NgramBranch { words, min_chars, max_chars, .. } = *self;
        tern_format::Ngrams { words, min_chars, max_chars }
    }
}
