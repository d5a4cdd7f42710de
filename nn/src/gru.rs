//! GRU cells, in PyTorch's form: the reset gate acts after the product with W_hn and on its bias.
//!
//! ```text
//! r = σ(x_r + s_r)  z = σ(x_z + s_z)  n = tanh(x_n + r·s_n)      s = W_hh·h₋₁ (+ b_hn in s_n)
//! h = n + z·(h₋₁ - n)
//! ```

use super::activation::{fused, one_minus, sigmoid, tanh, times_slope};
use super::packed::Visit;
use super::product::add_rows;
use super::recurrent::{Cells, Input, Rows, split};
use pulp::{Arch, Scalar, Simd, WithSimd};

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
        let Rows { values, stride, .. } = &self.sums;
        if !values.is_empty() {
            add_rows(&mut d_b_hn, &values[2 * n..], *stride, n, |_| 0);
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
    fn with_simd<S: Simd>(self, simd: S) {
        let n = self.n;
        let rows = self.gates.chunks_mut(self.stride).zip(self.sums.chunks(self.stride));
        for (row, ((gates, sums), hidden)) in rows.zip(self.hidden.chunks_exact_mut(n)).enumerate() {
            forward(simd, gates, sums, self.before.get(row * n..(row + 1) * n), hidden);
        }
    }
}

#[inline(always)]
fn forward<S: Simd>(simd: S, gates: &mut [f32], sums: &[f32], before: Option<&[f32]>, hidden: &mut [f32]) {
    let (size, fused) = (hidden.len(), fused::<S>());
    // Loops of one kind each: those over all three gates the compiler does not make vectors of.
    for (gate, sum) in gates[..2 * size].iter_mut().zip(&sums[..2 * size]) {
        *gate = sigmoid(fused, *gate + sum);
    }
    let (r, rest) = gates.split_at_mut(size);
    let (z, n) = rest.split_at_mut(size);
    let (n, s_n) = (&mut n[..size], &sums[2 * size..3 * size]);
    let (n_v, r_v, s_v) = (S::as_mut_simd_f32s(n), S::as_simd_f32s(r), S::as_simd_f32s(s_n));
    add_products(simd, n_v.0, r_v.0, s_v.0);
    add_products(Scalar, n_v.1, r_v.1, s_v.1);
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

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let n = self.n;
        let rows = self.gates.chunks_mut(self.stride).zip(self.sums.chunks_mut(self.stride));
        for (row, ((gates, sums), d_hidden)) in rows.zip(self.d_hidden.chunks_exact(n)).enumerate() {
            let at = row * n..(row + 1) * n;
            backward(simd, gates, sums, self.before.get(at.clone()).zip(self.d_before.get_mut(at)), d_hidden);
        }
    }
}

/// to += a · b
#[inline(always)]
fn add_products<S: Simd<f32s = V>, V: Copy>(simd: S, to: &mut [V], a: &[V], b: &[V]) {
    for (to, (a, b)) in to.iter_mut().zip(a.iter().zip(b)) {
        *to = simd.add_f32s(*to, simd.mul_f32s(*a, *b));
    }
}

#[inline(always)]
fn backward<S: Simd>(
    simd: S,
    gates: &mut [f32],
    sums: &mut [f32],
    before: Option<(&[f32], &mut [f32])>,
    d_hidden: &[f32],
) {
    let ([r, z, n], [s_r, s_z, s_n]) = (thirds(gates, d_hidden.len()), thirds(sums, d_hidden.len()));
    let (r, z, n) = (S::as_mut_simd_f32s(r), S::as_mut_simd_f32s(z), S::as_mut_simd_f32s(n));
    let (s_r, s_z, s_n) = (S::as_mut_simd_f32s(s_r), S::as_mut_simd_f32s(s_z), S::as_mut_simd_f32s(s_n));
    let d_hidden = S::as_simd_f32s(d_hidden);
    let (head, tail) = before
        .map(|(before, d_before)| {
            let (before, d_before) = (S::as_simd_f32s(before), S::as_mut_simd_f32s(d_before));
            ((before.0, d_before.0), (before.1, d_before.1))
        })
        .unzip();
    units(simd, [r.0, z.0, n.0], [s_r.0, s_z.0, s_n.0], head, d_hidden.0);
    units(Scalar, [r.1, z.1, n.1], [s_r.1, s_z.1, s_n.1], tail, d_hidden.1);
}

/// Backward through units of a row, as many at once as a `V` holds; with vectors, as the LSTM's.
#[inline(always)]
fn units<S: Simd<f32s = V>, V: Copy>(
    simd: S,
    [r, z, n]: [&mut [V]; 3],
    [s_r, s_z, s_n]: [&mut [V]; 3],
    mut before: Option<(&[V], &mut [V])>,
    d_hidden: &[V],
) {
    for u in 0..d_hidden.len() {
        let (d, ru, zu, nu) = (d_hidden[u], r[u], z[u], n[u]);
        let change = match &mut before {
            Some((before, d_before)) => {
                d_before[u] = simd.add_f32s(d_before[u], simd.mul_f32s(d, zu));
                simd.sub_f32s(before[u], nu)
            }
            None => simd.sub_f32s(simd.splat_f32s(0.0), nu),
        };
        let d_z = times_slope(simd, simd.mul_f32s(d, change), zu);
        let d_n = simd.mul_f32s(simd.mul_f32s(d, one_minus(simd, zu)), one_minus(simd, simd.mul_f32s(nu, nu)));
        let d_r = times_slope(simd, simd.mul_f32s(d_n, s_n[u]), ru);
        (r[u], z[u], n[u]) = (d_r, d_z, d_n);
        (s_r[u], s_z[u], s_n[u]) = (d_r, d_z, simd.mul_f32s(d_n, ru));
    }
}

/// The three gates of a row.
#[inline(always)]
fn thirds(gates: &mut [f32], n: usize) -> [&mut [f32]; 3] {
    let (r, rest) = gates.split_at_mut(n);
    let (z, n_and_gap) = rest.split_at_mut(n);
    [r, z, &mut n_and_gap[..n]]
}
