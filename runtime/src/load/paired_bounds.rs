//! The checks of layers in the packing `paired16`: `docs/format.md`, "paired16", and `docs/arithmetic.md`, "No
//! accumulator overflows".

use super::bounds::{Bound, LIMIT, add_second_row, fits, row_bound};
use super::tensor_names::Tensor;
use crate::layers::paired::{Paired, Record, pair_biases};
use crate::load::file::{Fault, File};

/// The fault for an input size or a hidden size that is not a multiple of 4. The expected shape has the next multiples.
pub(super) fn unaligned_sizes(tensor: Tensor, input_size: u32, hidden_size: u32) -> Fault {
    let up = |n: u32| n.saturating_add(Paired::COLUMNS as u32 - 1) & !(Paired::COLUMNS as u32 - 1);
    // The records of the units, the words of a record; there is no third dimension.
    let shape =
        |inputs: u32, units: u32| [units, units.saturating_add(inputs).saturating_add(Paired::EXTRA_WORDS as u32), 0];
    let (found, expected) = (shape(input_size, hidden_size), shape(up(input_size), up(hidden_size)));
    Fault::Shape { tensor, found, expected }
}

/// Refuses the file if the layer has a number out of range or sums that can overflow. A fault names `tensor`; the file
/// keeps the first one.
pub(super) fn check(layer: &Paired<'_>, tensor: Tensor, file: &File<'_>) {
    for (unit, record) in layer.records().enumerate() {
        for pair in 0..2 {
            let rows = check_pair(&record, pair, layer.shift);
            match rows {
                Some([true, true]) => {}
                // If the first row fits, the second is the one that does not.
                Some([first_fits, _]) => {
                    file.refuse(Fault::Overflow { tensor, row: 4 * unit + 2 * pair + usize::from(first_fits) })
                }
                None => file.refuse(Fault::Range { tensor, index: unit }),
            }
        }
    }
}

/// Returns, for each of a pair's two rows (gates i and f for pair 0, g and o for pair 1), true if its sums cannot
/// overflow. `None` if a number is out of range.
fn check_pair(record: &Record<'_>, pair: usize, shift: u32) -> Option<[bool; 2]> {
    let [first, second] = pair_biases(*record.initial_sums.as_chunks().0.get(pair)?)?;
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

/// The bounds of a pair's two rows over the weights of x or of h. `[first, second]`: their biases.
// Not inlined: one copy in the firmware serves both calls.
#[inline(never)]
fn bounds(weights: &[[i32; 2]], pair: usize, [first, second]: [i32; 2]) -> Option<[Bound; 2]> {
    let (mut firsts, mut seconds) = (0u32, 0u32);
    for words in weights {
        let mut word = words[pair];
        for _ in 0..2 {
            // Each half of a word is 256·a + b with signed a and b, as in `kernel::columns`; 128 is added because a
            // negative b borrows from a. The upper half comes first.
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
    // The kernel sums both rows in one accumulator, so the second sum carries into the first.
    Some([add_second_row(row_bound(firsts, first), second), second])
}
