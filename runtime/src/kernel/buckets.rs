//! The buckets of a hash table.
#![allow(unsafe_code)]

/// The rows of a hash table, one after the other. Their size and their number are powers of 2, so that a mask turns a
/// hash into an index.
#[derive(Clone, Copy, Debug)]
#[repr(C)] // One instruction reads the mask and the address.
pub(crate) struct Buckets<'a> {
    /// The number of bytes less 1.
    mask: usize,
    bytes: &'a [u8],
}

impl<'a> Buckets<'a> {
    /// The rows with these bytes; none if there are no bytes.
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        Some(Buckets { mask: bytes.len().checked_sub(1)?, bytes })
    }

    /// The number of bytes.
    pub(crate) fn byte_len(self) -> usize {
        self.bytes.len()
    }

    /// The bytes from the beginning of the row of a hash on. `row_shift`: a row has 2 to this power bytes.
    #[inline(always)]
    pub(crate) fn row(self, hash: u32, row_shift: u32) -> &'a [u8] {
        let begin = (hash << row_shift) as usize & self.mask;
        // SAFETY: `begin` is at most the mask, which is less than the number of bytes. A comparison for every n-gram
        // would take a tenth of the time of the branch.
        unsafe { self.bytes.get_unchecked(begin..) }
    }

    /// The row of a hash, if a row is one byte.
    #[inline(always)]
    pub(crate) fn byte(self, hash: u32) -> u8 {
        // SAFETY: as in `row`.
        unsafe { *self.bytes.get_unchecked(hash as usize & self.mask) }
    }
}
