//! The interface between a recurrent layer and the arithmetic of its cells, and the buffers that both use.
//!
//! [`recurrent`](crate::recurrent) loops over the time steps; [`lstm`](crate::lstm), [`gru`](crate::gru) and
//! [`rnn`](crate::rnn) implement [`CellBatch`].

use crate::buffer::Buffer;
use crate::packed::TimeStep;
use std::ops::Range;

/// The cells of one layer for all tokens of a batch, with the activations that the backward pass needs.
pub trait CellBatch: Send {
    /// Copies the input projection to the rows of a step. The layer calls it before [`forward`](Self::forward).
    fn load_input(&mut self, step: &TimeStep, input: InputProjection<'_>);

    /// The buffer to which the layer adds W_hh·h₋₁ before [`forward`](Self::forward), and which holds the gradients of
    /// these sums after [`backward`](Self::backward): `[rows, gates * hidden_size]`.
    fn recurrent_sums(&mut self) -> &mut StridedRows;

    /// Computes the hidden states of a step and writes them to `hidden`: `[rows, hidden_size]` of the whole batch.
    fn forward(&mut self, step: &TimeStep, hidden: &mut [f32]);

    /// Computes the gradients of a step's recurrent sums from the gradients of its hidden states. A GRU also adds the
    /// gradient of h₋₁ that does not pass through W_hh to the previous step's rows of `d_hidden`. `hidden`, `d_hidden`:
    /// `[rows, hidden_size]` of the whole batch.
    fn backward(&mut self, step: &TimeStep, hidden: &[f32], d_hidden: &mut [f32]);

    /// The gradients of the input projection: `[rows, gates * hidden_size]`. Those of a step are valid after its
    /// [`backward`](Self::backward).
    fn d_input(&self) -> &StridedRows;

    /// The gradient of a GRU's b_hn, `[hidden_size]`, after [`backward`](Self::backward) of all steps; empty for other
    /// cells.
    fn d_b_hn(&self) -> Vec<f32> {
        Vec::new()
    }
}

/// The input projection x·W_ihᵀ + b of a layer.
#[derive(Clone, Copy, Debug)]
pub struct InputProjection<'a> {
    /// `[distinct rows, gates * hidden_size]`
    pub table: &'a [f32],
    /// The index of each token's row in the table, `[rows]`; `None` if the rows are those of the tokens, in order.
    pub tokens: Option<&'a [u32]>,
}

/// A matrix with one row for each token and a gap after each row. Without the gap, rows whose distance is a power of
/// two would compete for the same few cache lines.
#[derive(Debug)]
pub struct StridedRows {
    /// `[rows][stride]`
    pub values: Buffer,
    /// Distance from one row to the next, in values.
    pub stride: usize,
    /// Values per row.
    pub width: usize,
}

impl StridedRows {
    /// A matrix with unspecified values.
    pub fn new(rows: usize, width: usize) -> Self {
        // 16 values are a cache line of 64 bytes: whole cache lines, and one for the gap.
        let stride = width.next_multiple_of(16) + 16;
        StridedRows { values: Buffer::any(rows * stride), stride, width }
    }

    /// Copies the input projection to the rows of a step.
    pub fn load_input(&mut self, step: &TimeStep, input: InputProjection<'_>) {
        let width = self.width;
        let (rows, stride) = self.of_step_mut(step);
        for (row, token) in rows.chunks_exact_mut(stride).zip(step.rows.clone()) {
            let index = input.tokens.map_or(token, |tokens| tokens[token] as usize);
            row[..width].copy_from_slice(&input.table[index * width..][..width]);
        }
    }

    /// The rows of a step, and their stride.
    pub fn of_step(&self, step: &TimeStep) -> (&[f32], usize) {
        (&self.values[step.rows.start * self.stride..step.rows.end * self.stride], self.stride)
    }

    /// The rows of a step, and their stride.
    pub fn of_step_mut(&mut self, step: &TimeStep) -> (&mut [f32], usize) {
        (&mut self.values[step.rows.start * self.stride..step.rows.end * self.stride], self.stride)
    }
}

/// Returns the rows `rows` of a matrix with `width` values per row.
pub fn rows_mut(values: &mut [f32], rows: Range<usize>, width: usize) -> &mut [f32] {
    &mut values[rows.start * width..rows.end * width]
}

/// Returns the rows of the previous step that `step` continues, and the rows of `step`, from a `[rows, width]` matrix.
pub fn previous_and_current<'a>(
    values: &'a mut [f32],
    step: &TimeStep,
    width: usize,
) -> (&'a mut [f32], &'a mut [f32]) {
    let TimeStep { rows, previous } = step;
    // The previous rows are below those of the step in the forward direction, and above them in reverse or if there are
    // none.
    if previous.start < rows.start {
        let (low, high) = values.split_at_mut(rows.start * width);
        (rows_mut(low, previous.clone(), width), rows_mut(high, 0..rows.len(), width))
    } else {
        let (low, high) = values.split_at_mut(rows.end * width);
        (rows_mut(high, previous.start - rows.end..previous.end - rows.end, width), rows_mut(low, rows.clone(), width))
    }
}
