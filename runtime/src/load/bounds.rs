//! Checks, from the weights, that no accumulator can overflow.
//!
//! The conditions are numbered as in `docs/arithmetic.md`, "No accumulator overflows". A row of a recurrent layer is
//! one gate of one unit. In pairs of rows, 1/256 of the second row's sum is added to the first row's: see
//! `layers::lstm::requantize_rows`.

use crate::layers::linear::Linear;
use crate::layers::matrix::Matrix;
use tern_format::Cell as CellKind;
use tern_format::names::parameter;

/// An upper bound on the absolute value of a sum, saturating. The file is refused unless it is below [`LIMIT`].
pub(super) type Bound = u32;

/// A row whose sums can overflow: a name from [`parameter`], and the index of the row. The name is that of the weights
/// of one projection, or `MULTIPLIER_IH` if only the sum of both projections can overflow.
pub(super) type Overflow = (&'static str, usize);

/// The smallest bound that an `i32` cannot hold.
pub(super) const LIMIT: Bound = 1 << 31;

/// Returns the largest absolute value of `Σ weights · v + bias` for any |v| ≤ 2^15, in any order of summation, or at
/// least [`LIMIT`] if an `i32` cannot hold it: condition 1. `weight_sum`: the sum of |weights|, saturating.
#[inline(never)]
pub(super) fn row_bound(weight_sum: u32, bias: i32) -> Bound {
    // 2^16 · 2^15 is the limit.
    let largest_sum = if weight_sum < 1 << 16 { weight_sum << 15 } else { LIMIT };
    largest_sum.saturating_add(bias.unsigned_abs())
}

/// Returns the bound of the first row of a pair after 1/256 of the second row's sum is added: condition 2.
pub(super) fn add_second_row(first: Bound, second: Bound) -> Bound {
    first.saturating_add((second >> 8) + 1)
}

/// Returns the bound after `requantize`, for a bound below the limit. 1 is added because `requantize` rounds down.
#[inline(never)]
fn requantized(bound: Bound, multiplier: i16) -> Bound {
    ((u64::from(bound) * u64::from(multiplier.unsigned_abs())) >> 16) as u32 + 1
}

/// Condition 3: returns true if the sum of both projections of a row, requantised, added and shifted, stays below the
/// limit. `x`, `h`: the bound, which is below the limit, and the multiplier of each projection.
pub(super) fn fits(x: (Bound, i16), h: (Bound, i16), shift: u32) -> bool {
    requantized(x.0, x.1) + requantized(h.0, h.1) < LIMIT >> shift
}

/// Returns the bound of one row, given by its unit and its gate, of a projection in a plain packing with `columns`
/// columns.
#[cfg_attr(feature = "errors", inline)]
pub(super) fn plain_bound(weights: &[i8], gates: usize, columns: usize, [unit, gate]: [usize; 2], bias: i32) -> Bound {
    // The weights of the gates of a unit are side by side, column by column.
    let first = unit.wrapping_mul(columns).wrapping_mul(gates).wrapping_add(gate);
    let (mut weight_sum, mut from_column) = (0u32, weights.get(first..).unwrap_or(&[]));
    for _ in 0..columns {
        // There are fewer weights only in a file that is refused already.
        let Some(w) = from_column.first() else { break };
        weight_sum = weight_sum.saturating_add(w.unsigned_abs().into());
        from_column = from_column.get(gates..).unwrap_or(&[]);
    }
    row_bound(weight_sum, bias)
}

/// The parameters of a layer in a plain packing or in the packing `rows`, without its weights.
pub(super) struct Units<'a> {
    /// The kind of cell.
    pub kind: CellKind,
    /// The biases, `[hidden_size][biases of a unit]`: 4 for each unit, or 1 in plain cells.
    pub bias: &'a [i32],
    /// The multipliers of the input projection and of the recurrent projection, `[hidden_size][gates]`.
    pub multipliers: [&'a [i16]; 2],
    /// The left shift of the pre-activations, 0 to 8.
    pub shift: u32,
}

impl Units<'_> {
    /// Checks conditions 1 to 3 for a layer in a plain packing. `[ih, hh]`: the weights of both projections; `columns`:
    /// the numbers of columns of both.
    #[cfg_attr(feature = "errors", inline)]
    pub(super) fn check_plain(&self, [ih, hh]: [&[i8]; 2], columns: [usize; 2]) -> Result<(), Overflow> {
        let gates = self.kind.gates();
        let bound_of_x = |row, bias| plain_bound(ih, gates, columns[0], row, bias);
        let bound_of_h = |row, bias| plain_bound(hh, gates, columns[1], row, bias);
        self.check([&bound_of_x, &bound_of_h], [true; 2])
    }

    /// [`check_plain`](Units::check_plain) for a layer in the packing `rows`. `[ih, hh]`: the matrices of both
    /// projections.
    #[cfg(feature = "widths")]
    #[cfg_attr(feature = "errors", inline)]
    pub(super) fn check_rows(&self, [ih, hh]: [&Matrix<'_>; 2]) -> Result<(), Overflow> {
        let gates = self.kind.gates();
        let bound_of_x = |[unit, gate]: [usize; 2], bias| matrix_bound(ih, gates * unit + gate, bias);
        let bound_of_h = |[unit, gate]: [usize; 2], bias| matrix_bound(hh, gates * unit + gate, bias);
        self.check([&bound_of_x, &bound_of_h], [!ih.is_16_bit(), !hh.is_16_bit()])
    }

    /// Checks conditions 1 to 3. `bounds_of`: for each projection, input before recurrent, a function that returns the
    /// bound of a row from `[unit, gate]` and the row's bias. `in_pairs`: true for projections whose rows form the
    /// pairs of the cell.
    #[cfg_attr(feature = "errors", inline)]
    #[cfg_attr(not(feature = "errors"), inline(always))]
    fn check(&self, bounds_of: [&dyn Fn([usize; 2], i32) -> Bound; 2], in_pairs: [bool; 2]) -> Result<(), Overflow> {
        let (gates, biases_of_unit) = (self.kind.gates(), if self.kind.gates() > 1 { 4 } else { 1 });
        for unit in 0..self.bias.len() / biases_of_unit {
            let bias = |index| self.bias.get(biases_of_unit * unit + index).copied().unwrap_or(0);
            let mut bounds = [[0; 4]; 2];
            let projections = bounds.iter_mut().zip(bounds_of).zip(in_pairs);
            for (projection, ((bounds, bound_of), in_pairs)) in projections.enumerate() {
                for (gate, bound) in bounds.iter_mut().enumerate().take(gates) {
                    // Only the row n of a GRU, gate 2, has a recurrent bias: the fourth bias of its unit.
                    let row_bias = match (projection, self.kind, gate) {
                        (0, ..) => bias(gate),
                        (_, CellKind::Gru, 2) => bias(3),
                        _ => 0,
                    };
                    *bound = bound_of([unit, gate], row_bias);
                }
                if in_pairs {
                    self.add_second_rows(bounds);
                }
                if let Some(gate) = bounds.iter().position(|&bound| bound >= LIMIT) {
                    let parameter = if projection == 0 { parameter::WEIGHT_IH } else { parameter::WEIGHT_HH };
                    return Err((parameter, gates * unit + gate));
                }
            }
            let [bounds_of_x, bounds_of_h] = bounds;
            for (gate, (x, h)) in bounds_of_x.into_iter().zip(bounds_of_h).enumerate().take(gates) {
                let row = gates * unit + gate;
                let multiplier_of_row = |all: &[i16]| all.get(row).copied().unwrap_or(0);
                let [ih, hh] = self.multipliers;
                if !fits((x, multiplier_of_row(ih)), (h, multiplier_of_row(hh)), self.shift) {
                    return Err((parameter::MULTIPLIER_IH, row));
                }
            }
        }
        Ok(())
    }

    /// Adds the bound of the second row of each pair to that of the first.
    fn add_second_rows(&self, [a, b, c, d]: &mut [Bound; 4]) {
        if self.kind.gates() > 1 {
            *a = add_second_row(*a, *b);
        }
        if self.kind == CellKind::Lstm {
            *c = add_second_row(*c, *d);
        }
    }
}

/// Returns the largest absolute sum of one row of a matrix with its bias: condition 1. `index`: the index of the row.
#[cfg_attr(feature = "errors", inline)]
pub(super) fn matrix_bound(matrix: &Matrix<'_>, index: usize, bias: i32) -> Bound {
    let weight_sum = matrix.absolute_sum_of_row(index);
    if !matrix.is_16_bit() {
        return row_bound(weight_sum, bias);
    }
    // A sum of 16-bit weights is shifted right by 8: 2^15 · weight_sum / 2^8 = 2^7 · weight_sum. 1 is added for
    // rounding down.
    let largest_sum = if weight_sum < 1 << 24 { (weight_sum << 7) + 1 } else { LIMIT };
    largest_sum.saturating_add(bias.unsigned_abs())
}

/// Checks conditions 1 and 4 for a layer of the head. The error is the index of the first row that breaks them.
#[cfg_attr(feature = "errors", inline)]
pub(super) fn check_linear(linear: &Linear<'_>) -> Result<(), usize> {
    for (row, (&bias, &multiplier)) in linear.bias.iter().zip(linear.multiplier).enumerate() {
        let bound = matrix_bound(&linear.weight, row, bias);
        if bound >= LIMIT || requantized(bound, multiplier) >= LIMIT >> linear.shift {
            return Err(row);
        }
    }
    Ok(())
}
