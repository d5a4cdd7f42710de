//! A recurrent layer over packed sequences, from the gates' input sums onwards.
//!
//! The input's part of the gates, x·W_ihᵀ + b, is one product for all tokens and is done beforehand. What is left goes
//! step by step, in either direction. The activations of the forward pass are kept, the backward pass visits each of
//! them once: time and memory are linear in the number of tokens.
//!
//! The steps, their products and the weights' gradient are written here, once; what a kind of cell makes of its sums is
//! written in [`lstm`](super::lstm), [`gru`](super::gru) and [`rnn`](super::rnn).

use super::gru::Gru;
use super::lstm::Lstm;
use super::packed::{Direction, Packing, Visit};
use super::product::{Panels, Strided, add_product};
use super::rnn::{Nonlinearity, Rnn};
use crate::architecture::Cell;

/// The cells of a layer for all tokens of a batch: sums, activations, gradients.
pub trait Cells: Send {
    /// The sums to which W_hh·h₋₁ is added before [`forward`](Self::forward), and after [`backward`](Self::backward)
    /// their gradients: `[rows, gates * hidden_size]`.
    fn sums(&mut self) -> &mut [f32];

    /// From the sums of the step's rows to their hidden states in `hidden`: `[rows, hidden_size]`.
    fn forward(&mut self, visit: &Visit, hidden: &mut [f32]);

    /// From the gradients of the step's hidden states to those of its sums. Where the cells hand the hidden state on
    /// other than by W_hh, its gradient is added to the rows before. `hidden`, `d_hidden`: `[rows, hidden_size]`.
    fn backward(&mut self, visit: &Visit, hidden: &[f32], d_hidden: &mut [f32]);

    /// The gradients of the gates' input sums, `[rows, gates * hidden_size]`, and of the bias that
    /// [`Biases::hidden`] holds, after the last [`backward`](Self::backward).
    fn into_gradients(self: Box<Self>) -> (Vec<f32>, Vec<f32>);
}

/// Cells at the beginning of a forward pass.
///
/// `gates`: `[rows, gates * hidden_size]`, the input's part of the sums; `hidden_bias`: [`Biases::hidden`].
pub fn cells(
    cell: Cell,
    gates: Vec<f32>,
    hidden_bias: &[f32],
    packing: &Packing,
    hidden_size: usize,
) -> Box<dyn Cells> {
    match cell {
        Cell::Lstm => Box::new(Lstm::new(gates, packing, hidden_size)),
        Cell::Gru => Box::new(Gru::new(gates, hidden_bias)),
        Cell::Rnn => Box::new(Rnn::new(gates, Nonlinearity::Tanh, hidden_size)),
        Cell::RnnRelu => Box::new(Rnn::new(gates, Nonlinearity::Relu, hidden_size)),
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

/// Runs the layer and returns the hidden states `[rows, hidden_size]`. Initial states are zero.
///
/// `w_hh`: W_hhᵀ, `[hidden_size, gates * hidden_size]`.
pub fn forward(
    cells: &mut dyn Cells,
    w_hh: &Panels,
    packing: &Packing,
    direction: Direction,
    hidden_size: usize,
) -> Vec<f32> {
    let n = hidden_size;
    let mut hidden = vec![0.0; packing.rows() * n];
    for visit in packing.visits(direction) {
        let before = Strided::rows(&hidden[visit.before.start * n..], n);
        add_product(rows(cells.sums(), visit.continuing(), w_hh.columns()), before, w_hh);
        cells.forward(&visit, &mut hidden);
    }
    hidden
}

/// The gradients of a layer.
#[derive(Debug)]
pub struct Gradients {
    /// Of the gates' input sums: `[rows, gates * hidden_size]`.
    pub gates: Vec<f32>,
    /// Of W_hh: `[gates * hidden_size, hidden_size]`.
    pub w_hh: Vec<f32>,
    /// Of [`Biases::hidden`].
    pub hidden_bias: Vec<f32>,
}

/// Backward through time, from the gradient of the hidden states.
///
/// `hidden`, `d_hidden`: `[rows, hidden_size]`; `w_hh`: `[gates * hidden_size, hidden_size]`, row-major.
pub fn backward(
    mut cells: Box<dyn Cells>,
    hidden: &[f32],
    mut d_hidden: Vec<f32>,
    w_hh: &[f32],
    packing: &Packing,
    direction: Direction,
    hidden_size: usize,
) -> Gradients {
    let n = hidden_size;
    let width = w_hh.len() / n;
    let panels = Panels::from_rows(w_hh, width, n);
    for visit in packing.visits(direction).rev() {
        cells.backward(&visit, hidden, &mut d_hidden);
        let sums = Strided::rows(&cells.sums()[visit.now.start * width..], width);
        add_product(rows(&mut d_hidden, visit.before, n), sums, &panels);
    }
    let w_hh = weight_gradient(cells.sums(), hidden, packing, direction, n, width);
    let (gates, hidden_bias) = cells.into_gradients();
    Gradients { gates, w_hh, hidden_bias }
}

/// Σ over tokens with a predecessor of d_sumsᵀ · h₋₁: `[width, n]`.
fn weight_gradient(
    d_sums: &[f32],
    hidden: &[f32],
    packing: &Packing,
    direction: Direction,
    n: usize,
    width: usize,
) -> Vec<f32> {
    // In a forward layer the tokens without one are the first rows. In a reverse layer they are strewn over the steps,
    // and there the rows of `before` stay zero.
    let first = match direction {
        Direction::Forward => packing.batch_sizes().first().copied().unwrap_or(0),
        Direction::Reverse => 0,
    };
    let mut before = Panels::zeros(packing.rows() - first, n);
    for visit in packing.visits(direction) {
        for (row, token) in visit.before.clone().zip(visit.continuing()) {
            before.set_row(token - first, &hidden[row * n..][..n]);
        }
    }
    let mut d_w_hh = vec![0.0; width * n];
    add_product(&mut d_w_hh, Strided::transposed(&d_sums[first * width..], width), &before);
    d_w_hh
}

/// Some of the rows of a `[rows, width]` buffer.
pub(super) fn rows(values: &mut [f32], rows: std::ops::Range<usize>, width: usize) -> &mut [f32] {
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
