//! The plain recurrent layer: h = tanh(z) or h = max(0, z).

use core::num::NonZeroUsize;

use crate::activation::{relu, tanh};
use crate::fixed::requantize;
use crate::invariant::Guaranteed;
use crate::kernel::{dot, dot_each};
use crate::layers::State;
use crate::rows::{rows, rows_or_empty};

/// Splits a parameter into groups of four units and the rest. Cores without registers for four rows make no groups.
fn fours<T>(all: &[T]) -> (&[[T; 4]], &[T]) {
    if cfg!(thumb1) { (&[], all) } else { all.as_chunks() }
}

/// The parameters of one direction of a layer, borrowed from the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rnn<'a> {
    /// The input size.
    pub input_size: NonZeroUsize,
    /// `[hidden_size · input_size]`
    pub weight_ih: &'a [i8],
    /// `[hidden_size · hidden_size]`
    pub weight_hh: &'a [i8],
    /// `[hidden_size]`, in units of the input projection's accumulators
    pub bias: &'a [i32],
    /// `[hidden_size]`
    pub multiplier_ih: &'a [i16],
    /// `[hidden_size]`
    pub multiplier_hh: &'a [i16],
    /// 0 … 8
    pub shift: u32,
    /// True for max(0, z), false for tanh(z).
    pub relu: bool,
}

impl Rnn<'_> {
    /// Computes one step with a precomputed input projection, `[hidden_size]`: the step without columns, with these
    /// sums in place of the biases.
    pub(crate) fn step_folded(&self, sums: &[i32], state: &mut State<'_>) {
        Rnn { weight_ih: &[], bias: sums, ..*self }.step(&[], state);
    }

    /// Computes one step. `x`: `[input_size]`, Q15.
    #[inline(never)]
    pub(crate) fn step(&self, x: &[i16], state: &mut State<'_>) {
        // Four units at a time, so that each activation is loaded once for four rows; then the remaining units.
        let (bias, last_bias) = fours(self.bias);
        let (multiplier_ih, last_multiplier_ih) = fours(self.multiplier_ih);
        let (multiplier_hh, last_multiplier_hh) = fours(self.multiplier_hh);
        let units = 4 * bias.len();
        let (next_h, last_h) = state.next_h.split_at_mut_checked(units).guaranteed();
        let hidden_size = NonZeroUsize::new(state.h.len()).guaranteed_or(NonZeroUsize::MIN);
        let four = NonZeroUsize::MIN.saturating_add(3);
        let [four_x, four_h] = [self.input_size, hidden_size].map(|columns| columns.saturating_mul(four));
        let weights = rows_or_empty(self.weight_ih, four_x).zip(rows(self.weight_hh, four_h));
        let groups = weights.zip(bias).zip(multiplier_ih.iter().zip(multiplier_hh));
        for (((weights, bias), multipliers), next_h) in groups.zip(next_h.as_chunks_mut::<4>().0) {
            let (mut from_x, mut from_h) = (*bias, [0; 4]);
            dot_each(weights.0, x, &mut from_x);
            dot_each(weights.1, state.h, &mut from_h);
            let multipliers = multipliers.0.iter().zip(multipliers.1);
            for (h, (sums, multipliers)) in next_h.iter_mut().zip(from_x.into_iter().zip(from_h).zip(multipliers)) {
                *h = self.unit(sums, multipliers);
            }
        }
        let rest = |weights, columns: NonZeroUsize| <[i8]>::get(weights, units * columns.get()..).unwrap_or_default();
        let weight_ih = rows_or_empty(rest(self.weight_ih, self.input_size), self.input_size);
        let weights = weight_ih.zip(rows(rest(self.weight_hh, hidden_size), hidden_size));
        let units = weights.zip(last_bias).zip(last_multiplier_ih.iter().zip(last_multiplier_hh));
        for (((weights, &bias), multipliers), h) in units.zip(last_h) {
            *h = self.unit((dot(weights.0, x, bias), dot(weights.1, state.h, 0)), multipliers);
        }
        core::mem::swap(&mut state.h, &mut state.next_h);
    }

    /// Computes the hidden state of a unit from the sums and the multipliers of both projections.
    #[inline(always)]
    fn unit(&self, sums: (i32, i32), multipliers: (&i16, &i16)) -> i16 {
        let z = (requantize(sums.0, *multipliers.0) + requantize(sums.1, *multipliers.1)) << self.shift;
        (if self.relu { relu(z) } else { tanh(z) }) as i16
    }
}
