//! Ids to vectors.

use core::num::NonZeroUsize;

use crate::fixed::embedded;
use crate::kernel::embed4;
use crate::rows::row;

/// The embedding table, borrowed from the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Embedding<'a> {
    pub embedding_dim: NonZeroUsize,
    /// `[vocab_size · embedding_dim]`
    pub weight: &'a [i8],
    /// `[vocab_size]`
    pub multiplier: &'a [i16],
}

impl Embedding<'_> {
    /// Writes the vector of a token to `x`, `[embedding_dim]`, Q15. |x| ≤ 32,512.
    #[inline]
    pub(crate) fn embed(&self, id: u32, x: &mut [i16]) {
        if let (Some(row), Some(&multiplier)) =
            (row(self.weight, self.embedding_dim, id as usize), self.multiplier.get(id as usize))
        {
            // By fours: a loop's own instructions are half of one value's.
            let ((x, x_rest), (row, row_rest)) = (x.as_chunks_mut::<4>(), row.as_chunks::<4>());
            for (x, w) in x.iter_mut().zip(row) {
                *x = embed4(*w, multiplier);
            }
            for (x, &w) in x_rest.iter_mut().zip(row_rest) {
                *x = embedded(w, multiplier);
            }
        }
    }
}
