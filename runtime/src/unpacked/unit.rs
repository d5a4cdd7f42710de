//! Reads the parameters of one unit from a layer of any cell in any packing: [`unit`], for the copy of the weights in
//! [`Unpacked`](super::Unpacked).

use alloc::vec::Vec;
use core::num::NonZeroUsize;

use crate::kernel::arguments::Interleaved;
use crate::kernel::columns;
#[cfg(feature = "widths")]
use crate::kernel::{GROUP, pair};
use crate::layers::Cell;
#[cfg(feature = "widths")]
use crate::layers::generic::RowLayer;
#[cfg(feature = "widths")]
use crate::layers::matrix::{Matrix, Weights};
use crate::layers::paired::{PairedLstm, biases};
use crate::layers::paired_groups::PairedGroups;
use crate::rows::row;

/// One of the two projections of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    /// W_ih·x
    Input,
    /// W_hh·h
    Recurrent,
}

impl Half {
    /// Returns the argument that belongs to this projection.
    fn choose<T>(self, input: T, recurrent: T) -> T {
        if self == Half::Input { input } else { recurrent }
    }
}

/// The parameters of one unit in one projection, one row for each gate; padded with zeros to four gates.
#[derive(Debug)]
pub(super) struct Unit {
    /// The weights, `[columns][4]`.
    pub weights: Vec<[i16; 4]>,
    /// The biases, which are the initial sums of the projection's rows.
    pub bias: [i32; 4],
    /// The row multipliers.
    pub multipliers: [i16; 4],
}

/// Reads the parameters of a unit in one projection; none beyond the last unit and for 16-bit weights.
pub(super) fn unit(cell: &Cell<'_>, half: Half, index: usize) -> Option<Unit> {
    match cell {
        // Cells other than a GRU add all their biases in the input projection.
        Cell::Lstm(lstm) => unit_of_interleaved(lstm, half, index, |biases| [biases, [0; 4]]),
        Cell::PairedLstm(layer) => unit_of_record(layer, half, index),
        Cell::PairedGroups(layer) => unit_of_groups(layer, half, index),
        Cell::Gru(gru) => {
            unit_of_interleaved(gru, half, index, |[r, z, n, hidden_n]| [[r, z, n, 0], [0, 0, hidden_n, 0]])
        }
        Cell::Rnn(rnn) => unit_of_interleaved(&rnn.layer, half, index, |bias| [four(bias), [0; 4]]),
        #[cfg(feature = "widths")]
        Cell::Rows(layer) => unit_of_rows(layer, half, index),
        // A copy is made only of a layer in a file.
        Cell::Unpacked(_) => None,
        #[cfg(feature = "ngrams")]
        Cell::None => None,
    }
}

/// Pads an array with 0 to four elements.
fn four<T: Copy + Default, const N: usize>(values: [T; N]) -> [T; 4] {
    let mut four = [T::default(); 4];
    four.iter_mut().zip(values).for_each(|(to, from)| *to = from);
    four
}

/// Reads a unit in a plain packing. `biases_of`: a function that returns, from the biases of a unit, the initial sums
/// of its input projection and of its recurrent projection.
fn unit_of_interleaved<const GATES: usize, const BIASES: usize>(
    layer: &Interleaved<'_, GATES, BIASES>,
    half: Half,
    index: usize,
    biases_of: impl Fn([i32; BIASES]) -> [[i32; 4]; 2],
) -> Option<Unit> {
    let hidden_size = layer.bias.len();
    let columns = NonZeroUsize::new(half.choose(layer.input_size.get(), hidden_size))?;
    let [input, recurrent] = biases_of(*layer.bias.get(index)?);
    let weights = row(half.choose(layer.weight_ih, layer.weight_hh), columns, index)?;
    Some(Unit {
        weights: weights.iter().map(|w| four(w.map(i16::from))).collect(),
        bias: half.choose(input, recurrent),
        multipliers: four(*half.choose(layer.multiplier_ih, layer.multiplier_hh).get(index)?),
    })
}

/// Reads a unit of an LSTM in the packing `paired16`, which has one record.
fn unit_of_record(layer: &PairedLstm<'_>, half: Half, index: usize) -> Option<Unit> {
    let record = layer.records().nth(index)?;
    let words = half.choose(record.weight_ih, record.weight_hh);
    Some(Unit {
        // The cast keeps the weights: they are within ±127, which is checked at load.
        weights: words.iter().flat_map(|&words| columns(words)).map(|column| column.map(|w| w as i16)).collect(),
        bias: half.choose(biases(record.initial_sums)?, [0; 4]),
        multipliers: half.choose(record.multiplier_ih, record.multiplier_hh),
    })
}

/// Reads a unit of a GRU or a plain cell in the packing `paired16`, whose rows are in up to two records.
fn unit_of_groups(layer: &PairedGroups<'_>, half: Half, index: usize) -> Option<Unit> {
    let is_recurrent = half == Half::Recurrent;
    let columns = half.choose(layer.input_size.get(), layer.hidden_size.get());
    let mut unit = Unit { weights: alloc::vec![[0; 4]; columns], bias: [0; 4], multipliers: [0; 4] };
    for gate in 0..layer.kind.gates() {
        let row = layer.row(index, gate)?;
        unit.weights.iter_mut().zip(row.weights(is_recurrent)).for_each(|(column, w)| column[gate] = w.into());
        unit.bias[gate] = half.choose(row.bias(), row.recurrent_bias);
        unit.multipliers[gate] = half.choose(row.record.multiplier_ih, row.record.multiplier_hh)[row.index];
    }
    Some(unit)
}

/// Reads a unit in the packing `rows`.
#[cfg(feature = "widths")]
fn unit_of_rows(layer: &RowLayer<'_>, half: Half, index: usize) -> Option<Unit> {
    let matrix = half.choose(&layer.weight_ih, &layer.weight_hh);
    let gates = layer.kind.gates();
    let mut weights = alloc::vec![[0; 4]; matrix.columns.get()];
    for gate in 0..gates {
        let row = weights_of_row(matrix, index * gates + gate)?;
        weights.iter_mut().zip(row).for_each(|(column, w)| column[gate] = w);
    }
    let bias = layer.bias(index);
    // The fourth bias of a GRU (three gates) belongs to the recurrent projection.
    let input_bias = if gates == 3 { [bias[0], bias[1], bias[2], 0] } else { bias };
    let [input, recurrent] = layer.multipliers(index);
    Some(Unit {
        weights,
        bias: half.choose(input_bias, layer.recurrent_bias(index)),
        multipliers: half.choose(input, recurrent),
    })
}

/// The weights of a row, those of 4 bits as the 8-bit weights that they stand for; none beyond the last row and for
/// 16-bit weights.
#[cfg(feature = "widths")]
fn weights_of_row(matrix: &Matrix<'_>, index: usize) -> Option<Vec<i16>> {
    match matrix.weights {
        Weights::Bits8(weights) => Some(row(weights, matrix.columns, index)?.iter().map(|&w| i16::from(w)).collect()),
        Weights::Bits4 { .. } => {
            let (pairs, group_multipliers) = matrix.row_of_groups(index)?;
            let groups = pairs.chunks(GROUP / 2).zip(group_multipliers);
            let weights = groups.flat_map(|(pairs, &multiplier)| {
                pairs.iter().flat_map(|&byte| pair(byte)).map(move |w| i16::from(w) * i16::from(multiplier))
            });
            Some(weights.collect())
        }
        Weights::Bits16(_) => None,
    }
}
