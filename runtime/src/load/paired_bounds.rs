//! The checks of layers in the packing `paired16`: `docs/format.md`, "paired16", and `docs/arithmetic.md`, "No
//! accumulator overflows".

use super::bounds::{Bound, LIMIT, fits, row_bound, with_second};
use super::tensor_names::Tensor;
use crate::layers::lstm::{Paired, Record, pair_biases};
use crate::load::file::{Fault, File};

/// The fault for sizes that are not multiples of 4. The expected shape has the next multiples.
pub(super) fn no_place(tensor: Tensor, e: u32, h: u32) -> Fault {
    let up = |n: u32| n.saturating_add(Paired::COLUMNS as u32 - 1) & !(Paired::COLUMNS as u32 - 1);
    let shape = |e: u32, h: u32| [h, h.saturating_add(e).saturating_add(Paired::EXTRA_WORDS as u32), 0];
    Fault::Shape { tensor, found: shape(e, h), expected: shape(up(e), up(h)) }
}

/// Refuses a layer with a number out of range or with sums that can overflow. `tensor`: the tensor of the layer.
pub(super) fn check(layer: &Paired<'_>, tensor: Tensor, file: &File<'_>) {
    for (unit, record) in layer.records().enumerate() {
        for pair in 0..2 {
            let rows = check_pair(&record, pair, layer.shift());
            match rows {
                Some([true, true]) => {}
                Some([first, _]) => {
                    file.refuse(Fault::Overflow { tensor, row: 4 * unit + 2 * pair + usize::from(first) })
                }
                None => file.refuse(Fault::Range { tensor, index: unit }),
            }
        }
    }
}

/// For each of two rows, `i f` or `g o`, true if its sums cannot overflow; none if a number is out of range.
fn check_pair(record: &Record<'_>, pair: usize, shift: u32) -> Option<[bool; 2]> {
    let [first, second] = pair_biases(*record.start.as_chunks().0.get(pair)?)?;
    let from_x = bounds(record.weight_ih, pair, [first, second])?;
    let from_h = bounds(record.weight_hh, pair, [0; 2])?;
    let mut fitting = [false; 2];
    for (row, fitting) in fitting.iter_mut().enumerate() {
        let at = 2 * pair + row;
        let (x, h, mx, mh) = (from_x[row], from_h[row], record.multiplier_ih[at], record.multiplier_hh[at]);
        if mx < 0 || mh < 0 {
            return None;
        }
        *fitting = x < LIMIT && h < LIMIT && fits((x, mx), (h, mh), shift);
    }
    Some(fitting)
}

/// The bounds of a pair's rows in one half.
#[inline(never)]
fn bounds(weights: &[[i32; 2]], pair: usize, [first, second]: [i32; 2]) -> Option<[Bound; 2]> {
    let (mut firsts, mut seconds) = (0u32, 0u32);
    for words in weights {
        let mut word = words[pair];
        for _ in 0..2 {
            // The same split of a word as in `kernel::columns`, the upper half first.
            let v = word >> 16;
            let (a, b) = (((v + 128) >> 8).unsigned_abs(), i32::from(v as i8).unsigned_abs());
            if a > 127 || b > 127 {
                return None;
            }
            firsts = firsts.saturating_add(a);
            seconds = seconds.saturating_add(b);
            word <<= 16;
        }
    }
    let second = row_bound(seconds, second);
    Some([with_second(row_bound(firsts, first), second), second])
}
