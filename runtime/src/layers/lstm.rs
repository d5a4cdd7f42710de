//! The LSTM layer in the packing `interleaved4`, and the arithmetic of its units for all packings.
//!
//! In `interleaved4` the weights of the four gates of a unit lie side by side, column by column. `docs/format.md`,
//! "Packings", specifies the layout.

#[cfg(any(test, not(any(armv7m, thumb1, rv32))))]
use core::num::NonZeroUsize;

use super::State;
use crate::activation::{sigmoid, tanh};
use crate::fixed::{requantize, round_shift, saturating_double};
#[cfg(any(test, not(any(armv7m, thumb1, rv32))))]
use crate::invariant::Guaranteed;
pub(crate) use crate::kernel::arguments::Lstm;
#[cfg(armv7m)]
use crate::kernel::armv7m;
#[cfg(rv32)]
use crate::kernel::rv32;
#[cfg(thumb1)]
use crate::kernel::thumb1;
#[cfg(any(test, not(any(armv7m, thumb1, rv32))))]
use crate::kernel::{compiler_barrier, dot4};
#[cfg(any(test, not(any(armv7m, thumb1, rv32))))]
use crate::rows::{rows, rows_or_empty};

impl Lstm<'_> {
    /// Computes one step. `x`: `[input_size]`, Q15. The function is not inlined, so that its callers do not need its
    /// registers and its stack.
    #[inline(never)]
    pub(crate) fn step(&self, x: &[i16], state: &mut State<'_>) {
        #[cfg(armv7m)]
        armv7m::step(self, x, state);
        #[cfg(thumb1)]
        thumb1::step(self, x, state);
        #[cfg(rv32)]
        rv32::step(self, x, state);
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
        let rows = weights.zip(self.bias).zip(self.multiplier_ih.iter().zip(self.multiplier_hh));
        let units = rows.zip(state.c.iter_mut().zip(state.next_h.iter_mut()));
        for ((((weight_ih, weight_hh), bias), (multiplier_ih, multiplier_hh)), (c, h)) in units {
            // The barrier makes the compiler finish the input half before it begins the recurrent half. Without it, the
            // compiler delays results and spills their operands on cores with few registers.
            let from_x = compiler_barrier(requantize_rows(dot4(weight_ih, x, *bias), multiplier_ih));
            let from_h = requantize_rows(dot4(weight_hh, state.h, [0; 4]), multiplier_hh);
            // The shift scales to the formats that `unit` expects: Q19, and Q20 for the gate `g`.
            let z = |row: usize| (from_x[row] + from_h[row]) << self.shift;
            (*c, *h) = unit([z(0), z(1), z(2), z(3)], *c);
        }
    }
}

/// Requantises the accumulators of a unit's four rows, which form the pairs `i f` and `g o`. `m`: their multipliers.
///
/// In `paired16` the weights a and b of a pair share the 16-bit number `256·a + b`, which a kernel multiplies as a
/// whole. The first row is therefore defined, in every packing, to have the weights `a + b/256`: 1/256 of the second
/// accumulator is added to the first.
#[inline(always)]
pub(super) fn requantize_rows([i, f, g, o]: [i32; 4], m: &[i16; 4]) -> [i32; 4] {
    [requantize(i + (f >> 8), m[0]), requantize(f, m[1]), requantize(g + (o >> 8), m[2]), requantize(o, m[3])]
}

/// Computes the new cell state (Q20) and hidden state (Q15) of a unit from its pre-activations (Q19; `g` in Q20) and
/// its cell state.
#[inline(always)]
pub(crate) fn unit([i, f, g, o]: [i32; 4], c: i32) -> (i32, i16) {
    let (i, f, g, o) = (sigmoid(i), sigmoid(f), tanh(g), sigmoid(o));
    // The part of the cell state that the forget gate keeps, c · f: Q20 · Q15 >> 16 = Q19.
    let kept = requantize(c, f as i16);
    // The new part, i · g, is Q30 >> 11 = Q19; twice the sum in Q19 is the cell state in Q20.
    let c = saturating_double(kept + round_shift(i * g, 11));
    (c, round_shift(o * tanh(c), 15) as i16)
}
