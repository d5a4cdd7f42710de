//! A file that is being read, and the first fault found in it.
//!
//! The functions that read a file do not return errors: they record the fault in the [`File`] and return an empty
//! value. At the end the loader checks once if there was a fault, and turns it into a [`LoadError`](crate::LoadError).
//! This keeps the code of the loader small. A build without the feature `errors` records only that there is a fault.
//!
//! An entry of the header is a key of the metadata or a tensor. Entries that were read are marked, so that the loader
//! can refuse a file with entries that it does not know.

use core::cell::Cell;

use super::tensor_names::Tensor;
use crate::features::ERRORS;
use crate::load::dtype::Dtype;
use crate::load::name_hash::NameHash;

/// A key of the metadata, as its index in the list of keys in `metadata`.
pub(crate) type Key = u8;

/// The number of 32-bit words of [`File::marks`].
const MARKS: usize = if ERRORS { 8 } else { 0 };

/// The number of entries that the [`Index`] holds at most. Without the feature `errors` it holds none, and the loader
/// searches the header instead.
const INDEXED: usize = if ERRORS { 64 } else { 0 };

/// The names and places of the entries of a header, so that a look-up does not search the header from its beginning.
struct Index {
    names: [Cell<NameHash>; INDEXED],
    places: [Cell<EntryPlace>; INDEXED],
}

/// The place of an entry in a header.
#[derive(Clone, Copy)]
pub(crate) struct EntryPlace {
    /// The offset in the file of the quote before its name. A header is shorter than 2^15 bytes.
    pub at: u16,
    /// True for a key of the metadata, false for a tensor.
    pub is_key: bool,
}

/// A file that is being read.
// `is_refused` is the first field, because it is set most often, and access to the first field takes the least code.
#[repr(C)]
pub(crate) struct File<'a> {
    is_refused: Cell<bool>,
    pub bytes: &'a [u8],
    /// The header, including its length field. Empty until [`read_header`](crate::load::scanner::read_header).
    pub header: &'a [u8],
    /// The bytes of the tensors, which follow the header. Empty until `read_header`.
    pub data: &'a [u8],
    /// The first fault, if the feature `errors` is on.
    fault: Cell<Fault>,
    /// The number of entries of the header that were read, each once.
    entries_read: Cell<usize>,
    /// The entries that were read, one bit for each index. Entries beyond the last bit are only counted.
    marks: [Cell<u32>; MARKS],
    index: Index,
    /// The number of entries of the header; 0 before they are counted.
    pub entries: usize,
}

impl<'a> File<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        File {
            bytes,
            header: &[],
            data: &[],
            is_refused: Cell::new(false),
            // Unused until `is_refused` is true.
            fault: Cell::new(Fault::Misaligned),
            entries_read: Cell::new(0),
            marks: [const { Cell::new(0) }; MARKS],
            index: Index {
                names: [const { Cell::new(NameHash::EMPTY) }; INDEXED],
                places: [const { Cell::new(EntryPlace { at: 0, is_key: false }) }; INDEXED],
            },
            entries: 0,
        }
    }

    /// Adds the name and the place of the entry with the index `number` to the [`Index`], unless it is full.
    pub(crate) fn add_entry(&self, number: usize, name: NameHash, place: EntryPlace) {
        if let (Some(names), Some(places)) = (self.index.names.get(number), self.index.places.get(number)) {
            names.set(name);
            places.set(place);
        }
    }

    /// Returns the index and the place of the first entry with this name; none if the [`Index`] does not have it.
    pub(crate) fn place_of(&self, name: NameHash) -> Option<(usize, EntryPlace)> {
        let number = self.index.names.iter().take(self.entries).position(|known| known.get() == name)?;
        Some((number, self.index.places.get(number)?.get()))
    }

    /// Returns true if the [`Index`] has all entries.
    pub(crate) fn is_indexed(&self) -> bool {
        self.entries != 0 && self.entries <= self.index.names.len()
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused.get()
    }

    /// The first fault; meaningless if the file is not refused.
    pub(crate) fn fault(&self) -> Fault {
        self.fault.get()
    }

    /// Records a fault, unless there is one already.
    #[cfg_attr(feature = "errors", inline(never))]
    #[cfg_attr(not(feature = "errors"), inline(always))]
    pub(crate) fn refuse(&self, fault: Fault) {
        if ERRORS && !self.is_refused() {
            self.fault.set(fault);
        }
        self.is_refused.set(true);
    }

    /// Marks the entry with this index as read. Must be called once for each entry, because it also counts them.
    pub(crate) fn mark(&self, entry: usize) {
        self.entries_read.set(self.entries_read.get().wrapping_add(1));
        if let Some(marks) = self.marks.get(entry / 32) {
            marks.set(marks.get() | 1 << (entry % 32));
        }
    }

    /// The number of entries that were read.
    pub(crate) fn entries_read(&self) -> usize {
        self.entries_read.get()
    }

    /// Returns true if the entry with this index was read.
    pub(crate) fn is_marked(&self, entry: usize) -> bool {
        self.marks.get(entry / 32).is_some_and(|marks| marks.get() >> (entry % 32) & 1 != 0)
    }
}

/// The text that was expected in a header: see `explain::header_text`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Literal(&'static str),
    Length,
    Dimension,
    Number,
    SmallNumber,
    Spaces,
}

/// A fault as the loader records it, with hashes and indices in place of names. `explain` turns each variant into one
/// of [`LoadError`](crate::LoadError), which documents it. `at`: the offset in the file of the quote before the entry's
/// name; in `Header`, the offset at which the text was expected.
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
    /// A value that is not part of the format.
    UnknownValue {
        at: usize,
    },
    /// A value that cannot be combined with the values of other keys.
    Conflict {
        key: Key,
        expected: &'static str,
    },
    /// The lengths of n-grams cannot be combined with each other or with the rest of the model.
    #[cfg(feature = "ngrams")]
    Ngrams {
        expected: &'static str,
    },
    /// The file has an n-gram branch, which is not built in.
    #[cfg(not(feature = "ngrams"))]
    NgramsNotBuilt,
    /// A value that needs a feature that is not built in.
    NotBuilt {
        key: Key,
        /// The index of the value in the list of the key's values.
        value: u8,
    },
    MissingKey(NameHash),
    MissingTensor(Tensor),
    /// An entry that the model does not use.
    UnusedEntry,
    Type {
        tensor: Tensor,
        expected: Dtype,
    },
    Shape {
        tensor: Tensor,
        found: [u32; 3],
        expected: [u32; 3],
    },
    ByteRange {
        at: usize,
    },
    /// `table`: the tensor of the offsets; for a single text, such as the model's name, its own tensor.
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
