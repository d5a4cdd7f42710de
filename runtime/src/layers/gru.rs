//! The GRU layer in the packing `interleaved3`, and the arithmetic of its units for all packings.
//!
//! The GRU has PyTorch's form: the reset gate r multiplies W_hn·h + b_hn; z is the update gate, n the new gate.

#[cfg(any(test, not(any(armv7m, thumb1, rv32))))]
use core::num::NonZeroUsize;

#[cfg(any(test, not(dsp)))]
use crate::activation::{sigmoid, tanh};
use crate::fixed::{requantize, round_shift};
#[cfg(any(test, not(any(armv7m, thumb1, rv32))))]
use crate::invariant::Guaranteed;
pub(crate) use crate::kernel::arguments::Gru;
#[cfg(armv7m)]
use crate::kernel::armv7m;
#[cfg(any(test, not(any(armv7m, thumb1, rv32))))]
use crate::kernel::dot3;
#[cfg(dsp)]
use crate::kernel::dsp::gru_unit;
#[cfg(rv32)]
use crate::kernel::rv32;
#[cfg(thumb1)]
use crate::kernel::thumb1;
use crate::layers::State;
#[cfg(any(test, not(any(armv7m, thumb1, rv32))))]
use crate::rows::{rows, rows_or_empty};

impl Gru<'_> {
    /// Computes one step. `x`: `[input_size]`, Q15.
    #[inline(never)]
    pub(crate) fn step(&self, x: &[i16], state: &mut State<'_>) {
        #[cfg(armv7m)]
        armv7m::gru_step(self, x, state);
        #[cfg(thumb1)]
        thumb1::gru_step(self, x, state);
        #[cfg(rv32)]
        rv32::gru_step(self, x, state);
        #[cfg(not(any(armv7m, thumb1, rv32)))]
        self.plain_step(x, state);
        core::mem::swap(&mut state.h, &mut state.next_h);
    }

    /// Computes `c` and `next_h` of one step in plain code, which defines the result that each kernel must reproduce.
    /// The caller then swaps `h` and `next_h`.
    #[cfg(any(test, not(any(armv7m, thumb1, rv32))))]
    #[inline(always)]
    fn plain_step(&self, x: &[i16], state: &mut State<'_>) {
        // The size is never 0. If it were, the loop would not run, so the 1 would not matter.
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
    }
}

/// Requantises the accumulators of a unit's rows r, z and n. `m`: their multipliers. The rows r and z form a pair: see
/// [`lstm::requantize_rows`](super::lstm::requantize_rows).
#[cfg(any(test, not(any(armv7m, thumb1, rv32))))]
#[inline(always)]
fn requantize_rows([r, z, n]: [i32; 3], m: &[i16; 3]) -> [i32; 3] {
    [requantize(r + (z >> 8), m[0]), requantize(z, m[1]), requantize(n, m[2])]
}

/// Returns the new hidden state of a unit in Q30, and the same state rounded to Q15. `x`, `h`: the requantised input
/// and recurrent halves of the pre-activations r, z and n; `shift`: the shift of the layer; `state`: the old hidden
/// state, Q30.
#[inline(always)]
pub(crate) fn unit(x: [i32; 3], h: [i32; 3], shift: u32, state: i32) -> (i32, i16) {
    #[cfg(dsp)]
    let state = gru_unit([x[0] + h[0], x[1] + h[1]], [x[2], h[2]], shift, state);
    #[cfg(not(dsp))]
    let state = plain_state(x, h, shift, state);
    (state, round_shift(state, 15) as i16)
}

/// Returns the new hidden state of [`unit`], Q30. This plain code defines the result that each kernel must reproduce.
#[cfg(any(test, not(dsp)))]
#[inline(always)]
fn plain_state(x: [i32; 3], h: [i32; 3], shift: u32, state: i32) -> i32 {
    let r = sigmoid((x[0] + h[0]) << shift);
    let z = sigmoid((x[1] + h[1]) << shift);
    // tanh returns Q15, which a shift by 15 turns into Q30.
    let n = tanh((x[2] + requantize(h[2], r as i16)) << shift) << 15;
    // n + z · (state − n). The product is Q30 · Q15 >> 16 = Q29, so it is doubled.
    n + 2 * requantize(state - n, z as i16)
}
