//! A table of texts in a file.

use crate::text::is_utf8;

/// Texts of a device file: labels, golden texts or the vocabulary, borrowed from it.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    /// `[len + 1]`, from 0 to `bytes.len()`, never falling: checked when it is made.
    offsets: &'a [u32],
    bytes: &'a [u8],
}

/// Offsets begin at 0, never fall and end at `length`. The text's index is the error.
pub(crate) fn check_offsets(offsets: &[u32], length: usize) -> Result<(), usize> {
    let mut begin = 0;
    for (index, &end) in offsets.iter().enumerate() {
        if end < begin || (index == 0 && end != 0) {
            return Err(index.saturating_sub(1));
        }
        begin = end;
    }
    match offsets.is_empty() || begin as usize != length {
        true => Err(offsets.len().saturating_sub(2)),
        false => Ok(()),
    }
}

impl<'a> Texts<'a> {
    /// No texts.
    pub(crate) const EMPTY: Texts<'static> = Texts { offsets: &[0], bytes: &[] };

    /// The index of a text that is cut wrongly or is not UTF-8 is the error.
    pub(crate) fn new(offsets: &'a [u32], bytes: &'a [u8]) -> Result<Self, usize> {
        check_offsets(offsets, bytes.len())?;
        let texts = Texts { offsets, bytes };
        match (0..texts.len()).find(|&i| !is_utf8(texts.bytes(i))) {
            Some(index) => Err(index),
            None => Ok(texts),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        // There is one more of them, always.
        self.offsets.len().wrapping_sub(1)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes in the file, with the offsets.
    pub(crate) fn byte_len(&self) -> usize {
        4 * self.offsets.len() + self.bytes.len()
    }

    /// The bytes of one, empty beyond the last.
    #[inline]
    pub(crate) fn bytes(&self, index: usize) -> &'a [u8] {
        match (self.offsets.get(index), self.offsets.get(index + 1)) {
            (Some(&begin), Some(&end)) => self.bytes.get(begin as usize..end as usize).unwrap_or(&[]),
            _ => &[],
        }
    }

    /// One text.
    pub fn get(&self, index: usize) -> Option<&'a str> {
        if index < self.len() { core::str::from_utf8(self.bytes(index)).ok() } else { None }
    }

    /// All of them in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        let texts = *self;
        (0..self.len()).map(move |i| texts.get(i).unwrap_or(""))
    }
}
