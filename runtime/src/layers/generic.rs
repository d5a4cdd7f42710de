//! A recurrent layer in the packing `rows`: any cell, with weights of 4, 8 or 16 bits. It is slower than the other
//! packings, and has no kernels.

use core::num::NonZeroUsize;

use super::{gru, lstm, rnn};
use crate::fixed::requantize;
use crate::invariant::Guaranteed;
use crate::layers::matrix::Matrix;
use crate::layers::{State, Summary};
use crate::rows::row;
use tern_format::Cell as CellKind;

/// The parameters of one direction of a layer, borrowed from the file. Unlike in `interleaved4` and `interleaved3`, the
/// weights of a row are adjacent. The rows of a unit follow each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowLayer<'a> {
    /// The kind of cell.
    pub kind: CellKind,
    /// The input weights, `[hidden_size * gates, input_size]`.
    pub weight_ih: Matrix<'a>,
    /// The recurrent weights, `[hidden_size * gates, hidden_size]`.
    pub weight_hh: Matrix<'a>,
    /// The biases of each unit: `[hidden_size * 4]` as in [`Lstm`](super::lstm::Lstm) and [`Gru`](super::gru::Gru);
    /// `[hidden_size]` for plain cells.
    pub bias: &'a [i32],
    /// The multiplier of each row of the input weights: `[hidden_size * gates]`.
    pub multiplier_ih: &'a [i16],
    /// The multiplier of each row of the recurrent weights: `[hidden_size * gates]`.
    pub multiplier_hh: &'a [i16],
    /// The left shift of the pre-activations: 0 to 8.
    pub shift: u32,
}

/// Returns the elements of one unit, padded with zeros to four; zeros beyond the last unit. `all`: the elements of all
/// units, `[hidden_size * width]`.
fn padded_to_four<T: Copy + Default>(all: &[T], width: usize, unit: usize) -> [T; 4] {
    let mut four = [T::default(); 4];
    let elements = NonZeroUsize::new(width).and_then(|width| row(all, width, unit)).unwrap_or_default();
    four.iter_mut().zip(elements).for_each(|(to, &from)| *to = from);
    four
}

impl RowLayer<'_> {
    /// The number of biases of a unit: 4, or 1 in plain cells. A folded token has as many sums for each unit.
    pub(crate) fn sums_of_unit(&self) -> usize {
        if self.kind.gates() > 1 { 4 } else { 1 }
    }

    /// The hidden size H.
    pub(crate) fn hidden_size(&self) -> usize {
        self.bias.len().checked_div(self.sums_of_unit()).unwrap_or(0)
    }

    /// The sizes and the costs of the layer.
    pub(crate) fn summary(&self) -> Summary {
        let multipliers = size_of_val(self.multiplier_ih) + size_of_val(self.multiplier_hh);
        let bytes = self.weight_ih.bytes() + self.weight_hh.bytes() + size_of_val(self.bias) + multipliers;
        Summary {
            hidden_size: self.hidden_size(),
            sums_of_unit: self.sums_of_unit(),
            shift: self.shift,
            macs: self.weight_ih.macs() + self.weight_hh.macs(),
            bytes,
        }
    }

    /// The biases of a unit, padded with zeros to four.
    pub(crate) fn bias(&self, unit: usize) -> [i32; 4] {
        padded_to_four(self.bias, self.sums_of_unit(), unit)
    }

    /// The multipliers of a unit's rows in the input projection and in the recurrent projection, padded with zeros to
    /// four.
    pub(crate) fn multipliers(&self, unit: usize) -> [[i16; 4]; 2] {
        [self.multiplier_ih, self.multiplier_hh].map(|all| padded_to_four(all, self.kind.gates(), unit))
    }

    /// The biases of a unit's recurrent projection: zeros for all rows but n of a GRU.
    pub(crate) fn recurrent_bias(&self, unit: usize) -> [i32; 4] {
        match self.kind {
            // The fourth bias is that of the row n in the recurrent projection.
            CellKind::Gru => [0, 0, self.bias(unit)[3], 0],
            _ => [0; 4],
        }
    }

    /// Returns `sums` plus the dot products of a unit's rows with `v`.
    fn sums(&self, matrix: &Matrix<'_>, unit: usize, v: &[i16], mut sums: [i32; 4]) -> [i32; 4] {
        let gates = self.kind.gates();
        for (gate, sum) in sums.iter_mut().enumerate().take(gates) {
            *sum = matrix.dot(unit * gates + gate, v, *sum).guaranteed();
        }
        sums
    }

    /// The input projection W_ih·x + b of a unit as a folded token stores it, padded to four sums.
    pub(crate) fn input_sums(&self, unit: usize, x: &[i16]) -> [i32; 4] {
        self.sums(&self.weight_ih, unit, x, self.bias(unit))
    }

    /// Requantises the sums of a unit's rows. `m`: their multipliers. Rows of 4-bit and 8-bit weights of an LSTM form
    /// two pairs and those of a GRU one; 1/256 of the second sum of a pair is first added to the first sum: see
    /// [`lstm::requantize_rows`].
    fn requantize_rows(&self, matrix: &Matrix<'_>, [a, b, c, d]: [i32; 4], m: [i16; 4]) -> [i32; 4] {
        let [a, b, c, d] = match self.kind {
            _ if matrix.is_16_bit() => [a, b, c, d],
            CellKind::Lstm => [a + (b >> 8), b, c + (d >> 8), d],
            CellKind::Gru => [a + (b >> 8), b, c, d],
            CellKind::Rnn | CellKind::RnnRelu => [a, b, c, d],
        };
        [requantize(a, m[0]), requantize(b, m[1]), requantize(c, m[2]), requantize(d, m[3])]
    }

    /// Computes one step. `x`: `[input_size]`, Q15. `input_sums`: a precomputed input projection, `[hidden_size *
    /// sums_of_unit]`, which replaces `x`.
    #[inline(never)]
    pub(crate) fn step(&self, x: &[i16], input_sums: Option<&[i32]>, state: &mut State<'_>) {
        for unit in 0..self.hidden_size() {
            let [multipliers_x, multipliers_h] = self.multipliers(unit);
            let sums_of_x = match input_sums {
                Some(sums) => padded_to_four(sums, self.sums_of_unit(), unit),
                None => self.input_sums(unit, x),
            };
            let from_x = self.requantize_rows(&self.weight_ih, sums_of_x, multipliers_x);
            let sums_of_h = self.sums(&self.weight_hh, unit, state.h, self.recurrent_bias(unit));
            let from_h = self.requantize_rows(&self.weight_hh, sums_of_h, multipliers_h);
            // An array in place of a closure, whose indexing could panic if it were not inlined.
            let mut z = [0; 4];
            z.iter_mut().zip(from_x.iter().zip(&from_h)).for_each(|(z, (x, h))| *z = (x + h) << self.shift);
            // Plain cells have no finer state: they read and write none.
            let c = state.c.get(unit).copied().unwrap_or(0);
            let (new_c, new_h) = match self.kind {
                CellKind::Lstm => lstm::unit(z, c),
                CellKind::Gru => {
                    gru::unit([from_x[0], from_x[1], from_x[2]], [from_h[0], from_h[1], from_h[2]], self.shift, c)
                }
                CellKind::Rnn | CellKind::RnnRelu => (0, rnn::unit(z[0], self.kind == CellKind::RnnRelu)),
            };
            state.next_h.get_mut(unit).into_iter().for_each(|next_h| *next_h = new_h);
            state.c.get_mut(unit).into_iter().for_each(|c| *c = new_c);
        }
        core::mem::swap(&mut state.h, &mut state.next_h);
    }
}
