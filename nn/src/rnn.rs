//! The element-wise arithmetic of plain recurrent cells, forward and backward: h = tanh(z) or h = max(0, z).
//!
//! The pre-activation z is the sum of the input projection and W_hh·h₋₁, with the hidden state h₋₁ of the step before.
//! [`recurrent`](crate::recurrent) computes these sums and calls the cells through [`CellBatch`].

use crate::activation::{has_fused_multiply_add, tanh};
use crate::cells::{CellBatch, InputProjection, StridedRows, rows_mut};
use crate::packed::TimeStep;
use pulp::{Arch, NullaryFnOnce, Simd, WithSimd};

/// The activation function of a plain cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nonlinearity {
    /// The function tanh(z).
    Tanh,
    /// The function max(0, z).
    Relu,
}

/// The plain cells of a batch.
#[derive(Debug)]
pub struct Rnn {
    /// The pre-activations of all tokens, `[rows, hidden_size]`, which the backward pass replaces by their gradients.
    sums: StridedRows,
    nonlinearity: Nonlinearity,
}

impl Rnn {
    /// The cells for a batch of `rows` tokens.
    pub fn new(rows: usize, nonlinearity: Nonlinearity, hidden_size: usize) -> Self {
        Rnn { sums: StridedRows::new(rows, hidden_size), nonlinearity }
    }
}

impl CellBatch for Rnn {
    fn load_input(&mut self, step: &TimeStep, input: InputProjection<'_>) {
        self.sums.load_input(step, input);
    }

    fn recurrent_sums(&mut self) -> &mut StridedRows {
        &mut self.sums
    }

    fn forward(&mut self, step: &TimeStep, hidden: &mut [f32]) {
        let hidden = rows_mut(hidden, step.rows.clone(), self.sums.width);
        let (sums, stride) = self.sums.of_step(step);
        let (nonlinearity, hidden_size) = (self.nonlinearity, self.sums.width);
        Arch::new().dispatch(Forward { nonlinearity, sums, stride, hidden_size, hidden });
    }

    fn backward(&mut self, step: &TimeStep, hidden: &[f32], d_hidden: &mut [f32]) {
        let hidden_size = self.sums.width;
        let range = step.rows.start * hidden_size..step.rows.end * hidden_size;
        let (hidden, d_hidden) = (&hidden[range.clone()], &d_hidden[range]);
        let (d_sums, stride) = self.sums.of_step_mut(step);
        let nonlinearity = self.nonlinearity;
        Arch::new().dispatch(Backward { nonlinearity, d_sums, stride, hidden_size, hidden, d_hidden });
    }

    fn d_input(&self) -> &StridedRows {
        // z is the plain sum of both halves, so both have the gradient of z.
        &self.sums
    }
}

/// The forward pass of one time step. `sums`: pre-activations, `[rows, hidden_size]`, with a new row after every
/// `stride` values; `hidden`: output, `[rows, hidden_size]`.
struct Forward<'a> {
    nonlinearity: Nonlinearity,
    sums: &'a [f32],
    stride: usize,
    hidden_size: usize,
    hidden: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let hidden_rows = self.hidden.chunks_exact_mut(self.hidden_size);
        for (sums_row, hidden_row) in self.sums.chunks(self.stride).zip(hidden_rows) {
            let pairs = hidden_row.iter_mut().zip(&sums_row[..self.hidden_size]);
            match self.nonlinearity {
                Nonlinearity::Tanh => {
                    for (hidden, &sum) in pairs {
                        *hidden = tanh(has_fused_multiply_add::<S>(), sum);
                    }
                }
                Nonlinearity::Relu => {
                    for (hidden, &sum) in pairs {
                        // NaN stays NaN, as in PyTorch.
                        *hidden = if sum <= 0.0 { 0.0 } else { sum };
                    }
                }
            }
        }
    }
}

/// The backward pass of one time step. `d_sums`: output, the gradients of the pre-activations, `[rows, hidden_size]`,
/// with a new row after every `stride` values; `hidden`, `d_hidden`: the hidden states and their gradients, `[rows,
/// hidden_size]`.
struct Backward<'a> {
    nonlinearity: Nonlinearity,
    d_sums: &'a mut [f32],
    stride: usize,
    hidden_size: usize,
    hidden: &'a [f32],
    d_hidden: &'a [f32],
}

impl NullaryFnOnce for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let hidden_size = self.hidden_size;
        let hidden_rows = self.hidden.chunks_exact(hidden_size).zip(self.d_hidden.chunks_exact(hidden_size));
        for (d_sums_row, (hidden_row, d_hidden_row)) in self.d_sums.chunks_mut(self.stride).zip(hidden_rows) {
            let triples = d_sums_row[..hidden_size].iter_mut().zip(hidden_row).zip(d_hidden_row);
            match self.nonlinearity {
                Nonlinearity::Tanh => {
                    for ((d_sum, &hidden), &d_hidden) in triples {
                        *d_sum = d_hidden * (1.0 - hidden * hidden);
                    }
                }
                Nonlinearity::Relu => {
                    for ((d_sum, &hidden), &d_hidden) in triples {
                        // h = max(0, z) is 0 exactly where the slope is 0.
                        *d_sum = if hidden <= 0.0 { 0.0 } else { d_hidden };
                    }
                }
            }
        }
    }
}
