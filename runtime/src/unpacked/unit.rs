//! The parameters of one unit, for every cell and packing.

use alloc::vec::Vec;
use core::num::NonZeroUsize;

use crate::kernel::columns;
#[cfg(feature = "widths")]
use crate::kernel::{GROUP, pair};
use crate::layers::Cell;
#[cfg(feature = "widths")]
use crate::layers::generic::RowLayer;
use crate::layers::lstm::{Paired, biases};
#[cfg(feature = "widths")]
use crate::layers::matrix::{Matrix, Weights};
use crate::rows::row;

/// One of the two projections of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    /// `x`
    Input,
    /// `h`
    Recurrent,
}

impl Half {
    fn of<T>(self, input: T, recurrent: T) -> T {
        if self == Half::Input { input } else { recurrent }
    }
}

/// The parameters of one unit in one projection, padded with 0 to four gates.
#[derive(Debug)]
pub(super) struct Unit {
    /// `[columns][4]`
    pub weights: Vec<[i16; 4]>,
    /// The initial sums.
    pub bias: [i32; 4],
    pub multipliers: [i16; 4],
}

/// The parameters of a unit; none beyond the last unit and for 16-bit weights.
pub(super) fn unit(cell: &Cell<'_>, half: Half, index: usize) -> Option<Unit> {
    let width = half.of(cell.input_size(), cell.hidden_size());
    let columns = NonZeroUsize::new(width)?;
    match cell {
        Cell::Lstm(lstm) => Some(Unit {
            weights: wide(row(half.of(lstm.weight_ih, lstm.weight_hh), columns, index)?),
            bias: half.of(*lstm.bias.get(index)?, [0; 4]),
            multipliers: *half.of(lstm.multiplier_ih, lstm.multiplier_hh).get(index)?,
        }),
        Cell::Paired(layer) => of_record(layer, half, index),
        Cell::Gru(gru) => {
            let &[r, z, n, hidden_n] = gru.bias.get(index)?;
            Some(Unit {
                weights: wide(row(half.of(gru.weight_ih, gru.weight_hh), columns, index)?),
                bias: half.of([r, z, n, 0], [0, 0, hidden_n, 0]),
                multipliers: four(*half.of(gru.multiplier_ih, gru.multiplier_hh).get(index)?),
            })
        }
        Cell::Rnn(rnn) => Some(Unit {
            weights: row(half.of(rnn.weight_ih, rnn.weight_hh), columns, index)?
                .iter()
                .map(|&w| four([i16::from(w)]))
                .collect(),
            bias: half.of(four([*rnn.bias.get(index)?]), [0; 4]),
            multipliers: four([*half.of(rnn.multiplier_ih, rnn.multiplier_hh).get(index)?]),
        }),
        #[cfg(feature = "widths")]
        Cell::Rows(layer) => of_rows(layer, half, index),
        // The copy is made from a file's layer.
        Cell::Unpacked(_) => None,
    }
}

fn four<T: Copy + Default, const N: usize>(values: [T; N]) -> [T; 4] {
    let mut four = [T::default(); 4];
    four.iter_mut().zip(values).for_each(|(to, from)| *to = from);
    four
}

fn wide<const N: usize>(columns: &[[i8; N]]) -> Vec<[i16; 4]> {
    columns.iter().map(|w| four(w.map(i16::from))).collect()
}

fn of_record(layer: &Paired<'_>, half: Half, index: usize) -> Option<Unit> {
    let record = layer.records().nth(index)?;
    let words = half.of(record.weight_ih, record.weight_hh);
    Some(Unit {
        // Checked at load: within ±127.
        weights: words.iter().flat_map(|&words| columns(words)).map(|column| column.map(|w| w as i16)).collect(),
        bias: half.of(biases(record.initial_sums)?, [0; 4]),
        multipliers: half.of(record.multiplier_ih, record.multiplier_hh),
    })
}

#[cfg(feature = "widths")]
fn of_rows(layer: &RowLayer<'_>, half: Half, index: usize) -> Option<Unit> {
    let matrix = half.of(&layer.weight_ih, &layer.weight_hh);
    let gates = layer.kind.gates();
    let mut weights = alloc::vec![[0; 4]; matrix.columns.get()];
    for gate in 0..gates {
        let row = weights_of_row(matrix, index * gates + gate)?;
        weights.iter_mut().zip(row).for_each(|(column, w)| column[gate] = w);
    }
    let bias = layer.bias(index);
    let of_input = if gates == 3 { [bias[0], bias[1], bias[2], 0] } else { bias };
    let [input, recurrent] = layer.multipliers(index);
    Some(Unit { weights, bias: half.of(of_input, layer.recurrent_bias(index)), multipliers: half.of(input, recurrent) })
}

#[cfg(feature = "widths")]
fn weights_of_row(matrix: &Matrix<'_>, index: usize) -> Option<Vec<i16>> {
    match matrix.weights {
        Weights::Bits8(weights) => Some(row(weights, matrix.columns, index)?.iter().map(|&w| i16::from(w)).collect()),
        Weights::Bits4 { .. } => {
            let (pairs, groups) = matrix.row_of_groups(index)?;
            let groups = pairs.chunks(GROUP / 2).zip(groups);
            let weights = groups.flat_map(|(pairs, &multiplier)| {
                pairs.iter().flat_map(|&byte| pair(byte)).map(move |w| i16::from(w) * i16::from(multiplier))
            });
            Some(weights.collect())
        }
        Weights::Bits16(_) => None,
    }
}
