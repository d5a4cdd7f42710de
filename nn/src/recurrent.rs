//! A recurrent layer over packed sequences, forward and backward.
//!
//! A batch is packed by time step, see [`packed`](crate::packed): "rows" are those of its tokens. The input projection
//! x·W_ihᵀ + b is one matrix product; if x has one row for each distinct token of the batch, each is projected once.
//! The recurrent half of the gates, W_hh·h, is computed step by step. The forward pass keeps the activations, which the
//! backward pass needs.
//!
//! This module has the loops over time and the gradients of the weights, which are the same for all cells. The
//! element-wise arithmetic of each cell is in [`lstm`](crate::lstm), [`gru`](crate::gru) and [`rnn`](crate::rnn).

use crate::architecture::{Cell, LayerNames};
use crate::buffer::Buffer;
use crate::cells::{CellBatch, InputProjection, StridedRows, rows_mut};
use crate::gru::Gru;
use crate::linear::{self, Linear};
use crate::lstm::Lstm;
use crate::packed::{Direction, PackedLayout, TimeStep};
use crate::pooling::Reduction;
use crate::product::{LeftMatrix, Panels, add_product, add_product_strided, add_rows};
use crate::rnn::{Nonlinearity, Rnn};
use crate::weights::Weights;
use std::sync::Arc;

/// The backward pass adds to the gradient of W_hh whenever it has passed at least this many rows, while their values
/// are still in the cache.
const CHUNK: usize = 96;

/// The biases of a layer in the form that the arithmetic uses.
#[derive(Clone, Debug, PartialEq)]
pub struct Biases {
    /// The bias of the input projection, `[gates * hidden_size]`: b_ih + b_hh, but only b_in for a GRU's gate n.
    pub input: Vec<f32>,
    /// The bias b_hn of a GRU, `[hidden_size]`, which the reset gate multiplies; empty for other cells.
    pub b_hn: Vec<f32>,
}

impl Biases {
    /// Combines PyTorch's `bias_ih` and `bias_hh`, each `[gates * hidden_size]`. A `bias_hh` of `None` counts as 0.
    pub fn new(cell: Cell, bias_ih: &[f32], bias_hh: Option<&[f32]>) -> Self {
        // The number of rows whose two biases are added: all but the last third of a GRU's, its gate n.
        let shared = if cell == Cell::Gru { bias_ih.len() / 3 * 2 } else { bias_ih.len() };
        let Some(bias_hh) = bias_hh else {
            return Biases { input: bias_ih.to_vec(), b_hn: vec![0.0; bias_ih.len() - shared] };
        };
        let mut input = bias_ih.to_vec();
        for (sum, bias) in input.iter_mut().zip(&bias_hh[..shared]) {
            *sum += bias;
        }
        Biases { input, b_hn: bias_hh[shared..].to_vec() }
    }

    /// Combines the biases of the layer whose parameters have these names in `weights`.
    pub fn of_layer(cell: Cell, weights: &Weights, names: &LayerNames) -> Self {
        let bias_hh = names.b_hh.as_ref().map(|name| weights[name].data.as_slice());
        Biases::new(cell, &weights[&names.b_ih].data, bias_hh)
    }
}

/// The cell and the sizes of one direction of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerShape {
    /// The kind of cell.
    pub cell: Cell,
    /// The direction in which the layer reads.
    pub direction: Direction,
    /// Width of the layer's input.
    pub input_size: usize,
    /// Number of hidden units.
    pub hidden_size: usize,
}

impl LayerShape {
    /// Pre-activations per token: gates * hidden_size.
    pub fn width(&self) -> usize {
        self.cell.gates() * self.hidden_size
    }
}

/// One direction of a layer, with its weights packed for the matrix products.
#[derive(Clone, Debug)]
pub struct Layer {
    cell: Cell,
    direction: Direction,
    input: Linear,
    /// W_hhᵀ, `[hidden_size, gates * hidden_size]`
    w_hh: Panels,
    /// [`Biases::b_hn`]
    b_hn: Vec<f32>,
    hidden_size: usize,
}

impl Layer {
    /// Packs the weights. `w_ih`: `[gates * hidden_size, input_size]`; `w_hh`: `[gates * hidden_size, hidden_size]`;
    /// both row-major.
    pub fn new(cell: Cell, direction: Direction, w_ih: &[f32], w_hh: &[f32], biases: &Biases) -> Self {
        let width = biases.input.len();
        let hidden_size = width / cell.gates();
        Layer {
            cell,
            direction,
            input: Linear::new(w_ih, &biases.input),
            w_hh: Panels::from_transposed(w_hh, width, hidden_size),
            b_hn: biases.b_hn.clone(),
            hidden_size,
        }
    }

    /// Computes both halves of the pre-activations of one step, each `[rows, gates * hidden_size]`: the input
    /// projection and W_hh·h. A GRU adds b_hn to the second half of its gate n.
    ///
    /// `x`: `[rows, input_size]`; `hidden`: `[rows, hidden_size]`.
    pub fn halves_of_step(&self, x: &[f32], hidden: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (n, rows) = (self.hidden_size, hidden.len() / self.hidden_size);
        let input = self.input.forward(x, rows);
        let mut recurrent = vec![0.0; input.len()];
        if self.cell == Cell::Gru {
            for row in recurrent.chunks_exact_mut(3 * n) {
                // The gates are r, z and n.
                let gate_n = &mut row[2 * n..];
                gate_n.copy_from_slice(&self.b_hn);
            }
        }
        add_product(&mut recurrent, LeftMatrix::rows(hidden, n), &self.w_hh);
        (input, recurrent)
    }

    /// The cell and the sizes.
    pub fn shape(&self) -> LayerShape {
        let Layer { cell, direction, hidden_size, .. } = *self;
        LayerShape { cell, direction, input_size: self.input_size(), hidden_size }
    }

    /// The kind of cell.
    pub fn cell(&self) -> Cell {
        self.cell
    }

    /// The direction in which the layer reads.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Width of the layer's input.
    pub fn input_size(&self) -> usize {
        self.input.in_features()
    }

    /// Number of hidden units.
    pub fn hidden_size(&self) -> usize {
        self.hidden_size
    }

    /// Pre-activations per token: gates * hidden_size.
    pub fn width(&self) -> usize {
        self.w_hh.columns()
    }

    /// Number of values in W_ih, W_hh, [`Biases::input`] and [`Biases::b_hn`].
    pub fn parameters(&self) -> usize {
        self.w_hh.columns() * (self.input_size() + self.hidden_size + 1) + self.b_hn.len()
    }

    /// Runs the layer from zero states.
    ///
    /// `x`: `[rows of x, input_size]`, one row for each token, or with `tokens` one for each distinct token; `tokens`:
    /// for each token of the batch the index of its row of x, `[rows]`, or `None` if x has one row for each token.
    /// Returns the hidden states, `[rows, hidden_size]`, and the cells with their activations for
    /// [`backward`](Self::backward).
    pub fn forward(&self, x: &[f32], tokens: Option<&[u32]>, layout: &PackedLayout) -> (Buffer, Box<dyn CellBatch>) {
        let (n, rows) = (self.hidden_size, layout.rows());
        let mut cells: Box<dyn CellBatch> = match self.cell {
            Cell::Lstm => Box::new(Lstm::new(layout, n)),
            Cell::Gru => Box::new(Gru::new(rows, &self.b_hn)),
            Cell::Rnn => Box::new(Rnn::new(rows, Nonlinearity::Tanh, n)),
            Cell::RnnRelu => Box::new(Rnn::new(rows, Nonlinearity::Relu, n)),
        };
        (self.run_cells(cells.as_mut(), x, tokens, layout), cells)
    }

    /// Runs the layer as [`forward`](Self::forward) does, with cells that the caller created for the same layout.
    /// Returns the hidden states, `[rows, hidden_size]`.
    pub fn run_cells(
        &self,
        cells: &mut dyn CellBatch,
        x: &[f32],
        tokens: Option<&[u32]>,
        layout: &PackedLayout,
    ) -> Buffer {
        let n = self.hidden_size;
        let rows_of_x = if tokens.is_none() { layout.rows() } else { x.len() / self.input.in_features() };
        let table = self.input.forward_into_buffer(x, rows_of_x);
        let mut hidden = Buffer::any(layout.rows() * n);
        for step in layout.time_steps(self.direction) {
            cells.load_input(&step, InputProjection { table: &table, tokens });
            let sums = cells.recurrent_sums();
            debug_assert_eq!(sums.width, self.width());
            let (rows, stride) = sums.of_step_mut(&step);
            let previous = LeftMatrix::rows(&hidden[step.previous.start * n..], n);
            add_product_strided(rows, stride, step.previous.len(), previous, &self.w_hh);
            cells.forward(&step, &mut hidden);
        }
        hidden
    }
}

/// A layer, the batch that it reads and the output that it returns, for [`ops::recurrent`](crate::ops::recurrent).
#[derive(Clone, Debug)]
pub struct LayerRun {
    /// The layer.
    pub layer: Arc<Layer>,
    /// The layout of the batch.
    pub layout: Arc<PackedLayout>,
    /// The index of each token's row in x, `[rows]`; `None` if the rows of x are those of the tokens, in order.
    pub tokens: Option<Arc<[u32]>>,
    /// The output that [`ops::recurrent`](crate::ops::recurrent) returns.
    pub output: LayerOutput,
}

/// The output of a layer: its hidden states or reductions of them.
#[derive(Clone, Debug)]
pub enum LayerOutput {
    /// All states: `[rows, hidden_size]`.
    States,
    /// Reductions over time, concatenated: `[sequences, reductions * hidden_size]`, in the order of the layout.
    Reduced(Vec<Reduction>),
}

/// The gradients of a layer.
#[derive(Debug)]
pub struct Gradients {
    /// The gradient of the `x` of [`Layer::forward`], with the same shape.
    pub x: Vec<f32>,
    /// The gradients of W_ih, W_hh, [`Biases::input`] and [`Biases::b_hn`], concatenated.
    pub parameters: Vec<f32>,
}

/// The inputs and the result of a forward pass.
#[derive(Clone, Copy, Debug)]
pub struct Forward<'a> {
    /// The `x` of [`Layer::forward`].
    pub x: &'a [f32],
    /// The `tokens` of [`Layer::forward`].
    pub tokens: Option<&'a [u32]>,
    /// The layout of the batch.
    pub layout: &'a PackedLayout,
    /// The hidden states, `[rows, hidden_size]`.
    pub hidden: &'a [f32],
}

impl Layer {
    /// Computes the gradients by back-propagation through time.
    ///
    /// `cells`: those that [`forward`](Self::forward) returned; `d_hidden`: the gradient of the hidden states, `[rows,
    /// hidden_size]`, which is overwritten; `parameters`: the layer's W_ih, W_hh and [`Biases`], concatenated.
    pub fn backward(
        &self,
        mut cells: Box<dyn CellBatch>,
        forward: Forward<'_>,
        d_hidden: &mut [f32],
        parameters: &[f32],
    ) -> Gradients {
        let Forward { x, tokens, layout, hidden } = forward;
        let (n, width) = (self.hidden_size, self.width());
        let (w_ih, w_hh_and_biases) = parameters.split_at(width * self.input_size());
        let w_hh = Panels::from_rows(&w_hh_and_biases[..width * n], width, n);
        let mut weight_gradients = WeightGradients {
            pending: Vec::new(),
            previous: Panels::zeros(0, n),
            zero: vec![0.0; n],
            d_w_hh: vec![0.0; width * n],
            d_table: tokens.map(|_| Buffer::zeros(x.len() / self.input_size() * width)),
        };
        for step in layout.time_steps(self.direction).rev() {
            cells.backward(&step, hidden, d_hidden);
            // `backward` has replaced the recurrent sums of the step by their gradients.
            let (d_sums, stride) = cells.recurrent_sums().of_step(&step);
            let d_previous = rows_mut(d_hidden, step.previous.clone(), n);
            add_product_strided(d_previous, n, step.previous.len(), LeftMatrix::rows(d_sums, stride), &w_hh);
            weight_gradients.pending.push(step);
            let pending_rows: usize = weight_gradients.pending.iter().map(|step| step.rows.len()).sum();
            if pending_rows >= CHUNK {
                weight_gradients.add_pending(cells.as_mut(), hidden, tokens);
            }
        }
        weight_gradients.add_pending(cells.as_mut(), hidden, tokens);
        let linear::Gradients { x, weight, bias } = match &weight_gradients.d_table {
            Some(d_table) => linear::backward(d_table, width, x, w_ih, d_table.len() / width, width),
            None => {
                let StridedRows { values, stride, .. } = cells.d_input();
                linear::backward(values, *stride, x, w_ih, layout.rows(), width)
            }
        };
        Gradients { x, parameters: [weight, weight_gradients.d_w_hh, bias, cells.d_b_hn()].concat() }
    }
}

/// Gradients that are sums over all tokens. The backward pass adds to them after each chunk of at least [`CHUNK`] rows.
struct WeightGradients {
    /// The steps of the current chunk, which are not yet in the sums. Their rows together are contiguous.
    pending: Vec<TimeStep>,
    /// The hidden state before each token of the chunk, `[rows of the chunk, hidden_size]`; zeros for the token of each
    /// sequence that the layer reads first. It is a field only so that all chunks use the same memory.
    previous: Panels,
    /// The hidden state before the first token of a sequence: a row of zeros, `[hidden_size]`.
    zero: Vec<f32>,
    /// The gradient of W_hh, Σ d_sumsᵀ · h₋₁ with the gradients of the recurrent sums, d_sums, and the hidden states
    /// before each token, h₋₁: `[gates * hidden_size, hidden_size]`.
    d_w_hh: Vec<f32>,
    /// The gradient of the input projection of each distinct token, `[rows of x, gates * hidden_size]`; `None` if x has
    /// a row for each token.
    d_table: Option<Buffer>,
}

impl WeightGradients {
    /// Adds the pending steps to the sums and clears `pending`. `hidden`, `tokens`: those of [`Forward`].
    fn add_pending(&mut self, cells: &mut dyn CellBatch, hidden: &[f32], tokens: Option<&[u32]>) {
        let n = self.zero.len();
        let start = self.pending.iter().map(|step| step.rows.start).min().unwrap_or(0);
        let end = self.pending.iter().map(|step| step.rows.end).max().unwrap_or(0);
        self.previous.resize(end - start);
        for step in self.pending.drain(..) {
            for (row, previous_row) in step.continuing().zip(step.previous.clone()) {
                self.previous.set_row(row - start, &hidden[previous_row * n..][..n]);
            }
            let rows_that_begin = step.continuing().end..step.rows.end;
            for row in rows_that_begin {
                self.previous.set_row(row - start, &self.zero);
            }
        }

        // `CellBatch::backward` has replaced the recurrent sums by their gradients.
        let StridedRows { values, stride, .. } = &*cells.recurrent_sums();
        let d_sums = &values[start * stride..end * stride];
        add_product(&mut self.d_w_hh, LeftMatrix::transposed(d_sums, *stride), &self.previous);

        if let (Some(d_table), Some(tokens)) = (&mut self.d_table, tokens) {
            let StridedRows { values, stride, width } = cells.d_input();
            let d_input = &values[start * stride..end * stride];
            let tokens_of_chunk = &tokens[start..end];
            add_rows(d_table, d_input, *stride, *width, |row| tokens_of_chunk[row] as usize);
        }
    }
}
