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
    let up = |n: u32| n.saturating_add(PairedLstm::SIZE_MULTIPLE as u32 - 1) & !(PairedLstm::SIZE_MULTIPLE as u32 - 1);
    let (found, expected) = (shape(kind, input_size, hidden_size), shape(kind, up(input_size), up(hidden_size)));
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

/// Checks the two rows of a pair: of an LSTM, gates i and f are pair 0, gates g and o pair 1. Returns true for each row
/// whose sums cannot overflow; none if a number is out of range or the initial sums of a pair contradict each other.
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
        let at = 2 * pair + row;
        let (x, h, mx, mh) = (from_x[row], from_h[row], record.multiplier_ih[at], record.multiplier_hh[at]);
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

/// Returns the bounds of the two rows of a pair in one projection; none if a weight is out of range. `[first, second]`:
/// the biases of the rows. `in_pairs`: true if 1/256 of the second row's sum is added to the first.
// Not inlined, so that the firmware has one copy of the function for all calls.
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
    Some([if in_pairs { add_second_row(first, second) } else { first }, second])
}
