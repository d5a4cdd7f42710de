//! A recurrent layer over packed sequences.
//!
//! The input's part of the gates, x·W_ihᵀ + b, is one product, and where x holds the vectors of the batch's distinct tokens it
//! has a row for each of those only. The rest goes step by step, in either direction. The activations of the forward
//! pass are kept, the backward pass visits each of them once: time and memory are linear in the number of tokens.
//!
//! The steps, their products and the weights' gradient are written here, once; what a kind of cell makes of its sums is
//! written in [`lstm`](super::lstm), [`gru`](super::gru) and [`rnn`](super::rnn).

use super::buffer::Buffer;
use super::gru::Gru;
use super::linear::{self, Linear};
use super::lstm::Lstm;
use super::packed::{Direction, Packing, Visit};
use super::product::{Panels, Strided, add_product, add_product_strided, add_rows};
use super::rnn::{Nonlinearity, Rnn};
use crate::architecture::Cell;
use std::ops::Range;

/// Tokens whose part of W_hh's gradient is added up at once, while what they left is in the cache.
const CHUNK: usize = 96;

/// The cells of a layer for all tokens of a batch: sums, activations, gradients.
pub trait Cells: Send {
    /// Writes the input's part of the sums of the step's rows.
    fn start(&mut self, visit: &Visit, input: Input<'_>);

    /// The sums to which W_hh·h₋₁ is added before [`forward`](Self::forward), and after [`backward`](Self::backward)
    /// their gradients: `[rows, gates * hidden_size]`.
    fn sums(&mut self) -> &mut Rows;

    /// From the sums of the step's rows to their hidden states in `hidden`: `[rows, hidden_size]`.
    fn forward(&mut self, visit: &Visit, hidden: &mut [f32]);

    /// From the gradients of the step's hidden states to those of its sums. Where the cells hand the hidden state on
    /// other than by W_hh, its gradient is added to the rows before. `hidden`, `d_hidden`: `[rows, hidden_size]`.
    fn backward(&mut self, visit: &Visit, hidden: &[f32], d_hidden: &mut [f32]);

    /// The gradients of the input's sums, `[rows, gates * hidden_size]`, after [`backward`](Self::backward).
    fn d_input(&self) -> &Rows;

    /// The gradient of the bias that [`Biases::hidden`] holds, after the last [`backward`](Self::backward).
    fn d_hidden_bias(&self) -> Vec<f32>;
}

/// Rows of numbers, one for each token, with a gap behind each: a processor's cache has few places for addresses that
/// are a power of two apart.
#[derive(Debug)]
pub struct Rows {
    /// `[rows][stride]`
    pub(super) values: Buffer,
    /// From one row to the next.
    pub(super) stride: usize,
    /// Numbers of a row.
    pub(super) width: usize,
}

impl Rows {
    /// So many rows of any numbers.
    pub(super) fn new(rows: usize, width: usize) -> Self {
        let stride = width.next_multiple_of(16) + 16;
        Rows { values: Buffer::any(rows * stride), stride, width }
    }

    /// Copies the input's part to the rows of a step.
    pub(super) fn start(&mut self, visit: &Visit, input: Input<'_>) {
        let Rows { values, stride, width } = self;
        let rows = values[visit.now.start * *stride..visit.now.end * *stride].chunks_exact_mut(*stride);
        for (row, token) in rows.zip(visit.now.clone()) {
            row[..*width].copy_from_slice(&input.table[input.row(token) * *width..][..*width]);
        }
    }

    /// The rows of a step, and their stride.
    pub(super) fn of(&self, visit: &Visit) -> (&[f32], usize) {
        (&self.values[visit.now.start * self.stride..visit.now.end * self.stride], self.stride)
    }

    /// The rows of a step, and their stride.
    pub(super) fn of_mut(&mut self, visit: &Visit) -> (&mut [f32], usize) {
        (&mut self.values[visit.now.start * self.stride..visit.now.end * self.stride], self.stride)
    }
}

/// The input's part of the sums.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// `[distinct rows, gates * hidden_size]`
    pub table: &'a [f32],
    /// For each token its row of the table: `[rows]`. Without it the table has a row for each token.
    pub tokens: Option<&'a [u32]>,
}

impl Input<'_> {
    fn row(&self, token: usize) -> usize {
        self.tokens.map_or(token, |tokens| tokens[token] as usize)
    }
}

/// One direction of a layer, ready to run.
#[derive(Clone, Debug)]
pub struct Layer {
    cell: Cell,
    direction: Direction,
    input: Linear,
    /// W_hhᵀ, `[hidden_size, gates * hidden_size]`
    w_hh: Panels,
    /// [`Biases::hidden`]
    hidden_bias: Vec<f32>,
    hidden_size: usize,
}

impl Layer {
    /// `w_ih`: `[gates * hidden_size, input_size]`; `w_hh`: `[gates * hidden_size, hidden_size]`, row-major.
    pub fn new(cell: Cell, direction: Direction, w_ih: &[f32], w_hh: &[f32], biases: &Biases) -> Self {
        let width = biases.sums.len();
        let hidden_size = width / cell.gates();
        Layer {
            cell,
            direction,
            input: Linear::new(w_ih, &biases.sums),
            w_hh: Panels::from_transposed(w_hh, width, hidden_size),
            hidden_bias: biases.hidden.clone(),
            hidden_size,
        }
    }

    /// The sums of single steps: the input's part, `[rows, gates * hidden_size]`, and the hidden state's, which has GRU's b_hn.
    ///
    /// x: `[rows, input_size]`; hidden: `[rows, hidden_size]`.
    pub fn sums_of_step(&self, x: &[f32], hidden: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (n, rows) = (self.hidden_size, hidden.len() / self.hidden_size);
        let input = self.input.forward(x, rows);
        let mut sums = vec![0.0; input.len()];
        if self.cell == Cell::Gru {
            sums.chunks_exact_mut(3 * n).for_each(|row| row[2 * n..].copy_from_slice(&self.hidden_bias));
        }
        add_product(&mut sums, Strided::rows(hidden, n), &self.w_hh);
        (input, sums)
    }

    /// Its kind of cells.
    pub fn cell(&self) -> Cell {
        self.cell
    }

    /// The way in which it reads.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Values that the layer reads of each token.
    pub fn input_size(&self) -> usize {
        self.input.in_features()
    }

    /// Cells.
    pub fn hidden_size(&self) -> usize {
        self.hidden_size
    }

    /// Sums of a token: gates * hidden_size.
    pub fn width(&self) -> usize {
        self.w_hh.columns()
    }

    /// Number of all parameters: W_ih, W_hh, [`Biases::sums`], [`Biases::hidden`].
    pub fn parameters(&self) -> usize {
        self.w_hh.columns() * (self.input_size() + self.hidden_size + 1) + self.hidden_bias.len()
    }

    /// Runs the layer. Initial states are zero.
    ///
    /// `x`: `[distinct rows, input_size]`; `tokens`: see [`Input`]. Returns the hidden states, `[rows, hidden_size]`, and
    /// the cells with the activations that the way back needs.
    pub fn forward(&self, x: &[f32], tokens: Option<&[u32]>, packing: &Packing) -> (Buffer, Box<dyn Cells>) {
        let (n, rows_count) = (self.hidden_size, packing.rows());
        match self.cell {
            Cell::Lstm => self.run(Lstm::new(packing, n), x, tokens, packing),
            Cell::Gru => self.run(Gru::new(rows_count, &self.hidden_bias), x, tokens, packing),
            Cell::Rnn => self.run(Rnn::new(rows_count, Nonlinearity::Tanh, n), x, tokens, packing),
            Cell::RnnRelu => self.run(Rnn::new(rows_count, Nonlinearity::Relu, n), x, tokens, packing),
        }
    }

    fn run<C: Cells + 'static>(
        &self,
        mut cells: C,
        x: &[f32],
        tokens: Option<&[u32]>,
        packing: &Packing,
    ) -> (Buffer, Box<dyn Cells>) {
        let hidden = self.run_cells(&mut cells, x, tokens, packing);
        (hidden, Box::new(cells))
    }

    /// As [`forward`](Self::forward) with the caller's cells.
    pub fn run_cells(&self, cells: &mut dyn Cells, x: &[f32], tokens: Option<&[u32]>, packing: &Packing) -> Buffer {
        let (n, width) = (self.hidden_size, self.w_hh.columns());
        let distinct = if tokens.is_none() { packing.rows() } else { x.len() / self.input.in_features() };
        let table = self.input.forward_into_buffer(x, distinct);
        let mut hidden = Buffer::any(packing.rows() * n);
        for visit in packing.visits(self.direction) {
            cells.start(&visit, Input { table: &table, tokens });
            let sums = cells.sums();
            debug_assert_eq!(sums.width, width);
            let (rows, stride) = sums.of_mut(&visit);
            let before = Strided::rows(&hidden[visit.before.start * n..], n);
            add_product_strided(rows, stride, visit.before.len(), before, &self.w_hh);
            cells.forward(&visit, &mut hidden);
        }
        hidden
    }
}

/// The biases of a layer, as the arithmetic uses them.
#[derive(Clone, Debug, PartialEq)]
pub struct Biases {
    /// Part of the input's sums: b_ih + b_hh, but for GRU's n only b_in. `[gates * hidden_size]`.
    pub sums: Vec<f32>,
    /// Of GRU b_hn, `[hidden_size]`, which the reset gate acts on; of the other cells nothing.
    pub hidden: Vec<f32>,
}

impl Biases {
    /// From PyTorch's parameters: `bias_ih`, `bias_hh`: `[gates * hidden_size]`.
    pub fn new(cell: Cell, bias_ih: &[f32], bias_hh: &[f32]) -> Self {
        let shared = match cell {
            Cell::Gru => bias_hh.len() / 3 * 2,
            Cell::Lstm | Cell::Rnn | Cell::RnnRelu => bias_hh.len(),
        };
        let mut sums = bias_ih.to_vec();
        for (sum, bias) in sums.iter_mut().zip(&bias_hh[..shared]) {
            *sum += bias;
        }
        Biases { sums, hidden: bias_hh[shared..].to_vec() }
    }
}

/// The gradients of a layer.
#[derive(Debug)]
pub struct Gradients {
    /// Of x, as it was given to [`Layer::forward`].
    pub x: Vec<f32>,
    /// Of W_ih, W_hh, [`Biases::sums`] and [`Biases::hidden`], in a row.
    pub parameters: Vec<f32>,
}

/// What a layer read and made of it.
#[derive(Clone, Copy, Debug)]
pub struct Forward<'a> {
    /// See [`Layer::forward`].
    pub x: &'a [f32],
    /// See [`Input`].
    pub tokens: Option<&'a [u32]>,
    /// Where the tokens stand.
    pub packing: &'a Packing,
    /// The hidden states, `[rows, hidden_size]`.
    pub hidden: &'a [f32],
}

impl Layer {
    /// Backward through time, from the gradient of the hidden states, `d_hidden`: `[rows, hidden_size]`, which it uses
    /// up.
    ///
    /// `parameters`: W_ih and W_hh that the layer was made of, and what follows them, in a row.
    pub fn backward(
        &self,
        mut cells: Box<dyn Cells>,
        forward: Forward<'_>,
        d_hidden: &mut [f32],
        parameters: &[f32],
    ) -> Gradients {
        let Forward { x, tokens, packing, hidden } = forward;
        let (n, width) = (self.hidden_size, self.w_hh.columns());
        let (w_ih, rest) = parameters.split_at(width * self.input_size());
        let panels = Panels::from_rows(&rest[..width * n], width, n);
        let mut sums = Sums::new(tokens, x, self.input_size(), width, n);
        for visit in packing.visits(self.direction).rev() {
            cells.backward(&visit, hidden, d_hidden);
            let (d_sums, stride) = cells.sums().of(&visit);
            let before = rows(d_hidden, visit.before.clone(), n);
            add_product_strided(before, n, visit.before.len(), Strided::rows(d_sums, stride), &panels);
            sums.visits.push(visit);
            if sums.visits.iter().map(|visit| visit.now.len()).sum::<usize>() >= CHUNK {
                sums.add(cells.as_mut(), hidden, tokens);
            }
        }
        sums.add(cells.as_mut(), hidden, tokens);
        let linear::Gradients { x, weight, bias } = match &sums.d_table {
            Some(d_table) => linear::backward(d_table, x, w_ih, d_table.len() / width, width),
            None => {
                let Rows { values, stride, .. } = cells.d_input();
                linear::backward_strided(values, *stride, x, w_ih, packing.rows(), width)
            }
        };
        Gradients { x, parameters: [weight, sums.d_w_hh, bias, cells.d_hidden_bias()].concat() }
    }
}

/// Sums over the tokens, made chunk by chunk.
struct Sums {
    /// Steps that are not yet in the sums: their rows stand side by side.
    visits: Vec<Visit>,
    /// The hidden states that the chunk's tokens continue; zero where a token has no predecessor.
    before: Panels,
    /// A row of zeros.
    zero: Vec<f32>,
    /// Σ d_sumsᵀ · h₋₁: `[width, n]`.
    d_w_hh: Vec<f32>,
    /// The gradient of the input's part of the sums, for each distinct token.
    d_table: Option<Buffer>,
    n: usize,
    width: usize,
}

impl Sums {
    fn new(tokens: Option<&[u32]>, x: &[f32], input_size: usize, width: usize, n: usize) -> Self {
        let d_table = tokens.map(|_| Buffer::zeros(x.len() / input_size * width));
        let (zero, d_w_hh) = (vec![0.0; n], vec![0.0; width * n]);
        Sums { visits: Vec::new(), before: Panels::zeros(0, n), zero, d_w_hh, d_table, n, width }
    }

    fn add(&mut self, cells: &mut dyn Cells, hidden: &[f32], tokens: Option<&[u32]>) {
        let (n, width) = (self.n, self.width);
        let start = self.visits.iter().map(|visit| visit.now.start).min().unwrap_or(0);
        let end = self.visits.iter().map(|visit| visit.now.end).max().unwrap_or(0);
        self.before.resize(end - start);
        for visit in self.visits.drain(..) {
            for (row, token) in visit.before.clone().zip(visit.continuing()) {
                self.before.set_row(token - start, &hidden[row * n..][..n]);
            }
            for token in visit.continuing().end..visit.now.end {
                self.before.set_row(token - start, &self.zero);
            }
        }
        let Rows { values, stride, .. } = cells.sums();
        let d_sums = &values[start * *stride..end * *stride];
        add_product(&mut self.d_w_hh, Strided::transposed(d_sums, *stride), &self.before);
        if let (Some(d_table), Some(tokens)) = (&mut self.d_table, tokens) {
            let Rows { values, stride, .. } = cells.d_input();
            let tokens = &tokens[start..end];
            add_rows(d_table, &values[start * stride..end * stride], *stride, width, |row| tokens[row] as usize);
        }
    }
}

/// Some of the rows of a `[rows, width]` buffer.
pub(super) fn rows(values: &mut [f32], rows: Range<usize>, width: usize) -> &mut [f32] {
    &mut values[rows.start * width..rows.end * width]
}

/// The rows before and those of now, of a `[rows, width]` buffer.
pub(super) fn split<'a>(values: &'a mut [f32], visit: &Visit, width: usize) -> (&'a mut [f32], &'a mut [f32]) {
    let Visit { now, before } = visit;
    if before.start < now.start {
        let (low, high) = values.split_at_mut(now.start * width);
        (rows(low, before.clone(), width), rows(high, 0..now.len(), width))
    } else {
        let (low, high) = values.split_at_mut(now.end * width);
        (rows(high, before.start - now.end..before.end - now.end, width), rows(low, now.clone(), width))
    }
}
