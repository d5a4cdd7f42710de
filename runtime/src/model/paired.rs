//! What a layer in the packing `paired16` must keep to: `docs/format.md`, "paired16", and `docs/arithmetic.md`, "No accumulator overflows".

use super::bounds::{Bound, LIMIT, fits, row_bound, with_second};
use super::names::Tensor;
use crate::fault::Fault;
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
    let multipliers = record.multiplier_ih.iter().zip(&record.multiplier_hh);
    for (row, ((&x, &h), (&mx, &mh))) in from_x.iter().zip(&from_h).zip(multipliers).enumerate() {
        if mx < 0 || mh < 0 {
            return Err(Wrong::Range);
        }
        if !fits((x, mx), (h, mh), shift) {
            return Err(Wrong::Overflow(row));
        }
    }
    Ok(())
}

/// One half of a unit: the bounds of its four rows, pairs added up.
fn half(weights: &[[i32; 2]], [i, f, g, o]: [i32; 4]) -> Result<[Bound; 4], Wrong> {
    let (f, o) = (bound(weights, false, false, f)?, bound(weights, true, false, o)?);
    let (i, g) = (bound(weights, false, true, i)?, bound(weights, true, true, g)?);
    let bounds = [with_second(i, f), f, with_second(g, o), o];
    match bounds.iter().position(|&b| b >= LIMIT) {
        Some(row) => Err(Wrong::Overflow(row)),
        None => Ok(bounds),
    }
}

/// The bound of one row's own sum. A pass for each row is the smallest code: weights are checked once.
#[inline(never)]
fn bound(weights: &[[i32; 2]], is_go: bool, is_first: bool, bias: i32) -> Result<Bound, Wrong> {
    let mut sum = 0u32;
    for &[word_if, word_go] in weights {
        let mut word = if is_go { word_go } else { word_if };
        for _ in 0..2 {
            // As `kernel::columns` takes them out of a word: the upper half first.
            let v = word >> 16;
            let w = if is_first { (v + 128) >> 8 } else { i32::from(v as i8) }.unsigned_abs();
            if w > 127 {
                return Err(Wrong::Range);
            }
            sum = sum.saturating_add(w);
            word <<= 16;
        }
    }
    Ok(row_bound(sum, bias))
}
