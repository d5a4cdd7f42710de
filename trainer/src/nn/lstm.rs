//! An LSTM layer over packed sequences, from the gates' input sums onwards.
//!
//! The input's part of the gates, x·W_ihᵀ + b_ih + b_hh, is one product for all tokens and is done beforehand. What is
//! left goes step by step. The activations of the forward pass are kept, the backward pass visits each of them once:
//! time and memory are linear in the number of tokens.

use super::cell;
use super::packed::Packing;
use super::product::{Panels, Strided, add_product};

/// What a forward pass leaves behind.
#[derive(Debug)]
pub struct Activations {
    /// Activated gates, `[rows, 4 * hidden_size]`.
    gates: Vec<f32>,
    /// Cell states, `[rows, hidden_size]`.
    cell: Vec<f32>,
    /// Their hyperbolic tangents, `[rows, hidden_size]`.
    squashed: Vec<f32>,
}

/// Runs the layer. Initial states are zero.
///
/// `gates`: `[rows, 4 * hidden_size]`, the input's part of the gates' sums. `w_hh`: W_hhᵀ, [hidden_size, 4 *
/// hidden_size]. Returns the hidden states `[rows, hidden_size]` and what [`backward`] needs.
pub fn forward(mut gates: Vec<f32>, w_hh: &Panels, packing: &Packing, hidden_size: usize) -> (Vec<f32>, Activations) {
    let (n, rows) = (hidden_size, packing.rows());
    let mut hidden = vec![0.0; rows * n];
    let mut cell = vec![0.0; rows * n];
    let mut squashed = vec![0.0; rows * n];
    for step in 0..packing.batch_sizes().len() {
        let now = packing.step(step);
        let before = (step > 0).then(|| packing.step(step - 1).start);
        let (hidden_before, hidden_now) = hidden.split_at_mut(now.start * n);
        let (cell_before, cell_now) = cell.split_at_mut(now.start * n);
        let gates = &mut gates[now.start * 4 * n..now.end * 4 * n];
        if let Some(before) = before {
            add_product(gates, Strided::rows(&hidden_before[before * n..], n), w_hh);
        }
        for (row, gates) in gates.chunks_exact_mut(4 * n).enumerate() {
            let at = row * n..(row + 1) * n;
            cell::forward(
                gates,
                before.map(|before| &cell_before[(before + row) * n..][..n]),
                &mut cell_now[at.clone()],
                &mut squashed[(now.start + row) * n..][..n],
                &mut hidden_now[at],
            );
        }
    }
    (hidden, Activations { gates, cell, squashed })
}

/// The gradients of the layer.
#[derive(Debug)]
pub struct Gradients {
    /// Of the gates' input sums: `[rows, 4 * hidden_size]`.
    pub gates: Vec<f32>,
    /// Of W_hh: `[4 * hidden_size, hidden_size]`.
    pub w_hh: Vec<f32>,
}

/// Backward through time, from the gradient of the hidden states.
///
/// `hidden`, `d_hidden`: `[rows, hidden_size]`; `w_hh`: `[4 * hidden_size, hidden_size]`, row-major.
pub fn backward(
    activations: Activations,
    hidden: &[f32],
    mut d_hidden: Vec<f32>,
    w_hh: &[f32],
    packing: &Packing,
    hidden_size: usize,
) -> Gradients {
    let n = hidden_size;
    let Activations { mut gates, cell, squashed } = activations;
    let panels = Panels::from_rows(w_hh, 4 * n, n);
    let steps = packing.batch_sizes().len();
    let mut d_cell = vec![0.0; packing.batch_sizes().first().copied().unwrap_or(0) * n];
    for step in (0..steps).rev() {
        let now = packing.step(step);
        if step + 1 < steps {
            let next = packing.step(step + 1);
            add_product(
                &mut d_hidden[now.start * n..(now.start + next.len()) * n],
                Strided::rows(&gates[next.start * 4 * n..next.end * 4 * n], 4 * n),
                &panels,
            );
        }
        let before = (step > 0).then(|| packing.step(step - 1).start);
        for (row, d_cell) in (0..now.len()).zip(d_cell.chunks_exact_mut(n)) {
            let token = now.start + row;
            cell::backward(
                &mut gates[token * 4 * n..][..4 * n],
                before.map(|before| &cell[(before + row) * n..][..n]),
                &squashed[token * n..][..n],
                &d_hidden[token * n..][..n],
                d_cell,
            );
        }
    }
    let w_hh = weight_gradient(&gates, hidden, packing, n);
    Gradients { gates, w_hh }
}

/// Σ over tokens with a predecessor of d_gatesᵀ · h₋₁: `[4 * hidden_size, hidden_size]`.
fn weight_gradient(d_gates: &[f32], hidden: &[f32], packing: &Packing, n: usize) -> Vec<f32> {
    let first = packing.batch_sizes().first().copied().unwrap_or(0);
    let mut before = Panels::zeros(packing.rows() - first, n);
    let mut token = 0;
    for (step, &active) in packing.batch_sizes().iter().enumerate().skip(1) {
        let start = packing.step(step - 1).start;
        for row in hidden[start * n..(start + active) * n].chunks_exact(n) {
            before.set_row(token, row);
            token += 1;
        }
    }
    let mut d_w_hh = vec![0.0; 4 * n * n];
    add_product(&mut d_w_hh, Strided::transposed(&d_gates[first * 4 * n..], 4 * n), &before);
    d_w_hh
}
