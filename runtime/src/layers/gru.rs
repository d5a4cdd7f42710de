//! The GRU layer, in PyTorch's form: the reset gate r acts on W_hn·h + b_hn. z is the update gate, n the new state.

use core::num::NonZeroUsize;

use crate::activation::{sigmoid, tanh};
use crate::fixed::{requantize, round_shift};
use crate::invariant::Guaranteed;
pub(crate) use crate::kernel::arguments::Gru;
use crate::kernel::dot3;
use crate::layers::State;
use crate::rows::{rows, rows_or_empty};

impl Gru<'_> {
    /// Computes one step. `x`: `[input_size]`, Q15.
    #[inline(never)]
    pub(crate) fn step(&self, x: &[i16], state: &mut State<'_>) {
        let hidden_size = NonZeroUsize::new(state.h.len()).guaranteed_or(NonZeroUsize::MIN);
        let weights = rows_or_empty(self.weight_ih, self.input_size).zip(rows(self.weight_hh, hidden_size));
        let units = weights.zip(self.bias).zip(self.multiplier_ih.iter().zip(self.multiplier_hh));
        let states = state.c.iter_mut().zip(state.next_h.iter_mut());
        for ((((weight_ih, weight_hh), &[r, z, n, hidden_n]), (multiplier_ih, multiplier_hh)), (c, h)) in
            units.zip(states)
        {
            let from_x = requantize_rows(dot3(weight_ih, x, [r, z, n]), multiplier_ih);
            let from_h = requantize_rows(dot3(weight_hh, state.h, [0, 0, hidden_n]), multiplier_hh);
            (*c, *h) = unit(from_x, from_h, self.shift, *c);
        }
        core::mem::swap(&mut state.h, &mut state.next_h);
    }
}

/// Adds the second row of the pair to its first and requantises: from accumulators to parts of pre-activations.
#[inline(always)]
fn requantize_rows([r, z, n]: [i32; 3], m: &[i16; 3]) -> [i32; 3] {
    [requantize(r + (z >> 8), m[0]), requantize(z, m[1]), requantize(n, m[2])]
}

/// Computes the new state (Q30) and hidden state (Q15) of a unit from both parts of its pre-activations, for r, z and
/// n, and its state (Q30).
#[inline(always)]
pub(crate) fn unit(x: [i32; 3], h: [i32; 3], shift: u32, state: i32) -> (i32, i16) {
    let r = sigmoid((x[0] + h[0]) << shift);
    let z = sigmoid((x[1] + h[1]) << shift);
    let n = tanh((x[2] + requantize(h[2], r as i16)) << shift) << 15;
    // n + z · (state - n): a product with Q15 has half the scale, Q30 · Q15 >> 16 = Q29.
    let state = n + 2 * requantize(state - n, z as i16);
    (state, round_shift(state, 15) as i16)
}
