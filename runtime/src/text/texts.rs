//! A table of texts in a device file: the bytes of all texts, and the offset at which each begins.
//!
//! The labels, the vocabulary, the names of channels and the golden examples are stored in this form.

use crate::invariant::Guaranteed;
use crate::text::is_utf8;

/// A table of texts, borrowed from a device file.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    /// The start of each text in `bytes`, and the end of the last: `[len + 1]`, from 0 to `bytes.len()`, never
    /// decreasing; checked when the table is created.
    offsets: &'a [u32],
    /// The texts one after the other, without anything between them.
    bytes: &'a [u8],
}

/// Checks that offsets begin at 0, never decrease and end at `length`. The error is the index of the first text with
/// wrong offsets: the last text if the last offset is not `length`, and 0 if there are no offsets.
pub(crate) fn check_offsets(offsets: &[u32], length: usize) -> Result<(), usize> {
    let mut previous = 0;
    for (index, &offset) in offsets.iter().enumerate() {
        if offset < previous || (index == 0 && offset != 0) {
            // The offset with this index is the end of the text before it.
            return Err(index.saturating_sub(1));
        }
        previous = offset;
    }
    match offsets.is_empty() || previous as usize != length {
        // The last of `offsets.len() - 1` texts.
        true => Err(offsets.len().saturating_sub(2)),
        false => Ok(()),
    }
}

impl<'a> Texts<'a> {
    /// An empty table.
    pub(crate) const EMPTY: Texts<'static> = Texts { offsets: &[0], bytes: &[] };

    /// Checks a table. The error is the index of the first text that has wrong offsets or is not UTF-8.
    pub(crate) fn new(offsets: &'a [u32], bytes: &'a [u8]) -> Result<Self, usize> {
        check_offsets(offsets, bytes.len())?;
        let texts = Texts { offsets, bytes };
        match (0..texts.len()).find(|&i| !is_utf8(texts.bytes(i))) {
            Some(index) => Err(index),
            None => Ok(texts),
        }
    }

    /// The number of texts.
    pub fn len(&self) -> usize {
        // A table has one more offset than texts, and therefore at least one.
        self.offsets.len().wrapping_sub(1)
    }

    /// Returns true if there are no texts.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of bytes in the file, offsets included; 0 if there are no texts, because [`Texts::EMPTY`] is in no
    /// file.
    pub(crate) fn byte_len(&self) -> usize {
        if self.is_empty() { 0 } else { 4 * self.offsets.len() + self.bytes.len() }
    }

    /// The bytes of one text; empty beyond the last one.
    #[inline]
    pub(crate) fn bytes(&self, index: usize) -> &'a [u8] {
        match (self.offsets.get(index), self.offsets.get(index + 1)) {
            (Some(&begin), Some(&end)) => self.bytes.get(begin as usize..end as usize).unwrap_or(&[]),
            _ => &[],
        }
    }

    /// One text; none beyond the last one.
    pub fn get(&self, index: usize) -> Option<&'a str> {
        if index < self.len() { core::str::from_utf8(self.bytes(index)).ok() } else { None }
    }

    /// All texts in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        let texts = *self;
        (0..self.len()).map(move |i| texts.get(i).guaranteed())
    }
}
