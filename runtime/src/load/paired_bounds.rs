//! The checks of layers in the packing `paired16`: `docs/format.md`, "paired16", and `docs/arithmetic.md`, "No
//! accumulator overflows".

use super::bounds::{Bound, LIMIT, add_second_row, fits, row_bound};
use super::tensor_names::Tensor;
use crate::features;
use crate::layers::fours::Fours;
use crate::layers::paired::{Paired, Record, pair_biases};
use crate::load::file::{Fault, File};
use tern_format::Cell as CellKind;

/// True if other cells than LSTM are built in, whose rows may be ordinary and have recurrent biases.
pub(super) const OTHER_CELLS: bool = features::OtherCells::<()>::IS_BUILT;

/// The shape of the tensor of a layer: the groups of records, and their words; there is no third dimension.
pub(super) fn shape(kind: CellKind, input_size: u32, hidden_size: u32) -> [u32; 3] {
    if !OTHER_CELLS || kind == CellKind::Lstm {
        return [hidden_size, Fours::words_of_record(input_size, hidden_size), 0];
    }
    [hidden_size / 4, Fours::words_of_group(kind, input_size, hidden_size), 0]
}

/// The fault for an input size or a hidden size that is not a multiple of 4. The expected shape has the next multiples.
pub(super) fn unaligned_sizes(kind: CellKind, tensor: Tensor, input_size: u32, hidden_size: u32) -> Fault {
    let up = |n: u32| n.saturating_add(Paired::COLUMNS as u32 - 1) & !(Paired::COLUMNS as u32 - 1);
    let (found, expected) = (shape(kind, input_size, hidden_size), shape(kind, up(input_size), up(hidden_size)));
    Fault::Shape { tensor, found, expected }
}

/// Refuses the file if an LSTM layer has a number out of range or sums that can overflow. A fault names `tensor`; the
/// file keeps the first one.
#[cfg_attr(feature = "errors", inline)]
pub(super) fn check(layer: &Paired<'_>, tensor: Tensor, file: &File<'_>) {
    for (index, record) in layer.records().enumerate() {
        check_record(&record, index, [0; 6], true, layer.shift, tensor, file);
    }
}

/// [`check`] for a layer of other cells.
#[cfg_attr(feature = "errors", inline)]
pub(super) fn check_fours(layer: &Fours<'_>, tensor: Tensor, file: &File<'_>) {
    for (index, (record, recurrent_sums)) in layer.records().enumerate() {
        check_record(&record, index, recurrent_sums, layer.are_in_pairs(index), layer.shift, tensor, file);
    }
}

#[cfg_attr(feature = "errors", inline)]
fn check_record(
    record: &Record<'_>,
    index: usize,
    recurrent_sums: [i32; 6],
    in_pairs: bool,
    shift: u32,
    tensor: Tensor,
    file: &File<'_>,
) {
    for pair in 0..2 {
        let rows = check_pair(record, recurrent_sums, pair, in_pairs, shift);
        match rows {
            Some([true, true]) => {}
            // If the first row fits, the second is the one that does not.
            Some([first_fits, _]) => {
                file.refuse(Fault::Overflow { tensor, row: 4 * index + 2 * pair + usize::from(first_fits) })
            }
            None => file.refuse(Fault::Range { tensor, index }),
        }
    }
}

/// Returns, for each of a pair's two rows (gates i and f for pair 0, g and o for pair 1 of an LSTM), true if its sums
/// cannot overflow. `None` if a number is out of range.
fn check_pair(
    record: &Record<'_>,
    recurrent_sums: [i32; 6],
    pair: usize,
    in_pairs: bool,
    shift: u32,
) -> Option<[bool; 2]> {
    let biases = pair_biases(*record.initial_sums.as_chunks().0.get(pair)?)?;
    let in_pairs = in_pairs || !OTHER_CELLS;
    let from_x = bounds(record.weight_ih, pair, biases, in_pairs)?;
    let recurrent_biases = if OTHER_CELLS { pair_biases(*recurrent_sums.as_chunks().0.get(pair)?)? } else { [0; 2] };
    let from_h = bounds(record.weight_hh, pair, recurrent_biases, in_pairs)?;
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

/// The bound of a row alone, 0 to 3, over the input weights, which [`check_record`] has accepted.
pub(super) fn input_bound(record: &Record<'_>, row: usize) -> Bound {
    let biases = record.initial_sums.as_chunks().0.get(row / 2).and_then(|&sums| pair_biases(sums));
    let bounds = bounds(record.weight_ih, row / 2, biases.unwrap_or_default(), false).unwrap_or_default();
    bounds.get(row % 2).copied().unwrap_or(0)
}

/// The bounds of a pair's two rows over the weights of x or of h. `[first, second]`: their biases. `in_pairs`: false if
/// both rows are ordinary.
// Not inlined: one copy in the firmware serves both calls.
#[inline(never)]
fn bounds(weights: &[[i32; 2]], pair: usize, [first, second]: [i32; 2], in_pairs: bool) -> Option<[Bound; 2]> {
    let (mut firsts, mut seconds) = (0u32, 0u32);
    for words in weights {
        let mut word = *words.get(pair)?;
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
    let (first, second) = (row_bound(firsts, first), row_bound(seconds, second));
    // By definition, the first row of a pair contains the sum of the second, divided by 256.
    Some([if in_pairs { add_second_row(first, second) } else { first }, second])
}
