//! The recurrent layers: one step of one direction, for every kind of cell.

pub(crate) mod embedding;
pub(crate) mod folded;
#[cfg(feature = "widths")]
pub(crate) mod generic;
pub(crate) mod gru;
pub(crate) mod head;
pub(crate) mod linear;
pub(crate) mod lstm;
pub(crate) mod matrix;
pub(crate) mod pooling;
pub(crate) mod rnn;
pub(crate) mod scaling;
#[cfg(any(test, feature = "unpacked"))]
pub(crate) mod unpacked_layer;

use crate::features;
#[cfg(any(test, feature = "write"))]
use crate::invariant::Guaranteed;
pub(crate) use crate::kernel::arguments::State;
#[cfg(any(test, feature = "write"))]
use crate::kernel::{dot, dot_pairs, dot_rows};
#[cfg(feature = "widths")]
use crate::layers::generic::RowLayer;
use crate::layers::gru::Gru;
#[cfg(any(test, feature = "write"))]
use crate::layers::lstm::biases;
use crate::layers::lstm::{Lstm, Paired};
use crate::layers::rnn::Rnn;
#[cfg(any(test, feature = "write"))]
use crate::rows::rows;
use crate::state_codec::StateCodec;
use tern_format::Cell as CellKind;
#[cfg(any(test, feature = "unpacked"))]
use unpacked_layer::UnpackedLayer;

/// The parameters of one direction of a layer, borrowed from the file. `repr(u8)` gives the enum a tag of its own,
/// which makes the `match` of every step two instructions instead of six.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum Cell<'a> {
    /// LSTM in the packing `interleaved4`.
    Lstm(features::Interleaved4<Lstm<'a>>),
    /// LSTM in the packing `paired16`.
    Paired(features::Paired16<Paired<'a>>),
    Gru(features::Gru<Gru<'a>>),
    Rnn(features::Rnn<Rnn<'a>>),
    /// Any cell, in the packing `rows`.
    #[cfg(feature = "widths")]
    Rows(RowLayer<'a>),
    /// Any cell, on a copy of the weights made for a host.
    #[cfg(any(test, feature = "unpacked"))]
    Unpacked(&'a UnpackedLayer),
}

/// Passes the state of one layer through the codec: the hidden state, then the finer state.
pub(crate) fn visit_state(state: &mut State<'_>, kind: CellKind, codec: &mut StateCodec<'_>) {
    codec.halves(state.h.iter_mut());
    codec.words(state.c.iter_mut());
    // LSTM accepts any cell state; that of a GRU is a number of ±1 in Q30.
    let is_valid = kind != CellKind::Gru || state.c.iter().all(|c| c.unsigned_abs() <= 1 << 30);
    codec.check(is_valid);
}

impl Cell<'_> {
    /// Computes one step. `x`: `[input_size]`, Q15.
    #[inline(always)]
    pub(crate) fn step(&self, x: &[i16], state: &mut State<'_>) {
        match self {
            Cell::Lstm(lstm) => lstm.step(x, state),
            Cell::Paired(paired) => paired.step(x, state),
            Cell::Gru(gru) => gru.step(x, state),
            Cell::Rnn(rnn) => rnn.step(x, state),
            #[cfg(feature = "widths")]
            Cell::Rows(layer) => layer.step(x, None, state),
            #[cfg(any(test, feature = "unpacked"))]
            Cell::Unpacked(layer) => layer.step(x, None, state),
        }
    }

    /// [`step`](Cell::step) as a function that is not inlined, for callers outside of the innermost loop.
    #[inline(never)]
    pub(crate) fn step_apart(&self, x: &[i16], state: &mut State<'_>) {
        self.step(x, state);
    }

    /// Computes one step with a precomputed input projection W_ih·x + b. `sums`: `[hidden_size * sums_of_unit]`.
    #[inline(never)]
    pub(crate) fn step_folded(&self, sums: &[i32], state: &mut State<'_>) {
        match self {
            Cell::Lstm(lstm) => lstm.step_folded(sums, state),
            Cell::Paired(paired) => paired.step_folded(sums, state),
            Cell::Gru(gru) => gru.step_folded(sums, state),
            Cell::Rnn(rnn) => rnn.step_folded(sums, state),
            #[cfg(feature = "widths")]
            Cell::Rows(layer) => layer.step(&[], Some(sums), state),
            #[cfg(any(test, feature = "unpacked"))]
            Cell::Unpacked(layer) => layer.step(&[], Some(sums), state),
        }
    }

    /// The hidden size H.
    pub(crate) fn hidden_size(&self) -> usize {
        match self {
            Cell::Lstm(lstm) => lstm.bias.len(),
            Cell::Paired(paired) => paired.hidden_size(),
            Cell::Gru(gru) => gru.bias.len(),
            Cell::Rnn(rnn) => rnn.bias.len(),
            #[cfg(feature = "widths")]
            Cell::Rows(layer) => layer.hidden_size(),
            #[cfg(any(test, feature = "unpacked"))]
            Cell::Unpacked(layer) => layer.hidden_size,
        }
    }

    /// The input size: the length of `x`.
    #[cfg(any(test, feature = "unpacked"))]
    pub(crate) fn input_size(&self) -> usize {
        match self {
            Cell::Lstm(lstm) => lstm.input_size.get(),
            Cell::Paired(paired) => paired.input_size(),
            Cell::Gru(gru) => gru.input_size.get(),
            Cell::Rnn(rnn) => rnn.input_size.get(),
            #[cfg(feature = "widths")]
            Cell::Rows(layer) => layer.weight_ih.columns.get(),
            Cell::Unpacked(_) => panic!("a copy is made from the layers of a file"),
        }
    }

    /// The shift of the pre-activations: 0 to 8.
    #[cfg(any(test, feature = "unpacked"))]
    pub(crate) fn shift(&self) -> u32 {
        match self {
            Cell::Lstm(lstm) => lstm.shift,
            Cell::Paired(paired) => paired.shift(),
            Cell::Gru(gru) => gru.shift,
            Cell::Rnn(rnn) => rnn.shift,
            #[cfg(feature = "widths")]
            Cell::Rows(layer) => layer.shift,
            Cell::Unpacked(layer) => layer.weights.shift,
        }
    }

    /// The number of precomputed sums of each unit; it equals the number of biases.
    pub(crate) fn sums_of_unit(&self) -> usize {
        match self {
            Cell::Lstm(_) | Cell::Paired(_) | Cell::Gru(_) => 4,
            Cell::Rnn(_) => 1,
            #[cfg(feature = "widths")]
            Cell::Rows(layer) => layer.biases(),
            #[cfg(any(test, feature = "unpacked"))]
            Cell::Unpacked(layer) => layer.sums_of_unit,
        }
    }

    /// The multiply-accumulates of a step: gates · H · (input size + H).
    pub(crate) fn macs(&self) -> usize {
        match self {
            Cell::Lstm(lstm) => 4 * (lstm.weight_ih.len() + lstm.weight_hh.len()),
            Cell::Paired(paired) => paired.macs(),
            Cell::Gru(gru) => 3 * (gru.weight_ih.len() + gru.weight_hh.len()),
            Cell::Rnn(rnn) => rnn.weight_ih.len() + rnn.weight_hh.len(),
            #[cfg(feature = "widths")]
            Cell::Rows(layer) => layer.macs(),
            #[cfg(any(test, feature = "unpacked"))]
            Cell::Unpacked(layer) => layer.macs,
        }
    }

    /// The input projection W_ih·x + b as a folded token stores it: `[hidden_size * sums_of_unit]`.
    #[cfg(any(test, feature = "write"))]
    pub(crate) fn sums(&self, x: &[i16]) -> alloc::vec::Vec<i32> {
        match self {
            Cell::Lstm(lstm) => {
                let units = rows(lstm.weight_ih, lstm.input_size).zip(lstm.bias);
                units.flat_map(|(weights, &bias)| dot_rows(weights, x, bias)).collect()
            }
            Cell::Paired(paired) => {
                let units = paired.records().map(|record| (record.weight_ih, biases(record.initial_sums).guaranteed()));
                units.flat_map(|(weights, bias)| dot_pairs(weights, x, bias)).collect()
            }
            Cell::Gru(gru) => {
                let units = rows(gru.weight_ih, gru.input_size).zip(gru.bias);
                let sums = |(weights, &[r, z, n, hidden_n]): (&[[i8; 3]], &[i32; 4])| {
                    let [r, z, n] = dot_rows(weights, x, [r, z, n]);
                    [r, z, n, hidden_n]
                };
                units.flat_map(sums).collect()
            }
            Cell::Rnn(rnn) => {
                let units = rows(rnn.weight_ih, rnn.input_size).zip(rnn.bias);
                units.map(|(weights, &bias)| dot(weights, x, bias)).collect()
            }
            #[cfg(feature = "widths")]
            Cell::Rows(layer) => {
                let units = (0..layer.hidden_size()).flat_map(|unit| {
                    let sums = layer.input_sums(unit, x);
                    sums.into_iter().take(layer.biases())
                });
                units.collect()
            }
            #[cfg(any(test, feature = "unpacked"))]
            Cell::Unpacked(_) => panic!("tokens are folded from the layers of a file"),
        }
    }

    /// The bytes of flash: weights, biases, multipliers.
    pub(crate) fn bytes(&self) -> usize {
        // Each row has a 32-bit bias and two 16-bit multipliers; a GRU unit has one more bias than rows.
        let rows = match self {
            Cell::Lstm(lstm) => lstm.bias.len() * (4 * 4 + 2 * 4 * 2),
            Cell::Paired(paired) => return paired.bytes(),
            Cell::Gru(gru) => gru.bias.len() * (4 * 4 + 2 * 3 * 2),
            Cell::Rnn(rnn) => rnn.bias.len() * (4 + 2 * 2),
            #[cfg(feature = "widths")]
            Cell::Rows(layer) => return layer.bytes(),
            #[cfg(any(test, feature = "unpacked"))]
            Cell::Unpacked(layer) => return layer.bytes,
        };
        self.macs() + rows
    }
}

#[cfg(test)]
mod tests;
