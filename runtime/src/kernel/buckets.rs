//! The buckets of the n-gram table, looked up without a bounds check.
#![allow(unsafe_code)]

/// The rows of the n-gram table, one after the other, or their fingerprints of one byte each. The size of a row and the
/// number of rows are powers of 2, so that a shift and a mask turn a hash into the index of a byte.
#[derive(Clone, Copy, Debug)]
#[repr(C)] // One instruction reads the mask and the address.
pub(crate) struct Buckets<'a> {
    /// The number of bytes less 1: a mask for the index of a byte, because the number is a power of 2.
    mask: usize,
    bytes: &'a [u8],
}

impl<'a> Buckets<'a> {
    /// The rows that these bytes hold; none if there are no bytes. The loader checks that their number is a power of 2.
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        Some(Buckets { mask: bytes.len().checked_sub(1)?, bytes })
    }

    /// The number of bytes.
    pub(crate) fn byte_len(self) -> usize {
        self.bytes.len()
    }

    /// The bytes from the beginning of the row of a hash to the end of the table. A row has 2^`row_shift` bytes.
    #[inline(always)]
    pub(crate) fn row(self, hash: u32, row_shift: u32) -> &'a [u8] {
        // The mask keeps the hash modulo the number of rows, since the shift has made it a multiple of a row's size.
        let begin = (hash << row_shift) as usize & self.mask;
        // SAFETY: `begin` is at most the mask, which is less than the number of bytes. To check the bounds for every
        // n-gram would take a tenth of the time of the n-gram branch.
        unsafe { self.bytes.get_unchecked(begin..) }
    }

    /// The row of a hash in a table whose rows are one byte each.
    #[inline(always)]
    pub(crate) fn byte(self, hash: u32) -> u8 {
        // SAFETY: as in `row`.
        unsafe { *self.bytes.get_unchecked(hash as usize & self.mask) }
    }
}
