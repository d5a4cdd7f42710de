//! The proof that no accumulator overflows, computed from the weights: `docs/arithmetic.md`, "No accumulator overflows".

use core::num::NonZeroUsize;

use crate::error::LoadError;
use crate::head::Head;
use crate::lstm::Lstm;
use crate::rows::rows;

/// A bound on the size of something that must stay below 2^31.
pub(super) type Bound = u64;

pub(super) const LIMIT: Bound = 1 << 31;

/// The largest size of `weights · v + bias` with any |v| ≤ 2^15, in any order of summing.
fn row_bound(weights: impl Iterator<Item = i8>, bias: i32) -> Bound {
    let sum: Bound = weights.map(|w| Bound::from(w.unsigned_abs())).sum();
    (sum << 15) + Bound::from(bias.unsigned_abs())
}

/// What `requantize` makes of a bound: one more for its floor.
pub(super) fn requantized(bound: Bound, multiplier: i16) -> Bound {
    ((bound * Bound::from(multiplier.unsigned_abs())) >> 16) + 1
}

/// One half of a unit: the bounds of its four rows, pairs added up. The row's index is the error.
fn half(weights: &[[i8; 4]], bias: &[i32; 4]) -> Result<[Bound; 4], usize> {
    let row = |r: usize| row_bound(weights.iter().filter_map(|w| w.get(r).copied()), bias.get(r).copied().unwrap_or(0));
    let [i, f, g, o] = [row(0), row(1), row(2), row(3)];
    let bounds = [i + (f >> 8) + 1, f, g + (o >> 8) + 1, o];
    match bounds.iter().position(|&b| b >= LIMIT) {
        Some(r) => Err(r),
        None => Ok(bounds),
    }
}

/// Conditions 1 to 3.
pub(super) fn check_lstm(lstm: &Lstm<'_>) -> Result<(), LoadError> {
    let weights_ih = rows(lstm.weight_ih, lstm.input_size);
    let weights_hh = rows(lstm.weight_hh, NonZeroUsize::new(lstm.bias.len()).unwrap_or(NonZeroUsize::MIN));
    let multipliers = lstm.multiplier_ih.iter().zip(lstm.multiplier_hh);
    for (unit, (((ih, hh), bias), (m_ih, m_hh))) in
        weights_ih.zip(weights_hh).zip(lstm.bias).zip(multipliers).enumerate()
    {
        let error = |tensor| move |r| LoadError::Overflow { tensor, row: 4 * unit + r };
        let from_x = half(ih, bias).map_err(error("lstm.weight_ih_l0"))?;
        let from_h = half(hh, &[0; 4]).map_err(error("lstm.weight_hh_l0"))?;
        for (r, ((x, m_ih), (h, m_hh))) in from_x.into_iter().zip(m_ih).zip(from_h.into_iter().zip(m_hh)).enumerate() {
            if (requantized(x, *m_ih) + requantized(h, *m_hh)) << lstm.shift >= LIMIT {
                return Err(error("lstm.multiplier_ih_l0")(r));
            }
        }
    }
    Ok(())
}

/// Conditions 1 and 4.
pub(super) fn check_head(head: &Head<'_>) -> Result<(), LoadError> {
    let classes = rows(head.weight, head.hidden_size).zip(head.bias).zip(head.multiplier);
    for (row, ((weights, &bias), &multiplier)) in classes.enumerate() {
        let bound = row_bound(weights.iter().copied(), bias);
        if bound >= LIMIT || requantized(bound, multiplier) << head.shift >= LIMIT {
            return Err(LoadError::Overflow { tensor: "fc.weight", row });
        }
    }
    Ok(())
}
