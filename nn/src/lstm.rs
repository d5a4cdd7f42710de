//! The element-wise arithmetic of LSTM cells, forward and backward.
//!
//! ```text
//! i = σ(zᵢ)  f = σ(z_f)  g = tanh(z_g)  o = σ(z_o)      gates in PyTorch's order
//! c = f·c₋₁ + i·g        h = o·tanh(c)
//! ```

use crate::activation::{has_fused_multiply_add, one_minus, sigmoid, sigmoid_backward, tanh};
use crate::buffer::Buffer;
use crate::cells::{CellBatch, InputProjection, StridedRows, previous_and_current, rows_mut};
use crate::packed::{PackedLayout, TimeStep};
use pulp::{Arch, Scalar, Simd, WithSimd};

/// The LSTM cells of a batch.
#[derive(Debug)]
pub struct Lstm {
    /// Pre-activations, `[rows, 4 * hidden_size]`. The forward pass replaces them by the activations, the backward pass
    /// by the gradients of the pre-activations.
    gates: StridedRows,
    /// Cell states, `[rows, hidden_size]`.
    cell: Buffer,
    /// The tanh of the cell states, `[rows, hidden_size]`.
    tanh_cell: Buffer,
    /// Gradients of the cell states of the step that the backward pass computes next, `[sequences with a token,
    /// hidden_size]`.
    d_cell: Vec<f32>,
    hidden_size: usize,
}

impl Lstm {
    /// Cells for a batch of this layout.
    pub fn new(layout: &PackedLayout, hidden_size: usize) -> Self {
        let states = layout.rows() * hidden_size;
        let sequences = layout.batch_sizes().first().copied().unwrap_or(0);
        Lstm {
            gates: StridedRows::new(layout.rows(), 4 * hidden_size),
            cell: Buffer::any(states),
            tanh_cell: Buffer::any(states),
            d_cell: vec![0.0; sequences * hidden_size],
            hidden_size,
        }
    }

    /// The cell states after a forward pass: `[rows, hidden_size]`.
    pub fn cell_states(&self) -> &[f32] {
        &self.cell
    }
}

impl CellBatch for Lstm {
    fn load_input(&mut self, step: &TimeStep, input: InputProjection<'_>) {
        self.gates.load_input(step, input);
    }

    fn recurrent_sums(&mut self) -> &mut StridedRows {
        &mut self.gates
    }

    fn forward(&mut self, step: &TimeStep, hidden: &mut [f32]) {
        let hidden_size = self.hidden_size;
        let (previous, cell) = previous_and_current(&mut self.cell, step, hidden_size);
        let (gates, stride) = self.gates.of_step_mut(step);
        let tanh_cell = rows_mut(&mut self.tanh_cell, step.rows.clone(), hidden_size);
        let hidden = rows_mut(hidden, step.rows.clone(), hidden_size);
        Arch::new().dispatch(Forward { hidden_size, stride, gates, previous, cell, tanh_cell, hidden });
    }

    fn backward(&mut self, step: &TimeStep, _hidden: &[f32], d_hidden: &mut [f32]) {
        let hidden_size = self.hidden_size;
        let previous = &self.cell[step.previous.start * hidden_size..step.previous.end * hidden_size];
        let (gates, stride) = self.gates.of_step_mut(step);
        let tanh_cell = rows_mut(&mut self.tanh_cell, step.rows.clone(), hidden_size);
        let d_hidden = rows_mut(d_hidden, step.rows.clone(), hidden_size);
        let d_cell = &mut self.d_cell;
        Arch::new().dispatch(Backward { hidden_size, stride, gates, previous, tanh_cell, d_hidden, d_cell });
    }

    fn d_input(&self) -> &StridedRows {
        &self.gates
    }
}

/// The forward pass of one time step.
struct Forward<'a> {
    hidden_size: usize,
    /// Distance between rows of `gates`.
    stride: usize,
    /// Pre-activations on entry, activations on return: `[rows, 4 * hidden_size]`.
    gates: &'a mut [f32],
    /// Cell states of the previous step: `[continuing rows, hidden_size]`.
    previous: &'a [f32],
    /// Output: cell states, `[rows, hidden_size]`.
    cell: &'a mut [f32],
    /// Output: tanh of the cell states, `[rows, hidden_size]`.
    tanh_cell: &'a mut [f32],
    /// Output: hidden states, `[rows, hidden_size]`.
    hidden: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let hidden_size = self.hidden_size;
        let states = self.cell.chunks_exact_mut(hidden_size).zip(self.tanh_cell.chunks_exact_mut(hidden_size));
        let states = states.zip(self.hidden.chunks_exact_mut(hidden_size));
        for (row, (gates, ((cell, tanh_cell), hidden))) in self.gates.chunks_mut(self.stride).zip(states).enumerate() {
            // A sequence that begins with this step has no previous state.
            let previous = self.previous.get(row * hidden_size..(row + 1) * hidden_size);
            forward(has_fused_multiply_add::<S>(), gates, previous, cell, tanh_cell, hidden);
        }
    }
}

/// Computes the forward pass of one row. `previous`: the row's cell state before, `None` for the first token of a
/// sequence; the other arguments: a row of the arrays of [`Forward`].
#[inline(always)]
fn forward(
    fused: bool,
    gates: &mut [f32],
    previous: Option<&[f32]>,
    cell: &mut [f32],
    tanh_cell: &mut [f32],
    hidden: &mut [f32],
) {
    let hidden_size = hidden.len();
    // Separate loops: the compiler does not vectorise a single loop over all four gates.
    for i_or_f in &mut gates[..2 * hidden_size] {
        *i_or_f = sigmoid(fused, *i_or_f);
    }
    for g in &mut gates[2 * hidden_size..3 * hidden_size] {
        *g = tanh(fused, *g);
    }
    for o in &mut gates[3 * hidden_size..4 * hidden_size] {
        *o = sigmoid(fused, *o);
    }
    let [i, f, g, o] = split_gates(gates, hidden_size);
    let (cell, tanh_cell) = (&mut cell[..hidden_size], &mut tanh_cell[..hidden_size]);
    match previous {
        Some(previous) => {
            let previous = &previous[..hidden_size];
            for u in 0..hidden_size {
                cell[u] = f[u] * previous[u] + i[u] * g[u];
            }
        }
        None => {
            for u in 0..hidden_size {
                cell[u] = i[u] * g[u];
            }
        }
    }
    for u in 0..hidden_size {
        tanh_cell[u] = tanh(fused, cell[u]);
        hidden[u] = o[u] * tanh_cell[u];
    }
}

/// The backward pass of one time step.
struct Backward<'a> {
    hidden_size: usize,
    /// Distance between rows of `gates`.
    stride: usize,
    /// Activations on entry, gradients of the pre-activations on return: `[rows, 4 * hidden_size]`.
    gates: &'a mut [f32],
    /// Cell states of the previous step: `[continuing rows, hidden_size]`.
    previous: &'a [f32],
    /// `[rows, hidden_size]`
    tanh_cell: &'a [f32],
    /// `[rows, hidden_size]`
    d_hidden: &'a [f32],
    /// On entry, the gradients of this step's cell states through the following step; on return, those of the previous
    /// step's cell states: `[sequences with a token, hidden_size]`.
    d_cell: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let hidden_size = self.hidden_size;
        let states = self.tanh_cell.chunks_exact(hidden_size).zip(self.d_hidden.chunks_exact(hidden_size));
        let states = states.zip(self.d_cell.chunks_exact_mut(hidden_size));
        for (row, (gates, ((tanh_cell, d_hidden), d_cell))) in
            self.gates.chunks_mut(self.stride).zip(states).enumerate()
        {
            // A sequence that begins with this step has no previous state.
            let previous = self.previous.get(row * hidden_size..(row + 1) * hidden_size);
            backward(simd, gates, previous, tanh_cell, d_hidden, d_cell);
        }
    }
}

/// Computes the backward pass of one row. `previous`: the row's cell state before, `None` for the first token of a
/// sequence; the other arguments: a row of the arrays of [`Backward`].
#[inline(always)]
fn backward<S: Simd>(
    simd: S,
    gates: &mut [f32],
    previous: Option<&[f32]>,
    tanh_cell: &[f32],
    d_hidden: &[f32],
    d_cell: &mut [f32],
) {
    let [i, f, g, o] = split_gates(gates, d_hidden.len());
    let (i, f) = (S::as_mut_simd_f32s(i), S::as_mut_simd_f32s(f));
    let (g, o) = (S::as_mut_simd_f32s(g), S::as_mut_simd_f32s(o));
    let (tanh_cell, d_hidden) = (S::as_simd_f32s(tanh_cell), S::as_simd_f32s(d_hidden));
    let (previous_vectors, previous_rest) = previous.map(S::as_simd_f32s).unzip();
    let d_cell = S::as_mut_simd_f32s(d_cell);
    // Of each pair, `.0` holds whole vectors and `.1` the remaining units.
    units(simd, [i.0, f.0, g.0, o.0], previous_vectors, [tanh_cell.0, d_hidden.0], d_cell.0);
    units(Scalar, [i.1, f.1, g.1, o.1], previous_rest, [tanh_cell.1, d_hidden.1], d_cell.1);
}

/// Computes the backward pass of some units of a row, one vector `V` at a time. The code uses explicit vectors because
/// the compiler does not vectorise a loop that reads and writes this many arrays.
#[inline(always)]
fn units<S: Simd<f32s = V>, V: Copy>(
    simd: S,
    [i, f, g, o]: [&mut [V]; 4],
    previous: Option<&[V]>,
    [tanh_cell, d_hidden]: [&[V]; 2],
    d_cell: &mut [V],
) {
    for u in 0..d_cell.len() {
        let (iu, fu, gu, ou, tanh_cu, d_hu) = (i[u], f[u], g[u], o[u], tanh_cell[u], d_hidden[u]);
        // The cell state reaches the loss through h = o·tanh(c) and through the next step.
        let d_tanh = simd.mul_f32s(d_hu, ou);
        let through_hidden = simd.mul_f32s(d_tanh, one_minus(simd, simd.mul_f32s(tanh_cu, tanh_cu)));
        let d_c = simd.add_f32s(through_hidden, d_cell[u]);
        o[u] = sigmoid_backward(simd, simd.mul_f32s(d_hu, tanh_cu), ou);
        i[u] = sigmoid_backward(simd, simd.mul_f32s(d_c, gu), iu);
        g[u] = simd.mul_f32s(simd.mul_f32s(d_c, iu), one_minus(simd, simd.mul_f32s(gu, gu)));
        let d_previous = simd.mul_f32s(d_c, fu);
        d_cell[u] = d_previous;
        f[u] = match previous {
            Some(previous) => simd.mul_f32s(simd.mul_f32s(d_previous, previous[u]), one_minus(simd, fu)),
            None => simd.splat_f32s(0.0),
        };
    }
}

/// Splits a row into its four gates, each `[hidden_size]`, without the gap after the row.
#[inline(always)]
fn split_gates(gates: &mut [f32], hidden_size: usize) -> [&mut [f32]; 4] {
    let (i, rest) = gates.split_at_mut(hidden_size);
    let (f, rest) = rest.split_at_mut(hidden_size);
    let (g, o_and_gap) = rest.split_at_mut(hidden_size);
    [i, f, g, &mut o_and_gap[..hidden_size]]
}
