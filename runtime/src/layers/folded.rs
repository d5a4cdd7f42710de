//! Folded tokens: frequent tokens for which the file stores the input projection of the first layer, so that a step
//! does not compute it. `docs/arithmetic.md`, "Folding", defines them.

use core::num::NonZeroUsize;

use crate::rows::row;

/// The input projections of the first layer for the folded tokens, borrowed from the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Folded<'a> {
    /// The device ids of the folded tokens, strictly ascending.
    pub ids: &'a [u32],
    /// The projections W_ih·x + b of each token, forward and reverse: `[ids][hidden_size * sums_of_unit]` each, in the
    /// order of the layer's biases; the fourth number of a GRU unit is its bias b_hn. The reverse ones are empty if the
    /// model has one direction.
    pub sums: [&'a [i32]; 2],
    /// The number of sums of a token in one direction: hidden_size · sums_of_unit.
    pub width: NonZeroUsize,
}

impl<'a> Folded<'a> {
    /// No folded tokens.
    pub(crate) const NONE: Folded<'static> = Folded { ids: &[], sums: [&[]; 2], width: NonZeroUsize::MIN };

    /// Returns the input projection of a token in one direction, `[hidden_size * sums_of_unit]`; none if the token is
    /// not folded. The function is not inlined, so that models without folded tokens pay for one check only.
    #[inline(never)]
    pub(crate) fn find(&self, id: u32, is_reverse: bool) -> Option<&'a [i32]> {
        let [forward, reverse] = self.sums;
        row(if is_reverse { reverse } else { forward }, self.width, self.ids.binary_search(&id).ok()?)
    }

    /// The bytes of flash: ids and sums.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.ids) + self.sums.iter().map(|sums| size_of_val(*sums)).sum::<usize>()
    }
}
