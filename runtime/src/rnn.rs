//! The plain recurrent layer: h = tanh(z) or h = max(0, z).

use core::num::NonZeroUsize;

use crate::activation::{relu, tanh};
use crate::cell::State;
use crate::fixed::requantize;
use crate::kernel::dot;
use crate::rows::{rows, rows_or_empty};

/// One layer's parameters, borrowed from the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rnn<'a> {
    /// The size of `x`.
    pub input_size: NonZeroUsize,
    /// `[hidden_size · input_size]`
    pub weight_ih: &'a [i8],
    /// `[hidden_size · hidden_size]`
    pub weight_hh: &'a [i8],
    /// `[hidden_size]`, in units of the input half's accumulators
    pub bias: &'a [i32],
    /// `[hidden_size]`
    pub multiplier_ih: &'a [i16],
    /// `[hidden_size]`
    pub multiplier_hh: &'a [i16],
    /// 0 … 8
    pub shift: u32,
    /// max(0, z) in place of tanh.
    pub relu: bool,
}

impl Rnn<'_> {
    /// One step whose input half is ready-made. sums: `[hidden_size]`. It is the step on no columns, with these in the place of the biases.
    pub(crate) fn step_folded(&self, sums: &[i32], state: &mut State<'_>) {
        Rnn { weight_ih: &[], bias: sums, ..*self }.step(&[], state);
    }

    /// One step on `x`, `[input_size]`, Q15.
    #[inline(never)]
    pub(crate) fn step(&self, x: &[i16], state: &mut State<'_>) {
        let hidden_size = NonZeroUsize::new(state.h.len()).unwrap_or(NonZeroUsize::MIN);
        let weights = rows_or_empty(self.weight_ih, self.input_size).zip(rows(self.weight_hh, hidden_size));
        let units = weights.zip(self.bias).zip(self.multiplier_ih.iter().zip(self.multiplier_hh));
        for ((((weight_ih, weight_hh), &bias), (&multiplier_ih, &multiplier_hh)), h) in
            units.zip(state.next_h.iter_mut())
        {
            let from_x = requantize(dot(weight_ih, x, bias), multiplier_ih);
            let from_h = requantize(dot(weight_hh, state.h, 0), multiplier_hh);
            let z = (from_x + from_h) << self.shift;
            *h = if self.relu { relu(z) } else { tanh(z) } as i16;
        }
        core::mem::swap(&mut state.h, &mut state.next_h);
    }
}
