//! The embedding: turns a token id into a vector, which is the input of the first recurrent layer.

#[cfg(dsp)]
use crate::features::ONLY_PAIRED;
use crate::fixed::embedded;
#[cfg(feature = "widths")]
use crate::fixed::embedded_wide;
#[cfg(feature = "widths")]
use crate::invariant::Guaranteed;
#[cfg(dsp)]
use crate::kernel::dsp;
#[cfg(feature = "widths")]
use crate::kernel::{GROUP, pair};
use crate::layers::matrix::{Matrix, Weights};
#[cfg(feature = "widths")]
use crate::rows::pieces;
use crate::rows::row;

/// The embedding table, borrowed from the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Embedding<'a> {
    /// The weights, with a row for each token: `[vocab_size, embedding_dim]`.
    pub weight: Matrix<'a>,
    /// The multiplier of each row: `[vocab_size]`.
    pub multiplier: &'a [i16],
}

/// Writes the embedded values of a row of 8-bit weights to `x`. `weights`, `x`: `[embedding_dim]`.
#[cfg_attr(dsp, cold)]
#[cfg_attr(dsp, inline(never))]
#[cfg_attr(not(dsp), inline(always))]
fn embed_8_bit(weights: &[i8], multiplier: i16, x: &mut [i16]) {
    // Each turn of this loop computes four values, because the loop's own instructions cost half as much as a value.
    // The loop after it computes the last values, at most three.
    #[cfg(not(dsp))]
    let (x, weights) = {
        let ((fours, last_x), (weights_of_fours, last_weights)) = (x.as_chunks_mut::<4>(), weights.as_chunks::<4>());
        for (four, four_weights) in fours.iter_mut().zip(weights_of_fours) {
            *four = four_weights.map(|w| embedded(w, multiplier));
        }
        (last_x, last_weights)
    };
    for (x, &w) in x.iter_mut().zip(weights) {
        *x = embedded(w, multiplier);
    }
}

impl Embedding<'_> {
    /// Writes the vector of a token to `x`, `[embedding_dim]`, Q15; |x| ≤ 32,767. The id must be below the vocabulary
    /// size.
    #[inline]
    pub(crate) fn embed(&self, id: u32, x: &mut [i16]) {
        let index = id as usize;
        match self.weight.weights {
            Weights::Bits8(weights) => {
                let row = row(weights, self.weight.columns, index);
                debug_assert!(row.is_some(), "the id is below the vocabulary size");
                let (Some(&multiplier), Some(row)) = (self.multiplier.get(index), row) else { return };
                // The kernel returns false for sizes that are not multiples of 4. They do not occur if `paired16` is
                // the only packing.
                #[cfg(dsp)]
                if dsp::embed(row, multiplier, x) || ONLY_PAIRED {
                    return;
                }
                embed_8_bit(row, multiplier, x);
            }
            #[cfg(feature = "widths")]
            _ => self.embed_4_or_16_bit(index, x),
        }
    }

    /// Does the same as [`embed`](Embedding::embed), for 4-bit and 16-bit weights.
    #[cfg(feature = "widths")]
    #[inline(never)]
    fn embed_4_or_16_bit(&self, index: usize, x: &mut [i16]) {
        debug_assert!(index < self.multiplier.len(), "the id is below the vocabulary size");
        let Some(&multiplier) = self.multiplier.get(index) else { return };
        match self.weight.weights {
            // `embed` handles 8-bit weights itself.
            Weights::Bits8(_) => {}
            Weights::Bits4 { .. } => {
                let (pairs, group_multipliers) = self.weight.row_of_groups(index).guaranteed();
                let groups = x.chunks_mut(GROUP).zip(pieces::<{ GROUP / 2 }, _>(pairs)).zip(group_multipliers);
                for ((x, pairs), &group_multiplier) in groups {
                    for (x, w) in x.iter_mut().zip(pairs.iter().flat_map(|&byte| pair(byte))) {
                        // The loader checks that weights are within ±7 and multipliers at most 18, so the product fits.
                        *x = embedded(w.wrapping_mul(group_multiplier as i8), multiplier);
                    }
                }
            }
            Weights::Bits16(weights) => {
                let row = row(weights, self.weight.columns, index).guaranteed();
                x.iter_mut().zip(row).for_each(|(x, &w)| *x = embedded_wide(w, multiplier));
            }
        }
    }
}
