//! From what the loader keeps of a [`Fault`] to what a caller reads.

use super::keys::{Kind, explained};
use super::names::Tensor;
use crate::error::{LoadError, Name};
use crate::fault::{Expected, Fault, File};
use crate::header::Dtype;
use crate::kind::CellKind;
use crate::parts::{ERRORS, FOLDING, WIDTHS};

/// Why the file is refused, in full where that is built in.
pub(super) fn explain(file: &File<'_>) -> LoadError {
    if ERRORS { in_full(file) } else { LoadError::Refused }
}

fn in_full(file: &File<'_>) -> LoadError {
    let (fault, found) = (file.fault(), file.bytes.len());
    // Reading it again changes the file's fault, which is at hand.
    let cell = Kind::read(file).map_or(CellKind::Lstm, |kind| kind.cell);
    let name = |tensor: Tensor| tensor.name(cell);
    match fault {
        Fault::Misaligned => LoadError::Misaligned,
        Fault::Truncated { expected } => LoadError::Truncated { found, expected },
        Fault::TrailingBytes { expected } => LoadError::TrailingBytes { found, expected },
        Fault::Header { at, expected } => LoadError::Header { at, expected: in_header(expected) },
        Fault::Word { key, found } => unsupported(Name::of_bytes(key), found, explained::words_for(key)),
        Fault::Misfit(key) => {
            let (found, expected) = explained::misfit(file, key);
            unsupported(explained::key(key), found.as_bytes(), expected)
        }
        Fault::NotBuilt { key, word } => {
            LoadError::MissingFeature { name: explained::key(key), feature: explained::feature(key, word) }
        }
        Fault::MissingKey(key) => LoadError::MissingKey(explained::key(key)),
        Fault::MissingShift(place) => LoadError::MissingKey(explained::shift(cell, place)),
        Fault::MissingTensor(tensor) => LoadError::MissingTensor(name(tensor)),
        Fault::UnknownKey(key) => LoadError::UnknownKey(Name::of_bytes(key)),
        Fault::UnknownTensor(unknown) => match feature_of(unknown) {
            Some(feature) => LoadError::MissingFeature { name: Name::of_bytes(unknown), feature },
            None => LoadError::UnknownTensor(Name::of_bytes(unknown)),
        },
        Fault::Duplicate(twice) => LoadError::Duplicate(Name::of_bytes(twice)),
        Fault::Type { tensor, expected: Dtype::I8 } if !WIDTHS && tensor.can_be_wide() => {
            LoadError::MissingFeature { name: name(tensor), feature: "widths" }
        }
        Fault::Type { tensor, expected } => LoadError::Type { tensor: name(tensor), expected: expected.name() },
        Fault::Shape { tensor, found, expected } => LoadError::Shape { tensor: name(tensor), found, expected },
        Fault::Place(tensor) => LoadError::Place(Name::of_bytes(tensor)),
        Fault::Texts { table, index } => LoadError::Texts { table: table.table(), index },
        Fault::VocabularyOrder { index } => LoadError::VocabularyOrder { index },
        Fault::Range { tensor, index } => LoadError::Range { tensor: name(tensor), index },
        Fault::Overflow { tensor, row } => LoadError::Overflow { tensor: name(tensor), row },
    }
}

fn unsupported(key: Name, found: &[u8], expected: &'static str) -> LoadError {
    LoadError::Unsupported { key, found: Name::of_bytes(found), expected }
}

/// The feature without which a build does not know a tensor that others do.
fn feature_of(tensor: &[u8]) -> Option<&'static str> {
    if !FOLDING && tensor.starts_with(b"folded.") {
        Some("folding")
    } else if !WIDTHS && tensor.ends_with(b".group_multiplier") {
        Some("widths")
    } else {
        None
    }
}

fn in_header(expected: Expected) -> &'static str {
    match expected {
        Expected::Literal(literal) => literal,
        Expected::Length => "a header length that is a multiple of 8 and below 2^24",
        Expected::Type => "a type among U8, I8, I16, U32, I32, F32",
        Expected::Dimension => "a dimension of at least 1",
        Expected::Number => "a number",
        Expected::SmallNumber => "a number below 2^31 without leading zeros",
        Expected::Spaces => "spaces to the header's end",
    }
}
