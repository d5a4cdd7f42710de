//! GRU cells, in PyTorch's form: the reset gate acts after the product with W_hn and on its bias.
//!
//! ```text
//! r = σ(x_r + s_r)  z = σ(x_z + s_z)  n = tanh(x_n + r·s_n)      s = W_hh·h₋₁ (+ b_hn in s_n)
//! h = n + z·(h₋₁ - n)
//! ```

use super::activation::{fused, sigmoid, tanh};
use super::packed::Visit;
use super::recurrent::{Cells, Input, Rows, split};
use pulp::{Arch, NullaryFnOnce, Simd, WithSimd};

/// The GRU cells of a batch.
#[derive(Debug)]
pub struct Gru {
    /// Input's sums with b_ir + b_hr, b_iz + b_hz and b_in, then activations, then gradients of the input's sums.
    gates: Rows,
    /// The hidden state's sums, then their gradients.
    sums: Rows,
    /// `[hidden_size]`
    b_hn: Vec<f32>,
}

impl Gru {
    /// Cells for so many rows; `b_hn`: `[hidden_size]`.
    pub fn new(rows: usize, b_hn: &[f32]) -> Self {
        let width = 3 * b_hn.len();
        Gru { gates: Rows::new(rows, width), sums: Rows::new(rows, width), b_hn: b_hn.to_vec() }
    }
}

impl Cells for Gru {
    fn start(&mut self, visit: &Visit, input: Input<'_>) {
        let n = self.b_hn.len();
        self.gates.start(visit, input);
        let (sums, stride) = self.sums.of_mut(visit);
        for row in sums.chunks_mut(stride) {
            row[..2 * n].fill(0.0);
            row[2 * n..3 * n].copy_from_slice(&self.b_hn);
        }
    }

    fn sums(&mut self) -> &mut Rows {
        &mut self.sums
    }

    fn forward(&mut self, visit: &Visit, hidden: &mut [f32]) {
        let n = self.b_hn.len();
        let (before, hidden) = split(hidden, visit, n);
        let (gates, stride) = self.gates.of_mut(visit);
        let (sums, _) = self.sums.of(visit);
        Arch::new().dispatch(Forward { n, stride, gates, sums, before, hidden });
    }

    fn backward(&mut self, visit: &Visit, hidden: &[f32], d_hidden: &mut [f32]) {
        let n = self.b_hn.len();
        let before = &hidden[visit.before.start * n..visit.before.end * n];
        let (d_before, d_hidden) = split(d_hidden, visit, n);
        let (gates, stride) = self.gates.of_mut(visit);
        let (sums, _) = self.sums.of_mut(visit);
        Arch::new().dispatch(Backward { n, stride, gates, sums, before, d_before, d_hidden });
    }

    fn d_input(&self) -> &Rows {
        &self.gates
    }

    fn d_hidden_bias(&self) -> Vec<f32> {
        let n = self.b_hn.len();
        let mut d_b_hn = vec![0.0; n];
        for row in self.sums.values.chunks(self.sums.stride) {
            for (sum, d) in d_b_hn.iter_mut().zip(&row[2 * n..3 * n]) {
                *sum += d;
            }
        }
        d_b_hn
    }
}

/// Forward through the rows of a step.
struct Forward<'a> {
    /// `hidden_size`
    n: usize,
    /// Of the rows of `gates` and `sums`.
    stride: usize,
    /// Input's sums on entry, activations on return: `[rows, 3 * n]`.
    gates: &'a mut [f32],
    /// `[rows, 3 * n]`
    sums: &'a [f32],
    /// The hidden states of the step before: `[continuing rows, n]`.
    before: &'a [f32],
    /// Written: `[rows, n]`.
    hidden: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let n = self.n;
        let rows = self.gates.chunks_mut(self.stride).zip(self.sums.chunks(self.stride));
        for (row, ((gates, sums), hidden)) in rows.zip(self.hidden.chunks_exact_mut(n)).enumerate() {
            forward(fused::<S>(), gates, sums, self.before.get(row * n..(row + 1) * n), hidden);
        }
    }
}

#[inline(always)]
fn forward(fused: bool, gates: &mut [f32], sums: &[f32], before: Option<&[f32]>, hidden: &mut [f32]) {
    let size = hidden.len();
    // Loops of one kind each: those over all three gates the compiler does not make vectors of.
    for (gate, sum) in gates[..2 * size].iter_mut().zip(&sums[..2 * size]) {
        *gate = sigmoid(fused, *gate + sum);
    }
    let (r, rest) = gates.split_at_mut(size);
    let (z, n) = rest.split_at_mut(size);
    let (n, s_n) = (&mut n[..size], &sums[2 * size..3 * size]);
    for u in 0..size {
        n[u] += r[u] * s_n[u];
    }
    for n in &mut *n {
        *n = tanh(fused, *n);
    }
    match before {
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

/// Backward through the rows of a step.
struct Backward<'a> {
    /// `hidden_size`
    n: usize,
    /// Of the rows of `gates` and `sums`.
    stride: usize,
    /// Activations on entry, gradients of the input's sums on return: `[rows, 3 * n]`.
    gates: &'a mut [f32],
    /// The hidden state's sums on entry, their gradients on return: `[rows, 3 * n]`.
    sums: &'a mut [f32],
    /// The hidden states of the step before, and their gradients, to which is added: `[continuing rows, n]` each.
    before: &'a [f32],
    d_before: &'a mut [f32],
    /// `[rows, n]`
    d_hidden: &'a [f32],
}

impl NullaryFnOnce for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let n = self.n;
        let rows = self.gates.chunks_mut(self.stride).zip(self.sums.chunks_mut(self.stride));
        for (row, ((gates, sums), d_hidden)) in rows.zip(self.d_hidden.chunks_exact(n)).enumerate() {
            let at = row * n..(row + 1) * n;
            backward(gates, sums, self.before.get(at.clone()).zip(self.d_before.get_mut(at)), d_hidden);
        }
    }
}

#[inline(always)]
fn backward(gates: &mut [f32], sums: &mut [f32], before: Option<(&[f32], &mut [f32])>, d: &[f32]) {
    let size = d.len();
    let (r, rest) = gates.split_at_mut(size);
    let (z, n) = rest.split_at_mut(size);
    let (s_r, rest) = sums.split_at_mut(size);
    let (s_z, s_n) = rest.split_at_mut(size);
    let (n, s_n) = (&mut n[..size], &mut s_n[..size]);
    // The gradient of z takes its place in `s_z`, until nothing reads z any more.
    match before {
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
