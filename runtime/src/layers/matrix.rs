//! A matrix of 4-bit, 8-bit or 16-bit weights, row by row.

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
    /// 8-bit weights, −127 to 127: `[rows * columns]`.
    Bits8(&'a [i8]),
    /// 4-bit weights, −7 to 7. The multiplier of a group of 16 columns turns a 4-bit weight into an 8-bit weight.
    #[cfg(feature = "widths")]
    Bits4 {
        /// The weights of two columns in each byte, the even column in the lower half: `[rows * columns / 2]`. The
        /// number of columns is even.
        pairs: &'a [u8],
        /// The multiplier of each group, 1 to 18: `[rows * ⌈columns / 16⌉]`.
        group_multipliers: &'a [u8],
    },
    /// 16-bit weights, in units of 1/256 of an 8-bit weight: `[rows * columns]`.
    #[cfg(feature = "widths")]
    Bits16(&'a [i16]),
}

/// A matrix of weights of one width, row by row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix<'a> {
    /// The number of columns. The number of rows follows from the number of weights.
    pub columns: NonZeroUsize,
    pub weights: Weights<'a>,
}

impl<'a> Matrix<'a> {
    /// A matrix without rows.
    pub(crate) const EMPTY: Matrix<'static> = Matrix { columns: NonZeroUsize::MIN, weights: Weights::Bits8(&[]) };

    /// Returns `bias` plus the dot product of one row with `v`; none beyond the last row. `v`: `[columns]`, Q15. The
    /// result and `bias` are in the units of accumulators: 8-bit weight times Q15.
    #[cfg_attr(feature = "widths", inline(never))]
    pub(crate) fn dot(&self, index: usize, v: &[i16], bias: i32) -> Option<i32> {
        match self.weights {
            Weights::Bits8(weights) => Some(dot(row(weights, self.columns, index)?, v, bias)),
            #[cfg(feature = "widths")]
            Weights::Bits4 { .. } => {
                let (pairs, group_multipliers) = self.row_of_groups(index)?;
                Some(dot_groups(pairs, group_multipliers, v, bias))
            }
            #[cfg(feature = "widths")]
            Weights::Bits16(weights) => {
                // `dot_wide` divides its sum by 256; the bias is already in that unit.
                Some(dot_wide(row(weights, self.columns, index)?, v) + bias)
            }
        }
    }

    /// Returns one row of 4-bit weights, two in each byte, and the multipliers of its groups; none for other widths or
    /// beyond the last row.
    #[cfg(feature = "widths")]
    pub(crate) fn row_of_groups(&self, index: usize) -> Option<(&'a [u8], &'a [u8])> {
        let Weights::Bits4 { pairs, group_multipliers } = self.weights else { return None };
        let columns = self.columns.get();
        let (bytes, groups) = (NonZeroUsize::new(columns / 2)?, NonZeroUsize::new(columns.div_ceil(GROUP))?);
        Some((row(pairs, bytes, index)?, row(group_multipliers, groups, index)?))
    }

    /// Returns true for 16-bit weights. In LSTM and GRU layers, two rows of narrower weights form a pair, whose second
    /// row counts 1/256 in the first (`docs/arithmetic.md`, "LSTM step"); rows of 16-bit weights do not.
    pub(crate) fn is_16_bit(&self) -> bool {
        match self.weights {
            Weights::Bits8(_) => false,
            #[cfg(feature = "widths")]
            Weights::Bits4 { .. } => false,
            #[cfg(feature = "widths")]
            Weights::Bits16(_) => true,
        }
    }

    /// Returns the sum of |w| over one row, saturating: in units of an 8-bit weight, or of 1/256 of it for 16-bit
    /// weights. 0 beyond the last row.
    pub(crate) fn absolute_sum_of_row(&self, index: usize) -> u32 {
        fn sum(absolutes: impl Iterator<Item = u32>) -> u32 {
            absolutes.fold(0, u32::saturating_add)
        }
        match self.weights {
            Weights::Bits8(weights) => {
                let row = row(weights, self.columns, index).unwrap_or_default();
                sum(row.iter().map(|w| w.unsigned_abs().into()))
            }
            #[cfg(feature = "widths")]
            Weights::Bits4 { .. } => {
                let (pairs, group_multipliers) = self.row_of_groups(index).unwrap_or_default();
                let absolutes = pieces::<{ GROUP / 2 }, _>(pairs).zip(group_multipliers).map(|(pairs, &multiplier)| {
                    let weights = pairs.iter().flat_map(|&byte| pair(byte));
                    // At most 16 · 8 · 255: invalid values, for which the loader refuses the file, cannot overflow it.
                    weights.map(|w| u32::from(w.unsigned_abs())).sum::<u32>() * u32::from(multiplier)
                });
                sum(absolutes)
            }
            #[cfg(feature = "widths")]
            Weights::Bits16(weights) => {
                let row = row(weights, self.columns, index).unwrap_or_default();
                sum(row.iter().map(|w| w.unsigned_abs().into()))
            }
        }
    }

    /// Returns true if the weights have 4 or 16 bits, which need the feature `widths`.
    pub(crate) fn is_4_or_16_bit(&self) -> bool {
        !matches!(self.weights, Weights::Bits8(_))
    }

    /// The multiply-accumulates of all rows.
    pub(crate) fn macs(&self) -> usize {
        match self.weights {
            Weights::Bits8(weights) => weights.len(),
            #[cfg(feature = "widths")]
            Weights::Bits4 { pairs, .. } => 2 * pairs.len(),
            #[cfg(feature = "widths")]
            Weights::Bits16(weights) => weights.len(),
        }
    }

    /// The bytes of flash.
    pub(crate) fn bytes(&self) -> usize {
        match self.weights {
            Weights::Bits8(weights) => weights.len(),
            #[cfg(feature = "widths")]
            Weights::Bits4 { pairs, group_multipliers } => pairs.len() + group_multipliers.len(),
            #[cfg(feature = "widths")]
            Weights::Bits16(weights) => 2 * weights.len(),
        }
    }
}
