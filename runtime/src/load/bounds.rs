//! Checks, from the weights, that no accumulator can overflow: `docs/arithmetic.md`, "No accumulator overflows".

use core::num::NonZeroUsize;

use crate::kernel::columns;
use crate::layers::Cell;
#[cfg(feature = "widths")]
use crate::layers::generic::RowLayer;
use crate::layers::gru::Gru;
use crate::layers::linear::Linear;
use crate::layers::lstm::{Lstm, biases};
use crate::layers::matrix::Matrix;
use crate::layers::rnn::Rnn;
use crate::rows::{row, rows};
#[cfg(feature = "widths")]
use tern_format::Cell as CellKind;

/// A bound on an absolute value that must stay below 2^31; saturating.
pub(super) type Bound = u32;

/// A row whose sums can overflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overflow {
    Input {
        row: usize,
    },
    Recurrent {
        row: usize,
    },
    /// The sum of both projections.
    Requantised {
        row: usize,
    },
}

pub(super) const LIMIT: Bound = 1 << 31;

/// The largest absolute value of `weights · v + bias` for any |v| ≤ 2^15, in any order of summation. `sum`: the sum of
/// |weights|, saturating.
#[inline(never)]
pub(super) fn row_bound(sum: u32, bias: i32) -> Bound {
    let sums = if sum < 1 << 16 { sum << 15 } else { LIMIT };
    sums.saturating_add(bias.unsigned_abs())
}

/// The sum of absolute weights.
fn size_of(weights: impl Iterator<Item = i8>) -> u32 {
    weights.fold(0, |sum, w| sum.saturating_add(w.unsigned_abs().into()))
}

/// The bound of the first row of a pair, to which the sum of the second row, divided by 256, is added.
pub(super) fn add_second_row(first: Bound, second: Bound) -> Bound {
    first.saturating_add((second >> 8) + 1)
}

/// The bound after `requantize`, for a bound below the limit; 1 is added for rounding down.
#[inline(never)]
fn requantized(bound: Bound, multiplier: i16) -> Bound {
    ((u64::from(bound) * u64::from(multiplier.unsigned_abs())) >> 16) as u32 + 1
}

/// Condition 3: returns true if both projections of a row, requantised, added and shifted, stay below the limit. Their
/// bounds are below the limit.
pub(super) fn fits(x: (Bound, i16), h: (Bound, i16), shift: u32) -> bool {
    requantized(x.0, x.1) + requantized(h.0, h.1) < LIMIT >> shift
}

/// The bounds of the rows of one projection of a unit. The error is the index of a row.
///
/// `pairs`: the first row of each pair; the second row follows it.
fn half<const ROWS: usize>(
    weights: &[[i8; ROWS]],
    bias: [i32; ROWS],
    pairs: impl IntoIterator<Item = usize>,
) -> Result<[Bound; ROWS], usize> {
    let mut bounds = [0; ROWS];
    for (row, (bound, bias)) in bounds.iter_mut().zip(bias).enumerate() {
        *bound = row_bound(size_of(weights.iter().filter_map(|w| w.get(row).copied())), bias);
    }
    pair_up(bounds, pairs)
}

/// Adds the bounds of second rows to those of first rows, and checks all.
fn pair_up<const ROWS: usize>(
    mut bounds: [Bound; ROWS],
    pairs: impl IntoIterator<Item = usize>,
) -> Result<[Bound; ROWS], usize> {
    for first in pairs {
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

/// Conditions 1 to 3 for all layers but those in the packing `paired16`, which have their own check.
pub(super) fn check(cell: &Cell<'_>) -> Result<(), Overflow> {
    match cell {
        Cell::Lstm(lstm) => check_lstm(lstm),
        Cell::Paired(_) => Ok(()),
        Cell::Gru(gru) => check_gru(gru),
        Cell::Rnn(rnn) => check_rnn(rnn),
        #[cfg(feature = "widths")]
        Cell::Rows(layer) => check_rows(layer),
        #[cfg(any(test, feature = "unpacked"))]
        Cell::Unpacked(_) => Ok(()),
    }
}

/// Checks a unit by the bounds of the rows of its input projection `x` and its recurrent projection `h`.
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

fn hidden_size<T>(bias: &[T]) -> NonZeroUsize {
    NonZeroUsize::new(bias.len()).unwrap_or(NonZeroUsize::MIN)
}

fn check_lstm(lstm: &Lstm<'_>) -> Result<(), Overflow> {
    let weights = rows(lstm.weight_ih, lstm.input_size).zip(rows(lstm.weight_hh, hidden_size(lstm.bias)));
    let multipliers = lstm.multiplier_ih.iter().zip(lstm.multiplier_hh);
    for (unit, (((ih, hh), &bias), (m_ih, m_hh))) in weights.zip(lstm.bias).zip(multipliers).enumerate() {
        check_unit(unit, (half(ih, bias, [0, 2]), m_ih), (half(hh, [0; 4], [0, 2]), m_hh), lstm.shift)?;
    }
    Ok(())
}

fn check_gru(gru: &Gru<'_>) -> Result<(), Overflow> {
    let weights = rows(gru.weight_ih, gru.input_size).zip(rows(gru.weight_hh, hidden_size(gru.bias)));
    let multipliers = gru.multiplier_ih.iter().zip(gru.multiplier_hh);
    for (unit, (((ih, hh), &[r, z, n, hidden_n]), (m_ih, m_hh))) in weights.zip(gru.bias).zip(multipliers).enumerate() {
        check_unit(unit, (half(ih, [r, z, n], [0]), m_ih), (half(hh, [0, 0, hidden_n], [0]), m_hh), gru.shift)?;
    }
    Ok(())
}

fn check_rnn(rnn: &Rnn<'_>) -> Result<(), Overflow> {
    let weights = rows(rnn.weight_ih, rnn.input_size).zip(rows(rnn.weight_hh, hidden_size(rnn.bias)));
    let multipliers = rnn.multiplier_ih.iter().zip(rnn.multiplier_hh);
    for (unit, (((ih, hh), &bias), (&m_ih, &m_hh))) in weights.zip(rnn.bias).zip(multipliers).enumerate() {
        let (ih, hh) = (ih.as_chunks::<1>().0, hh.as_chunks::<1>().0);
        check_unit(unit, (half(ih, [bias], []), &[m_ih]), (half(hh, [0], []), &[m_hh]), rnn.shift)?;
    }
    Ok(())
}

/// The largest absolute sum of one row of the input projection, as in condition 1.
pub(super) fn input_bound(cell: &Cell<'_>, unit: usize, index: usize) -> Bound {
    fn of<const ROWS: usize>(weights: Option<&[[i8; ROWS]]>, index: usize, bias: Option<&i32>) -> Bound {
        let weights = weights.unwrap_or_default().iter().filter_map(|column| column.get(index).copied());
        row_bound(size_of(weights), bias.copied().unwrap_or(0))
    }
    match cell {
        Cell::Lstm(lstm) => {
            let bias = lstm.bias.get(unit).and_then(|bias| bias.get(index));
            of(row(lstm.weight_ih, lstm.input_size, unit), index, bias)
        }
        Cell::Paired(layer) => layer.records().nth(unit).map_or(0, |record| {
            let weights = record.weight_ih.iter().flat_map(|&words| columns(words));
            let weights = weights.filter_map(|column| column.get(index).map(|&w| w as i8));
            row_bound(
                size_of(weights),
                biases(record.initial_sums).and_then(|bias| bias.get(index).copied()).unwrap_or(0),
            )
        }),
        Cell::Gru(gru) => {
            let bias = gru.bias.get(unit).and_then(|bias| bias.get(index));
            of(row(gru.weight_ih, gru.input_size, unit), index, bias)
        }
        Cell::Rnn(rnn) => {
            of(row(rnn.weight_ih, rnn.input_size, unit).map(|row| row.as_chunks::<1>().0), index, rnn.bias.get(unit))
        }
        #[cfg(feature = "widths")]
        Cell::Rows(layer) => {
            let bias = layer.bias(unit).get(index).copied().unwrap_or(0);
            matrix_bound(&layer.weight_ih, unit * layer.kind.gates() + index, bias)
        }
        #[cfg(any(test, feature = "unpacked"))]
        Cell::Unpacked(_) => 0,
    }
}

/// The largest absolute sum of one row of a matrix.
fn matrix_bound(matrix: &Matrix<'_>, index: usize, bias: i32) -> Bound {
    let sum = matrix.size_of_row(index);
    if !matrix.is_wide() {
        return row_bound(sum, bias);
    }
    // 1 is added for rounding down.
    let sums = if sum < 1 << 24 { (sum << 7) + 1 } else { LIMIT };
    sums.saturating_add(bias.unsigned_abs())
}

#[cfg(feature = "widths")]
fn check_rows(layer: &RowLayer<'_>) -> Result<(), Overflow> {
    let gates = layer.kind.gates();
    let first_rows: &[usize] = match layer.kind {
        CellKind::Lstm => &[0, 2],
        CellKind::Gru => &[0],
        CellKind::Rnn | CellKind::RnnRelu => &[],
    };
    let half = |matrix: &Matrix<'_>, unit: usize, bias: [i32; 4]| {
        let mut bounds = [0; 4];
        for (row, (bound, bias)) in bounds.iter_mut().zip(bias).enumerate().take(gates) {
            *bound = matrix_bound(matrix, unit * gates + row, bias);
        }
        let pairs = if matrix.is_wide() { &[] } else { first_rows };
        pair_up(bounds, pairs.iter().copied())
    };
    for unit in 0..layer.hidden_size() {
        let [mx, mh] = layer.multipliers(unit);
        let x = half(&layer.weight_ih, unit, layer.bias(unit));
        let h = half(&layer.weight_hh, unit, layer.recurrent_bias(unit));
        check_unit(unit, (x, &mx), (h, &mh), layer.shift)?;
    }
    Ok(())
}

/// Conditions 1 and 4. The error is the index of a row.
pub(super) fn check_linear(linear: &Linear<'_>) -> Result<(), usize> {
    for (row, (&bias, &multiplier)) in linear.bias.iter().zip(linear.multiplier).enumerate() {
        let bound = matrix_bound(&linear.weight, row, bias);
        if bound >= LIMIT || requantized(bound, multiplier) >= LIMIT >> linear.shift {
            return Err(row);
        }
    }
    Ok(())
}
