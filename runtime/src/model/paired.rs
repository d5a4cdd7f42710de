//! What a layer in the packing `paired16` must keep to: `docs/format.md`, "paired16", and `docs/arithmetic.md`, "No accumulator overflows".

use super::bounds::{Bound, LIMIT, requantized};
use super::names::Tensor;
use crate::fault::Fault;
use crate::kernel::columns;
use crate::lstm::{Paired, Record, biases};

/// What is wrong with a unit.
enum Wrong {
    /// No such number is allowed.
    Range,
    /// The sums of a row, 0 … 3, can overflow.
    Overflow(usize),
}

/// The error for sizes that are no multiples of 4: the next that are would do.
pub(super) fn no_place(tensor: Tensor, e: u32, h: u32) -> Fault<'static> {
    let up = |n: u32| n.saturating_add(Paired::COLUMNS as u32 - 1) & !(Paired::COLUMNS as u32 - 1);
    let shape = |e: u32, h: u32| [h, h.saturating_add(e).saturating_add(Paired::EXTRA_WORDS as u32), 0];
    Fault::Shape { tensor, found: shape(e, h), expected: shape(up(e), up(h)) }
}

/// Checks all units of a layer. `tensor`: where it lies.
pub(super) fn check(layer: &Paired<'_>, tensor: Tensor) -> Result<(), Fault<'static>> {
    for (unit, record) in layer.records().enumerate() {
        check_unit(&record, layer.shift()).map_err(|wrong| match wrong {
            Wrong::Range => Fault::Range { tensor, index: unit },
            Wrong::Overflow(row) => Fault::Overflow { tensor, row: 4 * unit + row },
        })?;
    }
    Ok(())
}

fn check_unit(record: &Record<'_>, shift: u32) -> Result<(), Wrong> {
    let bias = biases(record.start).ok_or(Wrong::Range)?;
    let from_x = half(record.weight_ih, bias)?;
    let from_h = half(record.weight_hh, [0; 4])?;
    let multipliers = record.multiplier_ih.into_iter().zip(record.multiplier_hh);
    for (row, ((x, h), (mx, mh))) in from_x.into_iter().zip(from_h).zip(multipliers).enumerate() {
        if mx < 0 || mh < 0 {
            return Err(Wrong::Range);
        }
        if (requantized(x, mx) + requantized(h, mh)) << shift >= LIMIT {
            return Err(Wrong::Overflow(row));
        }
    }
    Ok(())
}

/// One half of a unit: the bounds of its four rows, pairs added up.
fn half(weights: &[[i32; 2]], bias: [i32; 4]) -> Result<[Bound; 4], Wrong> {
    let mut bounds = [0; 4];
    for column in weights.iter().flat_map(|&words| columns(words)) {
        for (bound, w) in bounds.iter_mut().zip(column) {
            if w.unsigned_abs() > 127 {
                return Err(Wrong::Range);
            }
            *bound += Bound::from(w.unsigned_abs()) << 15;
        }
    }
    let [i, f, g, o] = bounds;
    let [i, f, g, o] = {
        let with = |bound: Bound, bias: i32| bound + Bound::from(bias.unsigned_abs());
        [with(i, bias[0]), with(f, bias[1]), with(g, bias[2]), with(o, bias[3])]
    };
    let bounds = [i + (f >> 8) + 1, f, g + (o >> 8) + 1, o];
    match bounds.iter().position(|&b| b >= LIMIT) {
        Some(row) => Err(Wrong::Overflow(row)),
        None => Ok(bounds),
    }
}
