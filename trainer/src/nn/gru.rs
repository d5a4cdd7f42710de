//! GRU cells, in PyTorch's form: the reset gate acts after the product with W_hn and on its bias.
//!
//! ```text
//! r = σ(x_r + s_r)  z = σ(x_z + s_z)  n = tanh(x_n + r·s_n)      s = W_hh·h₋₁ (+ b_hn in s_n)
//! h = n + z·(h₋₁ - n)
//! ```

use super::activation::{sigmoid, tanh};
use super::packed::Visit;
use super::recurrent::{Cells, rows, split};
use pulp::{Arch, NullaryFnOnce};

/// The GRU cells of a batch.
#[derive(Debug)]
pub struct Gru {
    /// Input's sums, then activations, then gradients of the input's sums: `[rows, 3 * hidden_size]`.
    gates: Vec<f32>,
    /// The hidden state's sums, then their gradients: `[rows, 3 * hidden_size]`.
    sums: Vec<f32>,
    hidden_size: usize,
}

impl Gru {
    /// `gates`: `[rows, 3 * hidden_size]`, the input's sums with b_ir + b_hr, b_iz + b_hz and b_in; `b_hn`:
    /// `[hidden_size]`.
    pub fn new(gates: Vec<f32>, b_hn: &[f32]) -> Self {
        let n = b_hn.len();
        let mut sums = vec![0.0; gates.len()];
        for row in sums.chunks_exact_mut(3 * n) {
            row[2 * n..].copy_from_slice(b_hn);
        }
        Gru { gates, sums, hidden_size: n }
    }
}

impl Cells for Gru {
    fn sums(&mut self) -> &mut [f32] {
        &mut self.sums
    }

    fn forward(&mut self, visit: &Visit, hidden: &mut [f32]) {
        let n = self.hidden_size;
        let (before, hidden) = split(hidden, visit, n);
        let gates = rows(&mut self.gates, visit.now.clone(), 3 * n).chunks_exact_mut(3 * n);
        let sums = rows(&mut self.sums, visit.now.clone(), 3 * n).chunks_exact(3 * n);
        for (row, ((gates, sums), hidden)) in gates.zip(sums).zip(hidden.chunks_exact_mut(n)).enumerate() {
            let before = before.get(row * n..(row + 1) * n);
            Arch::new().dispatch(Forward { gates, sums, before, hidden });
        }
    }

    fn backward(&mut self, visit: &Visit, hidden: &[f32], d_hidden: &mut [f32]) {
        let n = self.hidden_size;
        let before = &hidden[visit.before.start * n..visit.before.end * n];
        let (d_before, d_hidden) = split(d_hidden, visit, n);
        let gates = rows(&mut self.gates, visit.now.clone(), 3 * n).chunks_exact_mut(3 * n);
        let sums = rows(&mut self.sums, visit.now.clone(), 3 * n).chunks_exact_mut(3 * n);
        for (row, ((gates, sums), d_hidden)) in gates.zip(sums).zip(d_hidden.chunks_exact(n)).enumerate() {
            let at = row * n..(row + 1) * n;
            let before = before.get(at.clone()).zip(d_before.get_mut(at));
            Arch::new().dispatch(Backward { gates, sums, before, d_hidden });
        }
    }

    fn into_gradients(self: Box<Self>) -> (Vec<f32>, Vec<f32>) {
        let n = self.hidden_size;
        let mut d_b_hn = vec![0.0; n];
        for row in self.sums.chunks_exact(3 * n) {
            for (sum, d) in d_b_hn.iter_mut().zip(&row[2 * n..]) {
                *sum += d;
            }
        }
        (self.gates, d_b_hn)
    }
}

/// Forward through a row of cells.
struct Forward<'a> {
    /// Input's sums on entry, activations on return: `[3 * hidden_size]`.
    gates: &'a mut [f32],
    /// `[3 * hidden_size]`
    sums: &'a [f32],
    /// The hidden state of the step before, if any: `[hidden_size]`.
    before: Option<&'a [f32]>,
    /// Written: `[hidden_size]`.
    hidden: &'a mut [f32],
}

impl NullaryFnOnce for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let size = self.hidden.len();
        let (r, rest) = self.gates.split_at_mut(size);
        let (z, n) = rest.split_at_mut(size);
        let (s_r, rest) = self.sums.split_at(size);
        let (s_z, s_n) = rest.split_at(size);
        let (n, s_n, hidden) = (&mut n[..size], &s_n[..size], &mut self.hidden[..size]);
        for u in 0..size {
            r[u] = sigmoid(r[u] + s_r[u]);
            z[u] = sigmoid(z[u] + s_z[u]);
            n[u] = tanh(n[u] + r[u] * s_n[u]);
        }
        match self.before {
            Some(before) => {
                let before = &before[..size];
                for u in 0..size {
                    hidden[u] = n[u] + z[u] * (before[u] - n[u]);
                }
            }
            None => {
                for u in 0..size {
                    hidden[u] = n[u] - z[u] * n[u];
                }
            }
        }
    }
}

/// Backward through a row of cells.
struct Backward<'a> {
    /// Activations on entry, gradients of the input's sums on return: `[3 * hidden_size]`.
    gates: &'a mut [f32],
    /// The hidden state's sums on entry, their gradients on return: `[3 * hidden_size]`.
    sums: &'a mut [f32],
    /// The hidden state of the step before, and its gradient, to which is added: `[hidden_size]` each.
    before: Option<(&'a [f32], &'a mut [f32])>,
    /// `[hidden_size]`
    d_hidden: &'a [f32],
}

impl NullaryFnOnce for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let size = self.d_hidden.len();
        let d = &self.d_hidden[..size];
        let (r, rest) = self.gates.split_at_mut(size);
        let (z, n) = rest.split_at_mut(size);
        let (s_r, rest) = self.sums.split_at_mut(size);
        let (s_z, s_n) = rest.split_at_mut(size);
        let (n, s_n) = (&mut n[..size], &mut s_n[..size]);
        // The gradient of z takes its place in `s_z`, until nothing reads z any more.
        match self.before {
            Some((before, d_before)) => {
                let (before, d_before) = (&before[..size], &mut d_before[..size]);
                for u in 0..size {
                    s_z[u] = d[u] * (before[u] - n[u]) * z[u] * (1.0 - z[u]);
                    d_before[u] += d[u] * z[u];
                }
            }
            None => {
                for u in 0..size {
                    s_z[u] = -d[u] * n[u] * z[u] * (1.0 - z[u]);
                }
            }
        }
        for u in 0..size {
            let d_n = d[u] * (1.0 - z[u]) * (1.0 - n[u] * n[u]);
            let d_r = d_n * s_n[u] * r[u] * (1.0 - r[u]);
            s_n[u] = d_n * r[u];
            n[u] = d_n;
            s_r[u] = d_r;
            r[u] = d_r;
            z[u] = s_z[u];
        }
    }
}
