//! Input halves that are ready-made: docs/arithmetic.md, "Folding".

use core::num::NonZeroUsize;

use crate::rows::row;

/// The first layer's sums for the most frequent tokens, borrowed from the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Folded<'a> {
    /// Strictly ascending.
    pub ids: &'a [u32],
    /// Forward, reverse: `[ids][hidden_size · rows]`, the rows of a unit as its layer's biases have them
    pub sums: [&'a [i32]; 2],
    /// hidden_size · rows
    pub width: NonZeroUsize,
}

impl<'a> Folded<'a> {
    /// No token is folded.
    pub(crate) const NONE: Folded<'static> = Folded { ids: &[], sums: [&[]; 2], width: NonZeroUsize::MIN };

    /// A token's sums in one direction, if it is folded. `[hidden_size · rows]`. Apart, lest models without any pay for more than one question.
    #[inline(never)]
    pub(crate) fn find(&self, id: u32, reverse: bool) -> Option<&'a [i32]> {
        let [forward, back] = self.sums;
        row(if reverse { back } else { forward }, self.width, self.ids.binary_search(&id).ok()?)
    }

    /// Bytes of flash.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.ids) + self.sums.iter().map(|sums| size_of_val(*sums)).sum::<usize>()
    }
}
