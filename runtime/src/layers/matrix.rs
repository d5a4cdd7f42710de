//! A matrix of weights of 4, 8 or 16 bits, row by row.

use core::num::NonZeroUsize;

use crate::kernel::dot;
#[cfg(feature = "widths")]
use crate::kernel::{GROUP, dot_groups, dot_wide, pair};
#[cfg(feature = "widths")]
use crate::rows::pieces;
use crate::rows::row;

/// The weights of a [`Matrix`], borrowed from the file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Weights<'a> {
    /// `[rows · columns]`
    Bits8(&'a [i8]),
    /// Two columns in a byte, the even one in its lower half, −7 … 7 each. A weight is that times its group's multiplier, 1 … 18.
    #[cfg(feature = "widths")]
    Bits4 {
        /// `[rows · columns / 2]`
        pairs: &'a [u8],
        /// `[rows · ⌈columns / 16⌉]`
        groups: &'a [u8],
    },
    /// In 256ths of the other widths' weights. `[rows · columns]`
    #[cfg(feature = "widths")]
    Bits16(&'a [i16]),
}

/// Weights by rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix<'a> {
    pub columns: NonZeroUsize,
    pub weights: Weights<'a>,
}

impl<'a> Matrix<'a> {
    /// Of no rows.
    pub(crate) const EMPTY: Matrix<'static> = Matrix { columns: NonZeroUsize::MIN, weights: Weights::Bits8(&[]) };

    /// The sum of one row with `v`, `[columns]`, Q15, and its bias; none beyond the last.
    #[cfg_attr(feature = "widths", inline(never))]
    pub(crate) fn dot(&self, index: usize, v: &[i16], bias: i32) -> Option<i32> {
        match self.weights {
            Weights::Bits8(weights) => Some(dot(row(weights, self.columns, index)?, v, bias)),
            #[cfg(feature = "widths")]
            Weights::Bits4 { .. } => {
                let (pairs, groups) = self.row_of_groups(index)?;
                Some(dot_groups(pairs, groups, v, bias))
            }
            #[cfg(feature = "widths")]
            Weights::Bits16(weights) => Some(dot_wide(row(weights, self.columns, index)?, v) + bias),
        }
    }

    /// One row of 4-bit weights and its groups' multipliers; none of other widths, or beyond the last.
    #[cfg(feature = "widths")]
    pub(crate) fn row_of_groups(&self, index: usize) -> Option<(&'a [u8], &'a [u8])> {
        let Weights::Bits4 { pairs, groups } = self.weights else { return None };
        let columns = self.columns.get();
        let (bytes, multipliers) = (NonZeroUsize::new(columns / 2)?, NonZeroUsize::new(columns.div_ceil(GROUP))?);
        Some((row(pairs, bytes, index)?, row(groups, multipliers, index)?))
    }

    /// Whether its weights are 256ths: their rows are in no pairs.
    pub(crate) fn is_wide(&self) -> bool {
        match self.weights {
            Weights::Bits8(_) => false,
            #[cfg(feature = "widths")]
            Weights::Bits4 { .. } => false,
            #[cfg(feature = "widths")]
            Weights::Bits16(_) => true,
        }
    }

    /// The sum of |w| over one row, in 256ths of a weight where [`is_wide`](Matrix::is_wide).
    /// Saturating.
    pub(crate) fn size_of_row(&self, index: usize) -> u32 {
        fn sum(sizes: impl Iterator<Item = u32>) -> u32 {
            sizes.fold(0, u32::saturating_add)
        }
        match self.weights {
            Weights::Bits8(weights) => {
                let row = row(weights, self.columns, index).unwrap_or_default();
                sum(row.iter().map(|w| w.unsigned_abs().into()))
            }
            #[cfg(feature = "widths")]
            Weights::Bits4 { .. } => {
                let (pairs, groups) = self.row_of_groups(index).unwrap_or_default();
                let sizes = pieces::<{ GROUP / 2 }, _>(pairs).zip(groups).map(|(pairs, &multiplier)| {
                    let weights = pairs.iter().flat_map(|&byte| pair(byte));
                    // 16 of 8 at most, times 18.
                    weights.map(|w| u32::from(w.unsigned_abs())).sum::<u32>() * u32::from(multiplier)
                });
                sum(sizes)
            }
            #[cfg(feature = "widths")]
            Weights::Bits16(weights) => {
                let row = row(weights, self.columns, index).unwrap_or_default();
                sum(row.iter().map(|w| w.unsigned_abs().into()))
            }
        }
    }

    /// Returns true if its weights have 4 or 16 bits.
    pub(crate) fn is_other_width(&self) -> bool {
        !matches!(self.weights, Weights::Bits8(_))
    }

    /// Multiply-accumulates of all rows.
    pub(crate) fn macs(&self) -> usize {
        match self.weights {
            Weights::Bits8(weights) => weights.len(),
            #[cfg(feature = "widths")]
            Weights::Bits4 { pairs, .. } => 2 * pairs.len(),
            #[cfg(feature = "widths")]
            Weights::Bits16(weights) => weights.len(),
        }
    }

    /// Bytes of flash.
    pub(crate) fn bytes(&self) -> usize {
        match self.weights {
            Weights::Bits8(weights) => weights.len(),
            #[cfg(feature = "widths")]
            Weights::Bits4 { pairs, groups } => pairs.len() + groups.len(),
            #[cfg(feature = "widths")]
            Weights::Bits16(weights) => 2 * weights.len(),
        }
    }
}
