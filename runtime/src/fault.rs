//! Why a file is refused, in the few bytes that the loader keeps of it.
//!
//! The loader's functions say no more than that a file is refused; why lies with the [`File`]. A [`LoadError`](crate::LoadError), all that a
//! caller may read, is put together at the end. A build without the feature `errors` keeps nothing of it.

use core::cell::Cell;

use crate::error::LoadError;
use crate::header::Dtype;
use crate::model::{Place, Tensor};
use crate::parts::ERRORS;

/// The file is refused: [`File::fault`] says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused;

impl From<Refused> for LoadError {
    fn from(_: Refused) -> Self {
        LoadError::Refused
    }
}

pub(crate) type Checked<T> = Result<T, Refused>;

/// A file that is read.
pub(crate) struct File<'a> {
    pub bytes: &'a [u8],
    /// Its header with the length before it, and what follows. Empty until [`read_header`](crate::header::read_header).
    pub header: &'a [u8],
    pub data: &'a [u8],
    fault: Cell<Fault<'a>>,
}

impl<'a> File<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        File { bytes, header: &[], data: &[], fault: Cell::new(Fault::Misaligned) }
    }

    /// Why it is refused.
    pub(crate) fn fault(&self) -> Fault<'a> {
        self.fault.get()
    }

    /// [`refuse`](File::refuse) for what returns a [`LoadError`].
    #[inline(always)]
    pub(crate) fn refused(&self, fault: Fault<'a>) -> LoadError {
        self.refuse(fault).unwrap_or_else(LoadError::from)
    }

    #[inline(always)]
    pub(crate) fn refuse<T>(&self, fault: Fault<'a>) -> Checked<T> {
        if ERRORS {
            self.fault.set(fault);
        }
        Err(Refused)
    }
}

/// What should stand in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Literal(&'static str),
    Length,
    Type,
    Dimension,
    Number,
    SmallNumber,
    Spaces,
}

/// A key of the metadata, by its place in the list of them.
pub(crate) type Key = u8;

/// What is wrong, by the variant of [`LoadError`](crate::LoadError) that tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault<'a> {
    Misaligned,
    Truncated {
        expected: usize,
    },
    TrailingBytes {
        expected: usize,
    },
    Header {
        at: usize,
        expected: Expected,
    },
    /// No word of the format. `key`: as it stands in the file
    Word {
        key: &'a [u8],
        found: &'a [u8],
    },
    /// A word that does not go with those of other keys.
    Misfit(Key),
    /// A word of the format whose part is not built in.
    NotBuilt {
        key: Key,
        word: u8,
    },
    MissingKey(Key),
    /// Of a layer, or of the last one.
    MissingShift(Option<Place>),
    MissingTensor(Tensor),
    UnknownKey(&'a [u8]),
    UnknownTensor(&'a [u8]),
    Duplicate(&'a [u8]),
    Type {
        tensor: Tensor,
        expected: Dtype,
    },
    Shape {
        tensor: Tensor,
        found: [u32; 3],
        expected: [u32; 3],
    },
    Place(&'a [u8]),
    /// `table`: the tensor of its offsets, or itself
    Texts {
        table: Tensor,
        index: usize,
    },
    VocabularyOrder {
        index: usize,
    },
    Range {
        tensor: Tensor,
        index: usize,
    },
    Overflow {
        tensor: Tensor,
        row: usize,
    },
}
