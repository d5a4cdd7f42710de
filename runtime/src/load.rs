//! The loader: turns the bytes of a device file into a checked [`Model`].
//!
//! [`scanner`] walks through the header's JSON, [`tensor_reader`] finds an entry in it by name, and [`metadata`],
//! [`inputs`], [`recurrent`], [`ngrams`], [`folded_tokens`] and [`outputs`] read one part of the model each.
//! [`file`](mod@file) explains how faults are recorded, [`bounds`] proves that no sum overflows.
//!
//! Loading is done once, so its code should be small even in a program whose steps are optimised for speed. Functions
//! marked `inline` are compiled with the settings of the crate that calls them: Tern's firmware has `opt-level` "z",
//! this crate 3. An image without the feature `errors`, which is small as a whole, leaves this to the compiler.

mod bounds;
pub(crate) mod dtype;
mod explain;
pub(crate) mod file;
mod folded_tokens;
mod inputs;
mod metadata;
pub(crate) mod name_hash;
#[cfg(feature = "ngrams")]
mod ngrams;
mod outputs;
mod paired_bounds;
mod recurrent;
pub(crate) mod scanner;
mod tensor_names;
mod tensor_reader;

use crate::error::LoadError;
use crate::model::{Calibration, Model};
use crate::text;
use explain::explain;
use file::{Fault, File};
use metadata::Metadata;
use scanner::{Scanner, read_header};
use tensor_names::Tensor;
use tern_format::limits::NAME_BYTES;

/// Returns the length in bytes of the device file at the beginning of `bytes`, according to its header. More bytes may
/// follow it, for example in a flash slot that is larger than the model.
///
/// # Errors
/// [`LoadError::Truncated`] if `bytes` is shorter than the file; [`LoadError::Header`] or [`LoadError::ByteRange`] if
/// the header is malformed.
#[cfg_attr(feature = "errors", inline)]
pub fn file_len(bytes: &[u8]) -> Result<usize, LoadError> {
    let mut file = File::new(bytes);
    let length = length(&mut file);
    if file.is_refused() { Err(explain(&file)) } else { Ok(length) }
}

/// Reads the whole header once, indexes its entries and returns the length of the file in bytes. Records a fault if the
/// header is malformed, or if the file is shorter than the header requires.
#[cfg_attr(feature = "errors", inline)]
fn length(file: &mut File<'_>) -> usize {
    read_header(file);
    let mut scanner = Scanner::new(file);
    while scanner.next() {
        file.add_entry(scanner.entry.number, scanner.entry.name, scanner.place());
    }
    // The last tensor's range is counted from the end of the header. If the sum saturates, no memory is that large, and
    // the file is refused below.
    let length = file.header.len().saturating_add(scanner.entry.end);
    // The index of the last entry plus 1; 0 if there is no entry, for which the index is `usize::MAX`.
    file.entries = scanner.entry.number.wrapping_add(1);
    if length > file.bytes.len() {
        file.refuse(Fault::Truncated { expected: length });
    }
    length
}

impl<'a> Model<'a> {
    /// Checks a whole device file and borrows it. `bytes` must end with the file, and its address must be a multiple of
    /// 8: see [`file_len`] and [`include_model!`](crate::include_model).
    ///
    /// Cost: reads every weight and every text at least once.
    ///
    /// # Errors
    /// The first fault of the file: [`LoadError`].
    #[cfg_attr(feature = "errors", inline)]
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, LoadError> {
        let mut file = File::new(bytes);
        // The model is built in place and never moved, because it takes half a kilobyte or more.
        let mut model = read(&mut file);
        if let Err(error) = &mut model {
            *error = explain(&file);
        }
        model
    }
}

/// Reads a model, part by part. Returns the placeholder [`LoadError::Refused`] if the file is refused; the caller
/// replaces it by the recorded fault.
#[cfg_attr(feature = "errors", inline)]
fn read<'a>(file: &mut File<'a>) -> Result<Model<'a>, LoadError> {
    let bytes = file.bytes;
    if !bytes.as_ptr().addr().is_multiple_of(8) {
        file.refuse(Fault::Misaligned);
    }
    let length = length(file);
    if bytes.len() > length {
        file.refuse(Fault::TrailingBytes { expected: length });
    }
    // From here on, only faults and marks are recorded in the file, which needs no mutable borrow.
    let file = &*file;
    let metadata = Metadata::read(file);
    let Metadata { mut config, packing, hidden_shift, .. } = metadata;

    let name = file.text(Tensor::NAME);
    if !NAME_BYTES.contains(&name.len()) || !text::is_utf8(name) {
        file.refuse(Fault::Texts { table: Tensor::NAME, index: 0 });
    }
    let inputs = inputs::read(file, &mut config);
    let Some(cells) = recurrent::read(file, &config, packing) else { return Err(LoadError::Refused) };
    // All layers have the same hidden size.
    let [first_cell, ..] = &cells;
    config.hidden_size = first_cell.summary().hidden_size;
    #[cfg(feature = "ngrams")]
    let ngrams = ngrams::read(file, &mut config, metadata.ngram_shift);
    let folded = folded_tokens::read(file, &config, &cells);
    let outputs = outputs::read(file, &mut config, &inputs, hidden_shift);

    let golden_logits = file.words(Tensor::GOLDEN_LOGITS, [inputs.golden_count as u32, config.classes as u32, 0]);
    let calibration = file.words(Tensor::CALIBRATION, [4, 0, 0]);
    // The zeros stand for a missing tensor, for which the file is refused below.
    let &[texts, tokens, largest_z, largest_c] = calibration.first_chunk().unwrap_or(&[0; 4]);
    if file.entries_read() != file.entries {
        file.refuse(Fault::UnusedEntry);
    }
    if file.is_refused() {
        return Err(LoadError::Refused);
    }
    Ok(Model {
        config,
        vocabulary: inputs.vocabulary,
        embedding: inputs.embedding,
        folded,
        #[cfg(feature = "ngrams")]
        ngrams,
        value_parts: inputs.value_parts,
        cells,
        packing,
        hidden: outputs.hidden,
        head: outputs.head,
        name,
        labels: outputs.labels,
        golden: inputs.golden,
        golden_logits,
        calibration: Calibration { texts: texts as u32, tokens: tokens as u32, largest_z, largest_c },
        embedding_scale_bits: inputs.scale_bits,
        header_len: file.header.len(),
        file_len: bytes.len(),
    })
}
