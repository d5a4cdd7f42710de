//! A file that is read, and why it is refused.
//!
//! The first fault stays with the [`File`]; whoever reads goes on and finds nothing more, and the loader looks once, at its end. A
//! [`LoadError`](crate::LoadError), all that a caller may read, is put together then. A build without the feature `errors` keeps no more
//! than that there is a fault.

use core::cell::Cell;

use super::tensor_names::Tensor;
use crate::features::ERRORS;
use crate::load::dtype::Dtype;
use crate::load::name_hash::Fingerprint;

/// A key of the metadata, by its index in the list of keys.
pub(crate) type Key = u8;

/// Words of 32 bits for [`File::marks`].
const MARKS: usize = if ERRORS { 8 } else { 0 };

/// A file that is read.
// In this order, because what is set most often is set in the fewest bytes of code at the beginning.
#[repr(C)]
pub(crate) struct File<'a> {
    is_refused: Cell<bool>,
    pub bytes: &'a [u8],
    /// Its header with the length before it, and what follows. Empty until [`read_header`](crate::load::scanner::read_header).
    pub header: &'a [u8],
    pub data: &'a [u8],
    /// The first one, where errors are told.
    fault: Cell<Fault>,
    /// How many entries of the header were asked for.
    asked: Cell<usize>,
    /// Which, a bit each; those beyond are not told apart.
    marks: [Cell<u32>; MARKS],
}

impl<'a> File<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        File {
            bytes,
            header: &[],
            data: &[],
            is_refused: Cell::new(false),
            fault: Cell::new(Fault::Misaligned),
            asked: Cell::new(0),
            marks: [const { Cell::new(0) }; MARKS],
        }
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused.get()
    }

    /// Why it is refused.
    pub(crate) fn fault(&self) -> Fault {
        self.fault.get()
    }

    /// Nothing more is read. The first fault stays.
    #[inline(always)]
    pub(crate) fn refuse(&self, fault: Fault) {
        if ERRORS && !self.is_refused() {
            self.fault.set(fault);
        }
        self.is_refused.set(true);
    }

    /// Notes that an entry was asked for, by its number.
    pub(crate) fn mark(&self, entry: usize) {
        self.asked.set(self.asked.get().wrapping_add(1));
        if let Some(marks) = self.marks.get(entry / 32) {
            marks.set(marks.get() | 1 << (entry % 32));
        }
    }

    /// How many entries were asked for.
    pub(crate) fn asked(&self) -> usize {
        self.asked.get()
    }

    /// Whether an entry was asked for, by its number.
    pub(crate) fn is_marked(&self, entry: usize) -> bool {
        self.marks.get(entry / 32).is_some_and(|marks| marks.get() >> (entry % 32) & 1 != 0)
    }
}

/// What should stand in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Literal(&'static str),
    Length,
    Dimension,
    Number,
    SmallNumber,
    Spaces,
}

/// What is wrong, by the variant of [`LoadError`](crate::LoadError) that tells of it. `at`: where an entry of the header stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
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
    /// No word of the format.
    Word {
        at: usize,
    },
    /// A value that cannot be combined with the values of other keys.
    Misfit {
        key: Key,
        expected: &'static str,
    },
    /// A word of the format whose part is not built in.
    NotBuilt {
        key: Key,
        word: u8,
    },
    MissingKey(Fingerprint),
    MissingTensor(Tensor),
    /// An entry that nobody asked for.
    Left,
    Type {
        tensor: Tensor,
        expected: Dtype,
    },
    Shape {
        tensor: Tensor,
        found: [u32; 3],
        expected: [u32; 3],
    },
    Place {
        at: usize,
    },
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
