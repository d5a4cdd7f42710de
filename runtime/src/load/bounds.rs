//! Checks, from the weights, that no accumulator can overflow.
//!
//! The conditions are numbered as in `docs/arithmetic.md`, "No accumulator overflows". A row is a gate of a unit; in
//! some pairs of rows, 1/256 of the second row's sum is added to the first: see `layers::lstm::requantize_rows`.

use core::num::NonZeroUsize;

use crate::kernel::arguments::Interleaved;
use crate::kernel::columns;
use crate::layers::Cell;
#[cfg(feature = "widths")]
use crate::layers::generic::RowLayer;
use crate::layers::linear::Linear;
use crate::layers::matrix::Matrix;
use crate::layers::paired::biases;
use crate::rows::{row, rows};
#[cfg(feature = "widths")]
use tern_format::Cell as CellKind;

/// An upper bound on the absolute value of a sum, saturating. It must be below [`LIMIT`].
pub(super) type Bound = u32;

/// A row whose sums can overflow, and which of its sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overflow {
    /// The accumulator of the input projection.
    Input { row: usize },
    /// The accumulator of the recurrent projection.
    Recurrent { row: usize },
    /// The sum of both projections after they are requantised and shifted.
    Requantised { row: usize },
}

/// The bound that an `i32` cannot hold.
pub(super) const LIMIT: Bound = 1 << 31;

/// The largest absolute value of `weights · v + bias` for any |v| ≤ 2^15, in any order of summation. `sum`: the sum of
/// |weights|, saturating.
#[inline(never)]
pub(super) fn row_bound(sum: u32, bias: i32) -> Bound {
    let sums = if sum < 1 << 16 { sum << 15 } else { LIMIT };
    sums.saturating_add(bias.unsigned_abs())
}

/// The sum of absolute weights.
fn sum_of_absolutes(weights: impl Iterator<Item = i8>) -> u32 {
    weights.fold(0, |sum, w| sum.saturating_add(w.unsigned_abs().into()))
}

/// The bound of the first row of a pair, to which 1/256 of the second row's sum is added.
pub(super) fn add_second_row(first: Bound, second: Bound) -> Bound {
    first.saturating_add((second >> 8) + 1)
}

/// The bound after `requantize`, for a bound below the limit; 1 is added for rounding down.
#[inline(never)]
fn requantized(bound: Bound, multiplier: i16) -> Bound {
    ((u64::from(bound) * u64::from(multiplier.unsigned_abs())) >> 16) as u32 + 1
}

/// Condition 3: returns true if the sum of a row's projections, requantised and shifted, stays below the limit. `x`,
/// `h`: the bound and the multiplier of each projection; both bounds must be below the limit.
pub(super) fn fits(x: (Bound, i16), h: (Bound, i16), shift: u32) -> bool {
    requantized(x.0, x.1) + requantized(h.0, h.1) < LIMIT >> shift
}

/// The bounds of the rows of one projection of a unit. The error is the index of the first row at or above the limit.
///
/// `weights`: `[columns][ROWS]`. `first_rows`: the first row of each pair; the second row follows it.
fn projection_bounds<const ROWS: usize>(
    weights: &[[i8; ROWS]],
    bias: [i32; ROWS],
    first_rows: impl IntoIterator<Item = usize>,
) -> Result<[Bound; ROWS], usize> {
    let mut bounds = [0; ROWS];
    for (row, (bound, bias)) in bounds.iter_mut().zip(bias).enumerate() {
        *bound = row_bound(sum_of_absolutes(weights.iter().filter_map(|w| w.get(row).copied())), bias);
    }
    add_second_rows(bounds, first_rows)
}

/// Adds the bounds of second rows to those of first rows. The error is the index of the first row at or above the
/// limit.
fn add_second_rows<const ROWS: usize>(
    mut bounds: [Bound; ROWS],
    first_rows: impl IntoIterator<Item = usize>,
) -> Result<[Bound; ROWS], usize> {
    for first in first_rows {
        let second = bounds.get(first + 1).copied().unwrap_or(0);
        if let Some(bound) = bounds.get_mut(first) {
            *bound = add_second_row(*bound, second);
        }
    }
    match bounds.iter().position(|&b| b >= LIMIT) {
        Some(row) => Err(row),
        None => Ok(bounds),
    }
}

/// Checks conditions 1 to 3 for all layers but those in the packing `paired16`, which `paired_bounds` checks.
pub(super) fn check(cell: &Cell<'_>) -> Result<(), Overflow> {
    match cell {
        Cell::Lstm(lstm) => check_interleaved(lstm, [0, 2], |biases| [biases, [0; 4]]),
        Cell::Paired(_) | Cell::PairedGroups(_) => Ok(()),
        Cell::Gru(gru) => check_interleaved(gru, [0], |[r, z, n, hidden_n]| [[r, z, n], [0, 0, hidden_n]]),
        Cell::Rnn(rnn) => check_interleaved(&rnn.layer, [], |bias| [bias, [0]]),
        #[cfg(feature = "widths")]
        Cell::Rows(layer) => check_rows(layer),
        #[cfg(any(test, feature = "unpacked"))]
        Cell::Unpacked(_) => Ok(()),
        #[cfg(feature = "ngrams")]
        Cell::None => Ok(()),
    }
}

/// Checks a unit. `x`, `h`: the bounds and the multipliers of its rows in the input and the recurrent projection.
fn check_unit<const ROWS: usize>(
    unit: usize,
    x: (Result<[Bound; ROWS], usize>, &[i16; ROWS]),
    h: (Result<[Bound; ROWS], usize>, &[i16; ROWS]),
    shift: u32,
) -> Result<(), Overflow> {
    let from_x = x.0.map_err(|row| Overflow::Input { row: ROWS * unit + row })?;
    let from_h = h.0.map_err(|row| Overflow::Recurrent { row: ROWS * unit + row })?;
    let rows = from_x.into_iter().zip(x.1).zip(from_h.into_iter().zip(h.1));
    for (row, ((x, &mx), (h, &mh))) in rows.enumerate() {
        if !fits((x, mx), (h, mh), shift) {
            return Err(Overflow::Requantised { row: ROWS * unit + row });
        }
    }
    Ok(())
}

/// Checks a layer in a plain packing. `first_rows`: the first row of each pair in a unit; `biases_of`: the initial sums
/// of a unit's input projection and of its recurrent projection.
fn check_interleaved<const GATES: usize, const BIASES: usize>(
    layer: &Interleaved<'_, GATES, BIASES>,
    first_rows: impl IntoIterator<Item = usize> + Copy,
    biases_of: impl Fn([i32; BIASES]) -> [[i32; GATES]; 2],
) -> Result<(), Overflow> {
    let hidden_size = NonZeroUsize::new(layer.bias.len()).unwrap_or(NonZeroUsize::MIN);
    let weights = rows(layer.weight_ih, layer.input_size).zip(rows(layer.weight_hh, hidden_size));
    let multipliers = layer.multiplier_ih.iter().zip(layer.multiplier_hh);
    for (unit, (((ih, hh), &biases), (m_ih, m_hh))) in weights.zip(layer.bias).zip(multipliers).enumerate() {
        let [bias_ih, bias_hh] = biases_of(biases);
        check_unit(
            unit,
            (projection_bounds(ih, bias_ih, first_rows), m_ih),
            (projection_bounds(hh, bias_hh, first_rows), m_hh),
            layer.shift,
        )?;
    }
    Ok(())
}

/// The bound of condition 1 for one row of the input projection. `index`: the row (gate) in the unit.
pub(super) fn input_bound(cell: &Cell<'_>, unit: usize, index: usize) -> Bound {
    fn interleaved<const GATES: usize, const BIASES: usize>(
        layer: &Interleaved<'_, GATES, BIASES>,
        unit: usize,
        index: usize,
    ) -> Bound {
        let columns = row(layer.weight_ih, layer.input_size, unit).unwrap_or_default();
        let bias = layer.bias.get(unit).and_then(|biases| biases.get(index)).copied().unwrap_or(0);
        row_bound(sum_of_absolutes(columns.iter().filter_map(|column| column.get(index).copied())), bias)
    }
    match cell {
        Cell::Lstm(lstm) => interleaved(lstm, unit, index),
        Cell::Paired(layer) => layer.records().nth(unit).map_or(0, |record| {
            let weights = record.weight_ih.iter().flat_map(|&words| columns(words));
            let weights = weights.filter_map(|column| column.get(index).map(|&w| w as i8));
            row_bound(
                sum_of_absolutes(weights),
                biases(record.initial_sums).and_then(|bias| bias.get(index).copied()).unwrap_or(0),
            )
        }),
        Cell::PairedGroups(layer) => {
            layer.row(unit, index).map_or(0, |row| row_bound(sum_of_absolutes(row.weights(false)), row.bias()))
        }
        Cell::Gru(gru) => interleaved(gru, unit, index),
        Cell::Rnn(rnn) => interleaved(&rnn.layer, unit, index),
        #[cfg(feature = "widths")]
        Cell::Rows(layer) => {
            let bias = layer.bias(unit).get(index).copied().unwrap_or(0);
            matrix_bound(&layer.weight_ih, unit * layer.kind.gates() + index, bias)
        }
        #[cfg(any(test, feature = "unpacked"))]
        Cell::Unpacked(_) => 0,
        #[cfg(feature = "ngrams")]
        Cell::None => 0,
    }
}

/// The bound of condition 1 for one row of a matrix.
fn matrix_bound(matrix: &Matrix<'_>, index: usize, bias: i32) -> Bound {
    let sum = matrix.absolute_sum_of_row(index);
    if !matrix.is_16_bit() {
        return row_bound(sum, bias);
    }
    // 16-bit weights: the sum is shifted right by 8; 1 is added for rounding down.
    let sums = if sum < 1 << 24 { (sum << 7) + 1 } else { LIMIT };
    sums.saturating_add(bias.unsigned_abs())
}

/// Checks a layer in the packing `rows`.
#[cfg(feature = "widths")]
fn check_rows(layer: &RowLayer<'_>) -> Result<(), Overflow> {
    let gates = layer.kind.gates();
    let first_rows: &[usize] = match layer.kind {
        CellKind::Lstm => &[0, 2],
        CellKind::Gru => &[0],
        CellKind::Rnn | CellKind::RnnRelu => &[],
    };
    let projection_bounds = |matrix: &Matrix<'_>, unit: usize, bias: [i32; 4]| {
        let mut bounds = [0; 4];
        for (row, (bound, bias)) in bounds.iter_mut().zip(bias).enumerate().take(gates) {
            *bound = matrix_bound(matrix, unit * gates + row, bias);
        }
        let first_rows = if matrix.is_16_bit() { &[] } else { first_rows };
        add_second_rows(bounds, first_rows.iter().copied())
    };
    for unit in 0..layer.hidden_size() {
        let [mx, mh] = layer.multipliers(unit);
        let x = projection_bounds(&layer.weight_ih, unit, layer.bias(unit));
        let h = projection_bounds(&layer.weight_hh, unit, layer.recurrent_bias(unit));
        check_unit(unit, (x, &mx), (h, &mh), layer.shift)?;
    }
    Ok(())
}

/// Checks conditions 1 and 4 for a linear layer. The error is the index of the first row that breaks one.
pub(super) fn check_linear(linear: &Linear<'_>) -> Result<(), usize> {
    for (row, (&bias, &multiplier)) in linear.bias.iter().zip(linear.multiplier).enumerate() {
        let bound = matrix_bound(&linear.weight, row, bias);
        if bound >= LIMIT || requantized(bound, multiplier) >= LIMIT >> linear.shift {
            return Err(row);
        }
    }
    Ok(())
}
