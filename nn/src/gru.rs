//! The element-wise arithmetic of GRU cells, forward and backward, in PyTorch's form ("reset after"): the reset gate
//! multiplies W_hn·h₋₁ + b_hn.
//!
//! ```text
//! r = σ(x_r + s_r)  z = σ(x_z + s_z)  n = tanh(x_n + r·s_n)      s = W_hh·h₋₁ (+ b_hn in s_n)
//! h = n + z·(h₋₁ - n)
//! ```

use crate::activation::{has_fused_multiply_add, one_minus, sigmoid, sigmoid_backward, tanh};
use crate::cells::{CellBatch, InputProjection, StridedRows, previous_and_current};
use crate::packed::TimeStep;
use crate::product::add_rows;
use pulp::{Arch, Scalar, Simd, WithSimd};

/// The GRU cells of a batch.
#[derive(Debug)]
pub struct Gru {
    /// The input projection with b_ir + b_hr, b_iz + b_hz and b_in, `[rows, 3 * hidden_size]`. The forward pass
    /// replaces it by the activations, the backward pass by the gradients of the input projection.
    gates: StridedRows,
    /// The recurrent sums s, `[rows, 3 * hidden_size]`, which the backward pass replaces by their gradients.
    sums: StridedRows,
    /// `[hidden_size]`
    b_hn: Vec<f32>,
}

impl Gru {
    /// Cells for `rows` tokens. `b_hn`: `[hidden_size]`.
    pub fn new(rows: usize, b_hn: &[f32]) -> Self {
        let width = 3 * b_hn.len();
        Gru { gates: StridedRows::new(rows, width), sums: StridedRows::new(rows, width), b_hn: b_hn.to_vec() }
    }
}

impl CellBatch for Gru {
    fn load_input(&mut self, step: &TimeStep, input: InputProjection<'_>) {
        let hidden_size = self.b_hn.len();
        self.gates.load_input(step, input);
        let (sums, stride) = self.sums.of_step_mut(step);
        for row in sums.chunks_mut(stride) {
            row[..2 * hidden_size].fill(0.0);
            row[2 * hidden_size..3 * hidden_size].copy_from_slice(&self.b_hn);
        }
    }

    fn recurrent_sums(&mut self) -> &mut StridedRows {
        &mut self.sums
    }

    fn forward(&mut self, step: &TimeStep, hidden: &mut [f32]) {
        let hidden_size = self.b_hn.len();
        let (previous, hidden) = previous_and_current(hidden, step, hidden_size);
        let (gates, stride) = self.gates.of_step_mut(step);
        let (sums, _) = self.sums.of_step(step);
        Arch::new().dispatch(Forward { hidden_size, stride, gates, sums, previous, hidden });
    }

    fn backward(&mut self, step: &TimeStep, hidden: &[f32], d_hidden: &mut [f32]) {
        let hidden_size = self.b_hn.len();
        let previous = &hidden[step.previous.start * hidden_size..step.previous.end * hidden_size];
        let (d_previous, d_hidden) = previous_and_current(d_hidden, step, hidden_size);
        let (gates, stride) = self.gates.of_step_mut(step);
        let (sums, _) = self.sums.of_step_mut(step);
        Arch::new().dispatch(Backward { hidden_size, stride, gates, sums, previous, d_previous, d_hidden });
    }

    fn d_input(&self) -> &StridedRows {
        &self.gates
    }

    fn d_b_hn(&self) -> Vec<f32> {
        let hidden_size = self.b_hn.len();
        let mut d_b_hn = vec![0.0; hidden_size];
        let StridedRows { values, stride, .. } = &self.sums;
        if !values.is_empty() {
            // From this start on, each chunk of `stride` values begins with the gradient of s_n of a row. All rows are
            // added to the single row 0 of the sum.
            add_rows(&mut d_b_hn, &values[2 * hidden_size..], *stride, hidden_size, |_| 0);
        }
        d_b_hn
    }
}

/// The forward pass of one time step.
struct Forward<'a> {
    hidden_size: usize,
    /// Distance between rows of `gates` and of `sums`.
    stride: usize,
    /// Input projection on entry, activations on return: `[rows, 3 * hidden_size]`.
    gates: &'a mut [f32],
    /// Recurrent sums: `[rows, 3 * hidden_size]`
    sums: &'a [f32],
    /// Hidden states of the previous step: `[continuing rows, hidden_size]`.
    previous: &'a [f32],
    /// Output: hidden states, `[rows, hidden_size]`.
    hidden: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let hidden_size = self.hidden_size;
        let rows = self.gates.chunks_mut(self.stride).zip(self.sums.chunks(self.stride));
        for (row, ((gates, sums), hidden)) in rows.zip(self.hidden.chunks_exact_mut(hidden_size)).enumerate() {
            // A sequence that begins with this step has no previous state.
            let previous = self.previous.get(row * hidden_size..(row + 1) * hidden_size);
            forward(simd, gates, sums, previous, hidden);
        }
    }
}

/// Computes the forward pass of one row. `previous`: the row's hidden state before, `None` for the first token of a
/// sequence; the other arguments: a row of the arrays of [`Forward`].
#[inline(always)]
fn forward<S: Simd>(simd: S, gates: &mut [f32], sums: &[f32], previous: Option<&[f32]>, hidden: &mut [f32]) {
    let (hidden_size, fused) = (hidden.len(), has_fused_multiply_add::<S>());
    // Separate loops: the compiler does not vectorise a single loop over all three gates.
    for (gate, sum) in gates[..2 * hidden_size].iter_mut().zip(&sums[..2 * hidden_size]) {
        *gate = sigmoid(fused, *gate + sum);
    }
    let [r, z, n] = split_gates(gates, hidden_size);
    let s_n = &sums[2 * hidden_size..3 * hidden_size];
    // n = x_n + r·s_n. Of each pair, `.0` holds whole vectors and `.1` the remaining units.
    let (n_parts, r_parts, s_parts) = (S::as_mut_simd_f32s(n), S::as_simd_f32s(r), S::as_simd_f32s(s_n));
    add_products(simd, n_parts.0, r_parts.0, s_parts.0);
    add_products(Scalar, n_parts.1, r_parts.1, s_parts.1);
    for n in &mut *n {
        *n = tanh(fused, *n);
    }
    match previous {
        Some(previous) => {
            let previous = &previous[..hidden_size];
            for u in 0..hidden_size {
                hidden[u] = n[u] + z[u] * (previous[u] - n[u]);
            }
        }
        None => {
            for u in 0..hidden_size {
                hidden[u] = n[u] - z[u] * n[u];
            }
        }
    }
}

/// The backward pass of one time step.
struct Backward<'a> {
    hidden_size: usize,
    /// Distance between rows of `gates` and of `sums`.
    stride: usize,
    /// Activations on entry, gradients of the input projection on return: `[rows, 3 * hidden_size]`.
    gates: &'a mut [f32],
    /// Recurrent sums on entry, their gradients on return: `[rows, 3 * hidden_size]`.
    sums: &'a mut [f32],
    /// Hidden states of the previous step: `[continuing rows, hidden_size]`.
    previous: &'a [f32],
    /// The gradients of `previous`, `[continuing rows, hidden_size]`. The backward pass adds the gradient through
    /// z·h₋₁.
    d_previous: &'a mut [f32],
    /// Gradients of the hidden states: `[rows, hidden_size]`.
    d_hidden: &'a [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let hidden_size = self.hidden_size;
        let rows = self.gates.chunks_mut(self.stride).zip(self.sums.chunks_mut(self.stride));
        for (row, ((gates, sums), d_hidden)) in rows.zip(self.d_hidden.chunks_exact(hidden_size)).enumerate() {
            // A sequence that begins with this step has no previous state.
            let range = row * hidden_size..(row + 1) * hidden_size;
            let previous = self.previous.get(range.clone()).zip(self.d_previous.get_mut(range));
            backward(simd, gates, sums, previous, d_hidden);
        }
    }
}

/// Adds a · b to `to`, element by element.
#[inline(always)]
fn add_products<S: Simd<f32s = V>, V: Copy>(simd: S, to: &mut [V], a: &[V], b: &[V]) {
    for (to, (a, b)) in to.iter_mut().zip(a.iter().zip(b)) {
        *to = simd.add_f32s(*to, simd.mul_f32s(*a, *b));
    }
}

/// Computes the backward pass of one row. `previous`: the row's hidden state before and its gradient, `None` for the
/// first token of a sequence; the other arguments: a row of the arrays of [`Backward`].
#[inline(always)]
fn backward<S: Simd>(
    simd: S,
    gates: &mut [f32],
    sums: &mut [f32],
    previous: Option<(&[f32], &mut [f32])>,
    d_hidden: &[f32],
) {
    let ([r, z, n], [s_r, s_z, s_n]) = (split_gates(gates, d_hidden.len()), split_gates(sums, d_hidden.len()));
    let (r, z, n) = (S::as_mut_simd_f32s(r), S::as_mut_simd_f32s(z), S::as_mut_simd_f32s(n));
    let (s_r, s_z, s_n) = (S::as_mut_simd_f32s(s_r), S::as_mut_simd_f32s(s_z), S::as_mut_simd_f32s(s_n));
    let d_hidden = S::as_simd_f32s(d_hidden);
    // Of each pair, `.0` holds whole vectors and `.1` the remaining units.
    let previous = previous.map(|(previous, d_previous)| {
        let (previous, d_previous) = (S::as_simd_f32s(previous), S::as_mut_simd_f32s(d_previous));
        ((previous.0, d_previous.0), (previous.1, d_previous.1))
    });
    let (previous_vectors, previous_rest) = previous.unzip();
    units(simd, [r.0, z.0, n.0], [s_r.0, s_z.0, s_n.0], previous_vectors, d_hidden.0);
    units(Scalar, [r.1, z.1, n.1], [s_r.1, s_z.1, s_n.1], previous_rest, d_hidden.1);
}

/// Computes the backward pass of some units of a row, one vector `V` at a time; see the function of this name in
/// `lstm`.
#[inline(always)]
fn units<S: Simd<f32s = V>, V: Copy>(
    simd: S,
    [r, z, n]: [&mut [V]; 3],
    [s_r, s_z, s_n]: [&mut [V]; 3],
    mut previous: Option<(&[V], &mut [V])>,
    d_hidden: &[V],
) {
    for u in 0..d_hidden.len() {
        let (d, ru, zu, nu) = (d_hidden[u], r[u], z[u], n[u]);
        // h₋₁ − n, the derivative of h with respect to z.
        let change = match &mut previous {
            Some((previous, d_previous)) => {
                d_previous[u] = simd.add_f32s(d_previous[u], simd.mul_f32s(d, zu));
                simd.sub_f32s(previous[u], nu)
            }
            None => simd.sub_f32s(simd.splat_f32s(0.0), nu),
        };
        let d_z = sigmoid_backward(simd, simd.mul_f32s(d, change), zu);
        let d_n = simd.mul_f32s(simd.mul_f32s(d, one_minus(simd, zu)), one_minus(simd, simd.mul_f32s(nu, nu)));
        let d_r = sigmoid_backward(simd, simd.mul_f32s(d_n, s_n[u]), ru);
        (r[u], z[u], n[u]) = (d_r, d_z, d_n);
        (s_r[u], s_z[u], s_n[u]) = (d_r, d_z, simd.mul_f32s(d_n, ru));
    }
}

/// Splits a row into its three gates, each `[hidden_size]`, without the gap after the row.
#[inline(always)]
fn split_gates(gates: &mut [f32], hidden_size: usize) -> [&mut [f32]; 3] {
    let (r, rest) = gates.split_at_mut(hidden_size);
    let (z, n_and_gap) = rest.split_at_mut(hidden_size);
    [r, z, &mut n_and_gap[..hidden_size]]
}
