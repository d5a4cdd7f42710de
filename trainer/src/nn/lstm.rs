//! LSTM cells.
//!
//! ```text
//! i = σ(zᵢ)  f = σ(z_f)  g = tanh(z_g)  o = σ(z_o)      gates in PyTorch's order
//! c = f·c₋₁ + i·g        h = o·tanh(c)
//! ```

use super::activation::{sigmoid, tanh};
use super::packed::{Packing, Visit};
use super::recurrent::{Cells, rows, split};
use pulp::{Arch, NullaryFnOnce};

/// The LSTM cells of a batch.
#[derive(Debug)]
pub struct Lstm {
    /// Sums, then activations, then gradients of the sums: `[rows, 4 * hidden_size]`.
    gates: Vec<f32>,
    /// Cell states, `[rows, hidden_size]`.
    cell: Vec<f32>,
    /// Their hyperbolic tangents, `[rows, hidden_size]`.
    squashed: Vec<f32>,
    /// Gradients of the cell states on their way through time, `[sequences, hidden_size]`.
    d_cell: Vec<f32>,
    hidden_size: usize,
}

impl Lstm {
    /// `gates`: `[rows, 4 * hidden_size]`, the input's part of the sums.
    pub fn new(gates: Vec<f32>, packing: &Packing, hidden_size: usize) -> Self {
        let states = packing.rows() * hidden_size;
        let sequences = packing.batch_sizes().first().copied().unwrap_or(0);
        Lstm {
            gates,
            cell: vec![0.0; states],
            squashed: vec![0.0; states],
            d_cell: vec![0.0; sequences * hidden_size],
            hidden_size,
        }
    }

    /// The cell states after a forward pass: `[rows, hidden_size]`.
    pub fn cell_states(&self) -> &[f32] {
        &self.cell
    }
}

impl Cells for Lstm {
    fn sums(&mut self) -> &mut [f32] {
        &mut self.gates
    }

    fn forward(&mut self, visit: &Visit, hidden: &mut [f32]) {
        let n = self.hidden_size;
        let (before, cell) = split(&mut self.cell, visit, n);
        let gates = rows(&mut self.gates, visit.now.clone(), 4 * n).chunks_exact_mut(4 * n);
        let squashed = rows(&mut self.squashed, visit.now.clone(), n).chunks_exact_mut(n);
        let hidden = rows(hidden, visit.now.clone(), n).chunks_exact_mut(n);
        let states = cell.chunks_exact_mut(n).zip(squashed).zip(hidden);
        for (row, (gates, ((cell, squashed), hidden))) in gates.zip(states).enumerate() {
            forward(gates, before.get(row * n..(row + 1) * n), cell, squashed, hidden);
        }
    }

    fn backward(&mut self, visit: &Visit, _hidden: &[f32], d_hidden: &mut [f32]) {
        let n = self.hidden_size;
        let before = &self.cell[visit.before.start * n..visit.before.end * n];
        let gates = rows(&mut self.gates, visit.now.clone(), 4 * n).chunks_exact_mut(4 * n);
        let squashed = rows(&mut self.squashed, visit.now.clone(), n).chunks_exact(n);
        let d_hidden = rows(d_hidden, visit.now.clone(), n).chunks_exact(n);
        let states = squashed.zip(d_hidden).zip(self.d_cell.chunks_exact_mut(n));
        for (row, (gates, ((squashed, d_hidden), d_cell))) in gates.zip(states).enumerate() {
            backward(gates, before.get(row * n..(row + 1) * n), squashed, d_hidden, d_cell);
        }
    }

    fn into_gradients(self: Box<Self>) -> (Vec<f32>, Vec<f32>) {
        (self.gates, Vec::new())
    }
}

/// Forward through a row of `hidden_size` cells.
///
/// `gates`: `[4 * hidden_size]`, sums on entry, activations on return. `before`: cell state of the step before, if any.
/// `cell`, `squashed` (tanh of the cell state) and `hidden`: `[hidden_size]`, written.
fn forward(gates: &mut [f32], before: Option<&[f32]>, cell: &mut [f32], squashed: &mut [f32], hidden: &mut [f32]) {
    Arch::new().dispatch(Forward { gates, before, cell, squashed, hidden });
}

struct Forward<'a> {
    gates: &'a mut [f32],
    before: Option<&'a [f32]>,
    cell: &'a mut [f32],
    squashed: &'a mut [f32],
    hidden: &'a mut [f32],
}

impl NullaryFnOnce for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let n = self.hidden.len();
        let [i, f, g, o] = quarters(self.gates, n);
        let (cell, squashed, hidden) = (&mut self.cell[..n], &mut self.squashed[..n], &mut self.hidden[..n]);
        for u in 0..n {
            i[u] = sigmoid(i[u]);
            f[u] = sigmoid(f[u]);
            g[u] = tanh(g[u]);
            o[u] = sigmoid(o[u]);
        }
        match self.before {
            Some(before) => {
                let before = &before[..n];
                for u in 0..n {
                    cell[u] = f[u] * before[u] + i[u] * g[u];
                }
            }
            None => {
                for u in 0..n {
                    cell[u] = i[u] * g[u];
                }
            }
        }
        for u in 0..n {
            squashed[u] = tanh(cell[u]);
            hidden[u] = o[u] * squashed[u];
        }
    }
}

/// Backward through a row of `hidden_size` cells.
///
/// `gates`: `[4 * hidden_size]`, activations on entry, gradients of the gates' sums on return. `before`: as in
/// [`forward`]. `squashed`, `d_hidden`: `[hidden_size]`. `d_cell`: `[hidden_size]`, gradient of this step's cell state that
/// comes from the next step on entry, that of the step before on return.
fn backward(gates: &mut [f32], before: Option<&[f32]>, squashed: &[f32], d_hidden: &[f32], d_cell: &mut [f32]) {
    Arch::new().dispatch(Backward { gates, before, squashed, d_hidden, d_cell });
}

struct Backward<'a> {
    gates: &'a mut [f32],
    before: Option<&'a [f32]>,
    squashed: &'a [f32],
    d_hidden: &'a [f32],
    d_cell: &'a mut [f32],
}

impl NullaryFnOnce for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let n = self.d_hidden.len();
        let [i, f, g, o] = quarters(self.gates, n);
        let (squashed, d_hidden, d_cell) = (&self.squashed[..n], &self.d_hidden[..n], &mut self.d_cell[..n]);
        for u in 0..n {
            let d = d_hidden[u] * o[u] * (1.0 - squashed[u] * squashed[u]) + d_cell[u];
            d_cell[u] = d;
            o[u] = d_hidden[u] * squashed[u] * o[u] * (1.0 - o[u]);
        }
        for u in 0..n {
            let (d, iu, gu) = (d_cell[u], i[u], g[u]);
            i[u] = d * gu * iu * (1.0 - iu);
            g[u] = d * iu * (1.0 - gu * gu);
            d_cell[u] = d * f[u];
        }
        // `d_cell` holds d * f by now.
        match self.before {
            Some(before) => {
                let before = &before[..n];
                for u in 0..n {
                    f[u] = d_cell[u] * before[u] * (1.0 - f[u]);
                }
            }
            None => f.fill(0.0),
        }
    }
}

/// The four gates of a row.
#[inline(always)]
fn quarters(gates: &mut [f32], n: usize) -> [&mut [f32]; 4] {
    let (i, rest) = gates.split_at_mut(n);
    let (f, rest) = rest.split_at_mut(n);
    let (g, o) = rest.split_at_mut(n);
    [i, f, g, &mut o[..n]]
}
