//! Reads the folded tokens of a file: the ids of frequent tokens, and for each the sums of the first layer's input
//! projection, which a step then need not compute.

use core::num::NonZeroUsize;
use core::ops::RangeInclusive;

use super::tensor_names::Tensor;
use super::{bounds, paired_bounds};
use crate::config::Config;
use crate::config::LayerDirection;
use crate::features::{self, FOLDING};
use crate::layers::folded::Folded;
use crate::layers::{Cell, Summary};
use crate::load::file::{Fault, File};
#[cfg(feature = "widths")]
use tern_format::Cell as CellKind;

/// Reads the folded tokens. Returns `None` if the file has none, if the model reads values, or if the feature
/// `folding` is off. Refuses the file if the ids are not ascending or not in the vocabulary, or if a sum breaks
/// condition 5 of docs/arithmetic.md, "No accumulator overflows".
#[cfg_attr(feature = "errors", inline)]
pub(super) fn read<'a>(
    file: &File<'a>,
    config: &Config,
    cells: &[Cell<'a>; LayerDirection::COUNT],
) -> Option<features::Folding<Folded<'a>>> {
    let tensors = [Tensor::FOLDED_SUMS, Tensor::FOLDED_SUMS_REVERSE];
    let has = |tensor: &Tensor| file.has(tensor.name_hash());
    let has_no_tensor = || !has(&Tensor::FOLDED_IDS) && !tensors.iter().any(has);
    if !FOLDING || config.reads_values() || has_no_tensor() {
        return None;
    }
    let ids = file.list(Tensor::FOLDED_IDS);
    let mut smallest_allowed = 0;
    for (index, &id) in ids.iter().enumerate() {
        if id < smallest_allowed || id as usize >= config.vocab_size {
            file.refuse(Fault::Range { tensor: Tensor::FOLDED_IDS, index });
        }
        smallest_allowed = id.saturating_add(1);
    }
    let mut folded = Folded { ids, ..Folded::NONE };
    for ((sums, cell), tensor) in folded.sums.iter_mut().zip(cells).zip(tensors).take(config.directions()) {
        // For each token the shape of the layer's biases, in which plain cells have no dimension for the gate.
        let Summary { hidden_size, sums_of_unit, .. } = cell.summary();
        let shape = [ids.len() as u32, hidden_size as u32, if sums_of_unit > 1 { sums_of_unit as u32 } else { 0 }];
        *sums = file.words(tensor, shape);
        folded.width = NonZeroUsize::new(hidden_size * sums_of_unit).unwrap_or(NonZeroUsize::MIN);
        for sum_index in 0..hidden_size * sums_of_unit {
            let allowed = limits(cell, sum_index, sums_of_unit);
            // The sums of one row, of all tokens.
            let mut index = sum_index;
            while let Some(&sum) = sums.get(index) {
                if !allowed.contains(&sum.into()) {
                    file.refuse(Fault::Range { tensor, index });
                }
                index = index.saturating_add(folded.width.get());
            }
        }
    }
    features::Folding::new(folded)
}

/// Returns the allowed range of one input sum. `sum_index`: the index of the sum in the layer, which has `sums_of_unit`
/// sums for each hidden unit: 4 in an LSTM or GRU, 1 in a plain cell.
#[cfg_attr(feature = "errors", inline)]
fn limits(cell: &Cell<'_>, sum_index: usize, sums_of_unit: usize) -> RangeInclusive<i64> {
    let unit = sum_index.checked_div(sums_of_unit).unwrap_or(0);
    let sum = sum_index.checked_rem(sums_of_unit).unwrap_or(0);
    match cell {
        // The fourth sum of a GRU unit is no input sum but the bias b_hn, which must equal that of the layer.
        Cell::Gru(gru) if sum == 3 => {
            let bias = gru.bias.get(unit).map_or(0, |bias| bias[3].into());
            bias..=bias
        }
        Cell::PairedGroups(layer) if sum == 3 => {
            // Row 2 is that of the candidate `n`, whose recurrent half has the bias b_hn.
            let bias = layer.row(unit, 2).map_or(0, |row| row.recurrent_bias.into());
            bias..=bias
        }
        #[cfg(feature = "widths")]
        Cell::Rows(layer) if layer.kind == CellKind::Gru && sum == 3 => {
            let [.., bias] = layer.bias(unit).map(i64::from);
            bias..=bias
        }
        _ => {
            let bound = i64::from(input_bound(cell, unit, sum));
            -bound..=bound
        }
    }
}

/// Returns the bound on the absolute value of an input sum: condition 1 of docs/arithmetic.md, "No accumulator
/// overflows". `gate`: the index of the row in its unit.
#[cfg_attr(feature = "errors", inline)]
fn input_bound(cell: &Cell<'_>, unit: usize, gate: usize) -> u32 {
    let (weights, columns, biases, gates) = match cell {
        Cell::Lstm(lstm) => (lstm.weight_ih.as_flattened(), lstm.input_size, lstm.bias.as_flattened(), 4),
        Cell::Gru(gru) => (gru.weight_ih.as_flattened(), gru.input_size, gru.bias.as_flattened(), 3),
        Cell::Rnn(rnn) => (rnn.layer.weight_ih.as_flattened(), rnn.layer.input_size, rnn.layer.bias.as_flattened(), 1),
        Cell::PairedLstm(layer) => {
            return layer.records().nth(unit).map_or(0, |record| paired_bounds::input_bound(&record, gate));
        }
        Cell::PairedGroups(layer) => {
            return layer.row(unit, gate).map_or(0, |row| paired_bounds::input_bound(&row.record, row.index));
        }
        #[cfg(feature = "widths")]
        Cell::Rows(layer) => {
            let bias = layer.bias(unit).get(gate).copied().unwrap_or(0);
            return bounds::matrix_bound(&layer.weight_ih, unit * layer.kind.gates() + gate, bias);
        }
        // Not reached: the loader makes no copies for hosts, and a model without recurrent layers has no sums.
        #[cfg(any(test, feature = "unpacked"))]
        Cell::Unpacked(_) => return 0,
        #[cfg(feature = "ngrams")]
        Cell::None => return 0,
    };
    // A unit with gates has four biases, a unit of a plain cell has one.
    let row_bias = biases.get(if gates > 1 { 4 * unit + gate } else { unit }).copied().unwrap_or(0);
    bounds::plain_bound(weights, gates, columns.get(), [unit, gate], row_bias)
}
