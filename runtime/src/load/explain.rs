//! Turns the recorded fault of a file into a [`LoadError`], which has names of keys and tensors instead of hashes. The
//! module [`load`](super) gives the reason for the attributes `inline`.

use super::metadata::explained;
use crate::error::{LoadError, Name};
use crate::features::{ERRORS, FOLDING, HIDDEN, REFUSAL, WIDTHS};
use crate::load::dtype::Dtype;
use crate::load::file::{Expected, Fault, File};
use crate::load::scanner::{Scanner, read_header, string_at};
use tern_format::names::key::NGRAM_WORDS;

/// The error for a file that is refused; [`LoadError::Refused`] without the feature `errors`.
#[cfg_attr(feature = "errors", inline)]
pub(super) fn explain(file: &File<'_>) -> LoadError {
    if ERRORS { full_error(file) } else { LoadError::Refused }
}

/// The error for the recorded fault, with names.
#[cfg_attr(feature = "errors", inline)]
fn full_error(file: &File<'_>) -> LoadError {
    let found = file.bytes.len();
    // The scanner stops at once if its `File` has a fault, so look-ups by name use a second `File` of the same bytes.
    // The text at a known offset can be read from either.
    let mut readable = File::new(file.bytes);
    read_header(&mut readable);
    match file.fault() {
        Fault::Misaligned => LoadError::Misaligned,
        Fault::Truncated { expected } => LoadError::Truncated { found, expected },
        Fault::TrailingBytes { expected } => LoadError::TrailingBytes { found, expected },
        Fault::Header { at, expected } => LoadError::Header { at, expected: header_text(expected) },
        Fault::UnknownValue { at } => {
            let [key, value] = explained::key_and_value(file, at);
            unsupported(Name::of_bytes(key), value, explained::values_of(key))
        }
        Fault::Conflict { key, expected } => {
            unsupported(explained::key(key), explained::value(&readable, key).as_bytes(), expected)
        }
        #[cfg(feature = "ngrams")]
        Fault::Ngrams { expected } => {
            // The fault may be in `words`, `min_chars` or `max_chars`, or in their combination with the rest of the
            // model. The error always names `words`.
            let [words, ..] = super::ngrams::KEYS;
            let [_, value] = explained::key_and_value(file, readable.find(words).entry.at);
            unsupported(Name::new(NGRAM_WORDS), value, expected)
        }
        #[cfg(not(feature = "ngrams"))]
        Fault::NgramsNotBuilt => LoadError::MissingFeature { name: Name::new(NGRAM_WORDS), feature: "ngrams" },
        Fault::NotBuilt { key, value } => {
            LoadError::MissingFeature { name: explained::key(key), feature: explained::feature(key, value) }
        }
        Fault::MissingKey(key) => LoadError::MissingKey(explained::name(key)),
        Fault::MissingTensor(tensor) => LoadError::MissingTensor(tensor.name()),
        Fault::UnusedEntry => unused_entry(file, &readable),
        // The file may be valid: such a tensor may have 4 or 16 bits, which only the feature can read.
        Fault::Type { tensor, expected: Dtype::I8 } if !WIDTHS && tensor.may_have_other_widths() => {
            LoadError::MissingFeature { name: tensor.name(), feature: "widths" }
        }
        Fault::Type { tensor, expected } => LoadError::Type { tensor: tensor.name(), expected: expected.name() },
        Fault::Shape { tensor, found, expected } => LoadError::Shape { tensor: tensor.name(), found, expected },
        Fault::ByteRange { at } => LoadError::ByteRange(Name::of_bytes(string_at(file, at))),
        Fault::Texts { table, index } => LoadError::Texts { table: table.table(), index },
        Fault::VocabularyOrder { index } => LoadError::VocabularyOrder { index },
        Fault::Range { tensor, index } => LoadError::Range { tensor: tensor.name(), index },
        Fault::Overflow { tensor, row } => LoadError::Overflow { tensor: tensor.name(), row },
    }
}

/// Returns the error for the first entry of the header that the loader has not read. `readable`: a [`File`] of the same
/// bytes without a recorded fault.
#[cfg_attr(feature = "errors", inline)]
fn unused_entry(file: &File<'_>, readable: &File<'_>) -> LoadError {
    let mut scanner = Scanner::new(readable);
    // Skips the entries that the loader has read.
    while scanner.next() && file.is_marked(scanner.entry.number) {}
    let entry = scanner.entry;
    let full_name = string_at(file, entry.at);
    let name = Name::of_bytes(full_name);
    // The look-up finds the first entry with the name; if that is an earlier one, this one is a duplicate.
    if readable.find(entry.name).entry.number < entry.number {
        return LoadError::Duplicate(name);
    }
    match feature_of(full_name) {
        Some(feature) => LoadError::MissingFeature { name, feature },
        None if entry.is_key => LoadError::UnknownKey(name),
        None => LoadError::UnknownTensor(name),
    }
}

#[cfg_attr(feature = "errors", inline)]
fn unsupported(key: Name, found: &[u8], expected: &'static str) -> LoadError {
    LoadError::Unsupported { key, found: Name::of_bytes(found), expected }
}

/// Returns the feature that a key or a tensor with this name needs, if this feature is off; otherwise none. A feature
/// that the value of a key needs, such as that of a cell or of a packing, is not listed, because the loader has
/// recorded [`Fault::NotBuilt`] for it before.
fn feature_of(name: &[u8]) -> Option<&'static str> {
    if !FOLDING && name.starts_with(b"folded.") {
        Some("folding")
    } else if !HIDDEN && (name == b"tern.shift.hidden" || name.starts_with(b"hidden.")) {
        Some("hidden")
    } else if !WIDTHS && name.ends_with(b".group_multiplier") {
        Some("widths")
    } else if !REFUSAL && name == b"refusal" {
        Some("refusal")
    } else {
        None
    }
}

/// Describes the text that was expected in the header.
fn header_text(expected: Expected) -> &'static str {
    match expected {
        Expected::Literal(literal) => literal,
        Expected::Length => "a header length that is a multiple of 8 and below 2^15",
        Expected::Dimension => "a dimension of at least 1",
        Expected::Number => "a number",
        Expected::SmallNumber => "a number of at most 2147483639 without leading zeros",
        Expected::Spaces => "spaces to the header's end",
    }
}
