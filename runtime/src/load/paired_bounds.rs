//! Checks that the numbers of layers in the packing `paired16` are in range and that their sums cannot overflow.
//!
//! `docs/format.md`, "Packings", defines the records, and `docs/arithmetic.md`, "No accumulator overflows", the
//! conditions. `bounds` checks the other packings.

use super::bounds::{Bound, LIMIT, add_second_row, fits, row_bound};
use super::tensor_names::Tensor;
use crate::features;
use crate::layers::paired::{PairedLstm, Record, pair_biases};
use crate::layers::paired_groups::PairedGroups;
use crate::load::file::{Fault, File};
use tern_format::Cell as CellKind;

/// True if cells other than LSTM are built in for the packing `paired16`. Their rows need not form pairs, and may have
/// recurrent biases.
pub(super) const OTHER_PAIRED_CELLS: bool = features::OtherCells::<()>::IS_BUILT;

/// The shape of a layer's tensor `units`, `[groups, words of a group]`; the third dimension is 0. A group is the record
/// of one LSTM unit, or the records of four units of other cells.
pub(super) fn shape(kind: CellKind, input_size: u32, hidden_size: u32) -> [u32; 3] {
    if !OTHER_PAIRED_CELLS || kind == CellKind::Lstm {
        return [hidden_size, PairedGroups::words_of_record(input_size, hidden_size), 0];
    }
    [hidden_size / 4, PairedGroups::words_of_group(kind, input_size, hidden_size), 0]
}

/// Returns the fault for an input size or a hidden size that is not a multiple of 4. The expected shape has the next
/// multiples of 4.
pub(super) fn unaligned_sizes(kind: CellKind, tensor: Tensor, input_size: u32, hidden_size: u32) -> Fault {
    // 4 is a power of 2, so that a number is a multiple of it if its lower bits are 0.
    const LOWER_BITS: u32 = PairedLstm::SIZE_MULTIPLE as u32 - 1;
    let rounded_up = |size: u32| size.saturating_add(LOWER_BITS) & !LOWER_BITS;
    let found = shape(kind, input_size, hidden_size);
    let expected = shape(kind, rounded_up(input_size), rounded_up(hidden_size));
    Fault::Shape { tensor, found, expected }
}

/// Refuses the file if an LSTM layer has a number out of range or sums that can overflow. `tensor`: the tensor that the
/// fault names.
#[cfg_attr(feature = "errors", inline)]
pub(super) fn check(layer: &PairedLstm<'_>, tensor: Tensor, file: &File<'_>) {
    for (index, record) in layer.records().enumerate() {
        // An LSTM has no recurrent biases, and its rows form pairs.
        check_record(&record, index, [0; 6], true, layer.shift, tensor, file);
    }
}

/// [`check`] for a layer of other cells.
#[cfg_attr(feature = "errors", inline)]
pub(super) fn check_groups(layer: &PairedGroups<'_>, tensor: Tensor, file: &File<'_>) {
    // A layer has fewer records than units. A counter could overflow, and the check for that would add a panic.
    for index in 0..layer.hidden_size.get() {
        let Some((record, recurrent_sums)) = layer.record(index) else { break };
        check_record(&record, index, recurrent_sums, layer.are_in_pairs(index), layer.shift, tensor, file);
    }
}

/// Checks one record. `index`: the index of the record in the layer; `recurrent_sums`: the initial sums of its rows'
/// recurrent projections; `in_pairs`: true if its rows form pairs.
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
        match check_pair(record, recurrent_sums, pair, in_pairs, shift) {
            Some([true, true]) => {}
            // If the first row fits, the second is the one that does not.
            Some([first_fits, _]) => {
                file.refuse(Fault::Overflow { tensor, row: 4 * index + 2 * pair + usize::from(first_fits) })
            }
            None => file.refuse(Fault::Range { tensor, index }),
        }
    }
}

/// Checks two rows of a record: the rows 0 and 1 if `pair` is 0, the rows 2 and 3 if it is 1. Returns true for each row
/// whose sums cannot overflow; none if a number is out of range or the initial sums of the rows contradict each other.
/// `in_pairs`: true if 1/256 of the second row's sum is added to the first.
fn check_pair(
    record: &Record<'_>,
    recurrent_sums: [i32; 6],
    pair: usize,
    in_pairs: bool,
    shift: u32,
) -> Option<[bool; 2]> {
    let biases = pair_biases(*record.initial_sums.as_chunks().0.get(pair)?)?;
    let in_pairs = in_pairs || !OTHER_PAIRED_CELLS;
    let from_x = bounds(record.weight_ih, pair, biases, in_pairs)?;
    let recurrent_biases =
        if OTHER_PAIRED_CELLS { pair_biases(*recurrent_sums.as_chunks().0.get(pair)?)? } else { [0; 2] };
    let from_h = bounds(record.weight_hh, pair, recurrent_biases, in_pairs)?;
    let mut fitting = [false; 2];
    for (row, fitting) in fitting.iter_mut().enumerate() {
        let row_in_record = 2 * pair + row;
        let (x, h) = (from_x[row], from_h[row]);
        let (mx, mh) = (record.multiplier_ih[row_in_record], record.multiplier_hh[row_in_record]);
        if mx < 0 || mh < 0 {
            return None;
        }
        *fitting = x < LIMIT && h < LIMIT && fits((x, mx), (h, mh), shift);
    }
    Some(fitting)
}

/// Returns the bound of the input projection of row `row` of a record, 0 to 3, without the second row of its pair.
/// [`check_record`] must have accepted the record.
pub(super) fn input_bound(record: &Record<'_>, row: usize) -> Bound {
    let biases = record.initial_sums.as_chunks().0.get(row / 2).and_then(|&sums| pair_biases(sums));
    let bounds = bounds(record.weight_ih, row / 2, biases.unwrap_or_default(), false).unwrap_or_default();
    bounds.get(row % 2).copied().unwrap_or(0)
}

/// Returns the bounds of two rows of a record in one projection; none if a weight is out of range. `pair`, `in_pairs`:
/// as for [`check_pair`].
// Not inlined, so that the firmware has one copy of the function for all calls.
#[inline(never)]
fn bounds(
    weights: &[[i32; 2]],
    pair: usize,
    [first_bias, second_bias]: [i32; 2],
    in_pairs: bool,
) -> Option<[Bound; 2]> {
    // The sums of the absolute weights of both rows.
    let (mut first_sum, mut second_sum) = (0u32, 0u32);
    for words in weights {
        let mut word = *words.get(pair)?;
        for _ in 0..2 {
            // Each half of a word is 256·a + b with signed a and b, as in `kernel::columns`; 128 is added because a
            // negative b borrows from a. The upper half comes first.
            let number = word >> 16;
            let (a, b) = (((number + 128) >> 8).unsigned_abs(), i32::from(number as i8).unsigned_abs());
            if a > 127 || b > 127 {
                return None;
            }
            first_sum = first_sum.saturating_add(a);
            second_sum = second_sum.saturating_add(b);
            word <<= 16;
        }
    }
    let (first, second) = (row_bound(first_sum, first_bias), row_bound(second_sum, second_bias));
    Some([if in_pairs { add_second_row(first, second) } else { first }, second])
}
