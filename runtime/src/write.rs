//! Writes device files on a host (feature `write`, which needs an allocator).
//!
//! [`to_bytes`] writes a file from [`Metadata`] and [`Tensor`]s. The same input always gives the same bytes, unlike
//! with the writer of the safetensors library, which stores metadata in random order. This module does not check that
//! the result is a model: [`Model::from_bytes`](crate::Model::from_bytes) does.

#[cfg(feature = "token_fingerprints")]
mod fingerprints;
mod fold;
mod packing;
#[cfg(feature = "widths")]
mod round;
mod tensor;

use alloc::{format, string::String, vec, vec::Vec};

use crate::Packing;
use crate::text::Tokenizer;
use tern_format::{Cell as CellKind, Input, Merge, Ngrams, Output, Pooling, Task};

pub use crate::load::dtype::Dtype;
#[cfg(feature = "token_fingerprints")]
pub use fingerprints::FingerprintVocabulary;
pub use fold::{folded, folded_bytes};
pub use packing::packed;
#[cfg(feature = "widths")]
pub use round::{in_4_bits, in_16_bits, round_to_4_bits};
pub use tensor::Tensor;

/// The metadata of a device file.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// The task.
    pub task: Task,
    /// The input of each time step.
    pub input: Input,
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// True if the file stores fingerprints of the tokens in place of their texts: [`FingerprintVocabulary`].
    pub has_token_fingerprints: bool,
    /// The kind of recurrent cell.
    pub cell: CellKind,
    /// The memory layout of the recurrent weights.
    pub packing: Packing,
    /// The number of recurrent layers: 1 to 4; 0 if the model has no recurrent branch. The keys of that branch are not
    /// written then.
    pub layers: usize,
    /// True if each layer also reads the sequence in reverse.
    pub bidirectional: bool,
    /// The combination of the two directions; unused if the model is not bidirectional.
    pub merge: Merge,
    /// The reduction of the hidden states over time.
    pub pooling: Pooling,
    /// The meaning of the outputs.
    pub output: Output,
    /// The shift of each direction of each layer, layer by layer, forward before reverse: 0 to 8.
    pub shifts: Vec<u32>,
    /// The n-grams of the n-gram branch and the shift of the branch, 0 to 8, if there is one.
    pub ngrams: Option<(Ngrams, u32)>,
    /// The right shift of the hidden states before they are pooled: 0 to 8; 0 unless the model has both branches. The
    /// key is not written for 0.
    pub pooled_shift: u32,
    /// The shift of the head's hidden layer, if it has one: 0 to 8.
    pub hidden_shift: Option<u32>,
    /// The shift of the last layer: 0 to 8.
    pub fc_shift: u32,
}

impl Metadata {
    /// Returns the suffixes in the names of the layers' tensors, layer by layer, forward before reverse: `l0`,
    /// `l0_reverse`, `l1`, …
    pub fn layer_suffixes(layers: usize, bidirectional: bool) -> Vec<String> {
        let directions: &[&str] = if bidirectional { &["", "_reverse"] } else { &[""] };
        let suffix = |layer| directions.iter().map(move |direction| format!("l{layer}{direction}"));
        (0..layers).flat_map(suffix).collect()
    }

    /// The keys of the header's metadata and their values, sorted by key.
    pub fn entries(&self) -> Vec<(String, String)> {
        let mut entries: Vec<(String, String)> = Vec::new();
        let mut add = |key: &str, value: &str| entries.push((format!("tern.{key}"), value.into()));
        add("version", tern_format::VERSION);
        add("task", self.task.name());
        match self.input {
            Input::Tokens => {
                add("tokenizer", self.tokenizer.name());
                if self.layers > 0 {
                    let vocabulary = match self.tokenizer.is_bytes() {
                        _ if self.has_token_fingerprints => "fingerprints",
                        true => "bytes",
                        false => "sorted",
                    };
                    add("vocabulary", vocabulary);
                }
            }
            Input::Values => add("input", self.input.name()),
        }
        if self.layers > 0 {
            add("cell", self.cell.name());
            add("packing", self.packing.name());
            add("layers", &format!("{}", self.layers));
            add("directions", if self.bidirectional { "2" } else { "1" });
            if self.bidirectional {
                add("merge", self.merge.name());
            }
            add("pooling", self.pooling.name());
        }
        if let Some((Ngrams { words, min_chars, max_chars }, shift)) = self.ngrams {
            add("ngrams.words", &format!("{words}"));
            add("ngrams.min_chars", &format!("{min_chars}"));
            add("ngrams.max_chars", &format!("{max_chars}"));
            add("shift.ngrams", &format!("{shift}"));
        }
        add("output", self.output.name());
        for (suffix, shift) in Metadata::layer_suffixes(self.layers, self.bidirectional).iter().zip(&self.shifts) {
            add(&format!("shift.{}_{suffix}", self.cell.module()), &format!("{shift}"));
        }
        if self.pooled_shift > 0 {
            add("shift.pooled", &format!("{}", self.pooled_shift));
        }
        if let Some(shift) = self.hidden_shift {
            add("shift.hidden", &format!("{shift}"));
        }
        add("shift.fc", &format!("{}", self.fc_shift));
        entries.sort();
        entries
    }
}

/// Returns the bytes of a device file: the length of the header in 8 bytes, the JSON header, and the data of the
/// tensors. The metadata keep their order; the tensors are sorted by descending element size, then by name, so that
/// each is aligned. Keys, values and names are written without escapes, so they must not need any.
pub fn to_bytes(metadata: &[(impl AsRef<str>, impl AsRef<str>)], mut tensors: Vec<Tensor>) -> Vec<u8> {
    tensors.sort_by(|a, b| (b.dtype.size(), &a.name).cmp(&(a.dtype.size(), &b.name)));
    let mut header = String::from("{\"__metadata__\":{");
    for (i, (key, value)) in metadata.iter().enumerate() {
        let (key, value) = (key.as_ref(), value.as_ref());
        header += &format!("{}\"{key}\":\"{value}\"", if i > 0 { "," } else { "" });
    }
    header.push('}');
    let mut begin = 0;
    for Tensor { name, dtype, shape, data } in &tensors {
        let end = begin + data.len();
        let shape: Vec<String> = shape.iter().map(|n| format!("{n}")).collect();
        let (dtype, shape) = (dtype.name(), shape.join(","));
        header +=
            &format!(",\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":[{shape}],\"data_offsets\":[{begin},{end}]}}");
        begin = end;
    }
    header.push('}');
    // Spaces, so that the tensors begin at a multiple of 8.
    header.extend(core::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    tensors.iter().for_each(|tensor| bytes.extend_from_slice(&tensor.data));
    bytes
}

/// Bytes at an address that is a multiple of 8, as a device file must be.
#[derive(Clone, Debug)]
pub struct Aligned {
    words: Vec<u64>,
    length: usize,
}

impl Aligned {
    /// An aligned copy of `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        let mut words = vec![0u64; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut::<u64, u8>(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Aligned { words, length: bytes.len() }
    }
}

impl core::ops::Deref for Aligned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.length]
    }
}
