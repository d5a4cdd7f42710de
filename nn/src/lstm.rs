//! LSTM cells.
//!
//! ```text
//! i = σ(zᵢ)  f = σ(z_f)  g = tanh(z_g)  o = σ(z_o)      gates in PyTorch's order
//! c = f·c₋₁ + i·g        h = o·tanh(c)
//! ```

use super::activation::{fused, one_minus, sigmoid, tanh, times_slope};
use super::buffer::Buffer;
use super::packed::{Packing, Visit};
use super::recurrent::{Cells, Input, Rows, rows, split};
use pulp::{Arch, Scalar, Simd, WithSimd};

/// The LSTM cells of a batch.
#[derive(Debug)]
pub struct Lstm {
    /// Sums, then activations, then gradients of the sums.
    gates: Rows,
    /// Cell states, `[rows, hidden_size]`.
    cell: Buffer,
    /// Their hyperbolic tangents, `[rows, hidden_size]`.
    squashed: Buffer,
    /// Gradients of the cell states on their way through time, `[sequences, hidden_size]`.
    d_cell: Vec<f32>,
    hidden_size: usize,
}

impl Lstm {
    /// Cells for packed sequences.
    pub fn new(packing: &Packing, hidden_size: usize) -> Self {
        let states = packing.rows() * hidden_size;
        let sequences = packing.batch_sizes().first().copied().unwrap_or(0);
        Lstm {
            gates: Rows::new(packing.rows(), 4 * hidden_size),
            cell: Buffer::any(states),
            squashed: Buffer::any(states),
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
    fn start(&mut self, visit: &Visit, input: Input<'_>) {
        self.gates.start(visit, input);
    }

    fn sums(&mut self) -> &mut Rows {
        &mut self.gates
    }

    fn forward(&mut self, visit: &Visit, hidden: &mut [f32]) {
        let n = self.hidden_size;
        let (before, cell) = split(&mut self.cell, visit, n);
        let (gates, stride) = self.gates.of_mut(visit);
        let squashed = rows(&mut self.squashed, visit.now.clone(), n);
        let hidden = rows(hidden, visit.now.clone(), n);
        Arch::new().dispatch(Forward { n, stride, gates, before, cell, squashed, hidden });
    }

    fn backward(&mut self, visit: &Visit, _hidden: &[f32], d_hidden: &mut [f32]) {
        let n = self.hidden_size;
        let before = &self.cell[visit.before.start * n..visit.before.end * n];
        let (gates, stride) = self.gates.of_mut(visit);
        let squashed = rows(&mut self.squashed, visit.now.clone(), n);
        let d_hidden = rows(d_hidden, visit.now.clone(), n);
        let d_cell = &mut self.d_cell;
        Arch::new().dispatch(Backward { n, stride, gates, before, squashed, d_hidden, d_cell });
    }

    fn d_input(&self) -> &Rows {
        &self.gates
    }

    fn d_hidden_bias(&self) -> Vec<f32> {
        Vec::new()
    }
}

/// Forward through the rows of a step.
struct Forward<'a> {
    /// `hidden_size`
    n: usize,
    /// Of the rows of `gates`.
    stride: usize,
    /// Sums on entry, activations on return: `[rows, 4 * n]`.
    gates: &'a mut [f32],
    /// Cell states of the step before: `[continuing rows, n]`.
    before: &'a [f32],
    /// Written, as `squashed` (tanh of the cell state) and `hidden` are: `[rows, n]`.
    cell: &'a mut [f32],
    squashed: &'a mut [f32],
    hidden: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let n = self.n;
        let states = self.cell.chunks_exact_mut(n).zip(self.squashed.chunks_exact_mut(n));
        let states = states.zip(self.hidden.chunks_exact_mut(n));
        for (row, (gates, ((cell, squashed), hidden))) in self.gates.chunks_mut(self.stride).zip(states).enumerate() {
            forward(fused::<S>(), gates, self.before.get(row * n..(row + 1) * n), cell, squashed, hidden);
        }
    }
}

#[inline(always)]
fn forward(
    fused: bool,
    gates: &mut [f32],
    before: Option<&[f32]>,
    cell: &mut [f32],
    squashed: &mut [f32],
    hidden: &mut [f32],
) {
    let n = hidden.len();
    let [i, f, g, o] = quarters(gates, n);
    let (cell, squashed) = (&mut cell[..n], &mut squashed[..n]);
    // A loop a gate: one over all four the compiler does not make vectors of.
    for i in &mut *i {
        *i = sigmoid(fused, *i);
    }
    for f in &mut *f {
        *f = sigmoid(fused, *f);
    }
    for g in &mut *g {
        *g = tanh(fused, *g);
    }
    for o in &mut *o {
        *o = sigmoid(fused, *o);
    }
    match before {
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
        squashed[u] = tanh(fused, cell[u]);
        hidden[u] = o[u] * squashed[u];
    }
}

/// Backward through the rows of a step.
struct Backward<'a> {
    /// `hidden_size`
    n: usize,
    /// Of the rows of `gates`.
    stride: usize,
    /// Activations on entry, gradients of the sums on return: `[rows, 4 * n]`.
    gates: &'a mut [f32],
    /// Cell states of the step before: `[continuing rows, n]`.
    before: &'a [f32],
    /// `[rows, n]`
    squashed: &'a [f32],
    /// `[rows, n]`
    d_hidden: &'a [f32],
    /// Gradients of this step's cell states that come from the next step on entry, those of the step before on return.
    d_cell: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let n = self.n;
        let states = self.squashed.chunks_exact(n).zip(self.d_hidden.chunks_exact(n));
        let states = states.zip(self.d_cell.chunks_exact_mut(n));
        for (row, (gates, ((squashed, d_hidden), d_cell))) in self.gates.chunks_mut(self.stride).zip(states).enumerate()
        {
            backward(simd, gates, self.before.get(row * n..(row + 1) * n), squashed, d_hidden, d_cell);
        }
    }
}

#[inline(always)]
fn backward<S: Simd>(
    simd: S,
    gates: &mut [f32],
    before: Option<&[f32]>,
    squashed: &[f32],
    d_hidden: &[f32],
    d_cell: &mut [f32],
) {
    let [i, f, g, o] = quarters(gates, d_hidden.len());
    let (i, f) = (S::as_mut_simd_f32s(i), S::as_mut_simd_f32s(f));
    let (g, o) = (S::as_mut_simd_f32s(g), S::as_mut_simd_f32s(o));
    let (squashed, d_hidden) = (S::as_simd_f32s(squashed), S::as_simd_f32s(d_hidden));
    let (before, rest) = before.map(S::as_simd_f32s).unzip();
    let d_cell = S::as_mut_simd_f32s(d_cell);
    units(simd, [i.0, f.0, g.0, o.0], before, [squashed.0, d_hidden.0], d_cell.0);
    units(Scalar, [i.1, f.1, g.1, o.1], rest, [squashed.1, d_hidden.1], d_cell.1);
}

/// Backward through units of a row, as many at once as a `V` holds. In a loop over so many arrays that it also writes the
/// compiler does not find the vectors by itself.
#[inline(always)]
fn units<S: Simd<f32s = V>, V: Copy>(
    simd: S,
    [i, f, g, o]: [&mut [V]; 4],
    before: Option<&[V]>,
    [squashed, d_hidden]: [&[V]; 2],
    d_cell: &mut [V],
) {
    for u in 0..d_cell.len() {
        let (iu, fu, gu, ou, squashed, d_hidden) = (i[u], f[u], g[u], o[u], squashed[u], d_hidden[u]);
        let through = simd.mul_f32s(simd.mul_f32s(d_hidden, ou), one_minus(simd, simd.mul_f32s(squashed, squashed)));
        let d = simd.add_f32s(through, d_cell[u]);
        o[u] = times_slope(simd, simd.mul_f32s(d_hidden, squashed), ou);
        i[u] = times_slope(simd, simd.mul_f32s(d, gu), iu);
        g[u] = simd.mul_f32s(simd.mul_f32s(d, iu), one_minus(simd, simd.mul_f32s(gu, gu)));
        let d_before = simd.mul_f32s(d, fu);
        d_cell[u] = d_before;
        f[u] = match before {
            Some(before) => simd.mul_f32s(simd.mul_f32s(d_before, before[u]), one_minus(simd, fu)),
            None => simd.splat_f32s(0.0),
        };
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
