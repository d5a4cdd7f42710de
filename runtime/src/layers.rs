//! The layers of a network: embedding, recurrent cells, n-gram branch, pooling and head.
//!
//! [`Cell`] is one direction of a recurrent layer and computes its steps. It has a variant for each kind of cell and
//! packing, each in its own module. The plain code of a layer defines its result; on some processors a kernel from
//! `kernel/` replaces that code.

pub(crate) mod embedding;
pub(crate) mod folded;
#[cfg(feature = "widths")]
pub(crate) mod generic;
pub(crate) mod gru;
pub(crate) mod head;
pub(crate) mod linear;
pub(crate) mod lstm;
pub(crate) mod matrix;
#[cfg(feature = "ngrams")]
pub(crate) mod ngrams;
pub(crate) mod paired;
pub(crate) mod paired_groups;
pub(crate) mod pooling;
pub(crate) mod rnn;
pub(crate) mod scaling;
#[cfg(any(test, feature = "unpacked"))]
pub(crate) mod unpacked_layer;

use crate::features;
#[cfg(any(test, feature = "write"))]
use crate::invariant::Guaranteed;
pub(crate) use crate::kernel::arguments::{State, Summary};
#[cfg(any(test, feature = "write"))]
use crate::kernel::{arguments::Interleaved, dot_pairs, dot_rows};
#[cfg(feature = "widths")]
use crate::layers::generic::RowLayer;
use crate::layers::gru::Gru;
use crate::layers::lstm::Lstm;
use crate::layers::paired::PairedLstm;
#[cfg(any(test, feature = "write"))]
use crate::layers::paired::biases;
use crate::layers::paired_groups::PairedGroups;
use crate::layers::rnn::Rnn;
#[cfg(any(test, feature = "write"))]
use crate::rows::rows;
use crate::state_codec::StateCodec;
use tern_format::Cell as CellKind;
#[cfg(any(test, feature = "unpacked"))]
use unpacked_layer::UnpackedLayer;

/// The parameters of one direction of a layer, borrowed from the file or from a copy. `repr(u8)` gives the enum a
/// separate tag, with which the `match` of every step takes two instructions instead of six.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum Cell<'a> {
    /// LSTM in the packing `interleaved4`.
    Lstm(features::Interleaved4<Lstm<'a>>),
    /// LSTM in the packing `paired16`.
    PairedLstm(features::Paired16<PairedLstm<'a>>),
    /// GRU and plain cells in the packing `paired16`.
    PairedGroups(features::Paired16<features::OtherCells<PairedGroups<'a>>>),
    /// GRU in the packing `interleaved3`.
    Gru(features::Gru<Gru<'a>>),
    /// Plain cells in the packing `interleaved1`.
    Rnn(features::Rnn<Rnn<'a>>),
    /// Any cell, in the packing `rows`.
    #[cfg(feature = "widths")]
    Rows(RowLayer<'a>),
    /// Any cell, with a copy of the weights in the order that suits a host.
    #[cfg(any(test, feature = "unpacked"))]
    Unpacked(&'a UnpackedLayer),
    /// No cell: the model has only an n-gram branch.
    #[cfg(feature = "ngrams")]
    None,
}

/// Passes the state of one layer through the codec: the hidden state `h`, then the finer state `c`. The codec becomes
/// invalid if the state of a GRU is out of range.
pub(crate) fn visit_state(state: &mut State<'_>, kind: CellKind, codec: &mut StateCodec<'_>) {
    codec.halves(state.h.iter_mut());
    codec.words(state.c.iter_mut());
    // Every cell state of an LSTM is valid; the finer hidden state of a GRU, Q30, is within ±1.
    let is_valid = kind != CellKind::Gru || state.c.iter().all(|c| c.unsigned_abs() <= 1 << 30);
    codec.check(is_valid);
}

impl Cell<'_> {
    /// Computes one step. `x`: `[input_size]`, Q15.
    #[inline(always)]
    pub(crate) fn step(&self, x: &[i16], state: &mut State<'_>) {
        match self {
            Cell::Lstm(lstm) => lstm.step(x, state),
            Cell::PairedLstm(paired) => paired.step(x, state),
            Cell::PairedGroups(groups) => groups.step(x, None, state),
            Cell::Gru(gru) => gru.step(x, state),
            Cell::Rnn(rnn) => rnn.step(x, state),
            #[cfg(feature = "widths")]
            Cell::Rows(layer) => layer.step(x, None, state),
            #[cfg(any(test, feature = "unpacked"))]
            Cell::Unpacked(layer) => layer.step(x, None, state),
            #[cfg(feature = "ngrams")]
            Cell::None => {}
        }
    }

    /// Does the same as [`step`](Cell::step), but is not inlined, for callers outside of the innermost loop.
    #[inline(never)]
    pub(crate) fn step_apart(&self, x: &[i16], state: &mut State<'_>) {
        self.step(x, state);
    }

    /// Computes one step with a precomputed input projection W_ih·x + b. `input_sums`: `[hidden_size * sums_of_unit]`.
    #[inline(never)]
    pub(crate) fn step_folded(&self, input_sums: &[i32], state: &mut State<'_>) {
        match self {
            Cell::Lstm(lstm) => lstm.with_input_sums(input_sums).step(&[], state),
            Cell::PairedLstm(paired) => paired.step_folded(input_sums, state),
            Cell::PairedGroups(groups) => groups.step(&[], Some(input_sums), state),
            Cell::Gru(gru) => gru.with_input_sums(input_sums).step(&[], state),
            Cell::Rnn(rnn) => Rnn { layer: rnn.layer.with_input_sums(input_sums), ..**rnn }.step(&[], state),
            #[cfg(feature = "widths")]
            Cell::Rows(layer) => layer.step(&[], Some(input_sums), state),
            #[cfg(any(test, feature = "unpacked"))]
            Cell::Unpacked(layer) => layer.step(&[], Some(input_sums), state),
            #[cfg(feature = "ngrams")]
            Cell::None => {}
        }
    }

    /// The sizes and the costs of the layer.
    #[inline(always)]
    pub(crate) fn summary(&self) -> Summary {
        match self {
            Cell::Lstm(lstm) => lstm.summary(),
            Cell::PairedLstm(paired) => paired.summary(),
            Cell::PairedGroups(groups) => groups.summary(),
            Cell::Gru(gru) => gru.summary(),
            Cell::Rnn(rnn) => rnn.layer.summary(),
            #[cfg(feature = "widths")]
            Cell::Rows(layer) => layer.summary(),
            #[cfg(any(test, feature = "unpacked"))]
            Cell::Unpacked(layer) => layer.summary,
            #[cfg(feature = "ngrams")]
            Cell::None => Summary::NONE,
        }
    }

    /// The input projection W_ih·x + b as a folded token stores it, `[hidden_size * sums_of_unit]`, computed in plain
    /// code. Panics for [`Cell::Unpacked`].
    #[cfg(any(test, feature = "write"))]
    pub(crate) fn input_sums(&self, x: &[i16]) -> alloc::vec::Vec<i32> {
        match self {
            Cell::Lstm(lstm) => input_sums(lstm, x),
            Cell::PairedLstm(paired) => {
                let units = paired.records().map(|record| (record.weight_ih, biases(record.initial_sums).guaranteed()));
                units.flat_map(|(weights, bias)| dot_pairs(weights, x, bias)).collect()
            }
            Cell::PairedGroups(groups) => groups.input_sums(x),
            Cell::Gru(gru) => {
                let units = rows(gru.weight_ih, gru.input_size).zip(gru.bias);
                let sums = |(weights, &[r, z, n, hidden_n]): (&[[i8; 3]], &[i32; 4])| {
                    let [r, z, n] = dot_rows(weights, x, [r, z, n]);
                    [r, z, n, hidden_n]
                };
                units.flat_map(sums).collect()
            }
            Cell::Rnn(rnn) => input_sums(&rnn.layer, x),
            #[cfg(feature = "widths")]
            Cell::Rows(layer) => {
                let units = (0..layer.hidden_size()).flat_map(|unit| {
                    let sums = layer.input_sums(unit, x);
                    sums.into_iter().take(layer.sums_of_unit())
                });
                units.collect()
            }
            #[cfg(any(test, feature = "unpacked"))]
            Cell::Unpacked(_) => panic!("tokens are folded with the layers of a file, not with a copy"),
            #[cfg(feature = "ngrams")]
            Cell::None => alloc::vec::Vec::new(),
        }
    }
}

/// The input projection of an LSTM or a plain cell in a plain packing. All biases of these cells belong to the input
/// projection, unlike those of a GRU.
#[cfg(any(test, feature = "write"))]
fn input_sums<const GATES: usize>(layer: &Interleaved<'_, GATES, GATES>, x: &[i16]) -> alloc::vec::Vec<i32> {
    let units = rows(layer.weight_ih, layer.input_size).zip(layer.bias);
    units.flat_map(|(weights, &bias)| dot_rows(weights, x, bias)).collect()
}

#[cfg(test)]
mod tests;
