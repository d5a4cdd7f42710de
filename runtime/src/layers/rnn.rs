//! The plain recurrent layer, which has no gates: h = tanh(z) or h = max(0, z). In its packing, `interleaved1`, the
//! rows of the weights follow each other, one for each unit.

use core::num::NonZeroUsize;

use crate::activation::{relu, tanh};
use crate::fixed::requantize;
use crate::invariant::Guaranteed;
use crate::kernel::arguments::Interleaved;
use crate::kernel::{dot, dot_each};
use crate::layers::State;
use crate::rows::{rows, rows_or_empty};

/// The parameters of one direction of a layer, borrowed from the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rnn<'a> {
    /// The parameters, with one gate and one bias for each unit.
    pub layer: Interleaved<'a, 1, 1>,
    /// True for h = max(0, z), false for h = tanh(z).
    pub is_relu: bool,
}

impl Rnn<'_> {
    /// Computes one step. `x`: `[input_size]`, Q15.
    #[inline(never)]
    pub(crate) fn step(&self, x: &[i16], state: &mut State<'_>) {
        let Interleaved { input_size, weight_ih, weight_hh, bias, multiplier_ih, multiplier_hh, .. } = &self.layer;
        // The loop computes four units at a time, so that each activation is loaded once for four rows. `last_units`
        // computes the remaining units.
        let bias = bias.as_flattened().as_chunks::<4>().0;
        let multiplier_ih = multiplier_ih.as_flattened().as_chunks::<4>().0;
        let multiplier_hh = multiplier_hh.as_flattened().as_chunks::<4>().0;
        let (next_h, last_h) = state.next_h.as_chunks_mut::<4>();
        // The size is never 0. If it were, the loop would not run, so the 1 would not matter.
        let hidden_size = NonZeroUsize::new(state.h.len()).guaranteed_or(NonZeroUsize::MIN);
        const FOUR: NonZeroUsize = NonZeroUsize::new(4).unwrap();
        // The numbers of weights of four rows.
        let [count_ih, count_hh] = [*input_size, hidden_size].map(|columns| columns.saturating_mul(FOUR));
        let weights = rows_or_empty(weight_ih.as_flattened(), count_ih).zip(rows(weight_hh.as_flattened(), count_hh));
        let groups = weights.zip(bias).zip(multiplier_ih.iter().zip(multiplier_hh));
        for ((((weight_ih, weight_hh), bias), (multiplier_ih, multiplier_hh)), next_h) in groups.zip(next_h) {
            let (mut from_x, mut from_h) = (*bias, [0; 4]);
            dot_each(weight_ih, x, &mut from_x);
            dot_each(weight_hh, state.h, &mut from_h);
            let multipliers = multiplier_ih.iter().zip(multiplier_hh);
            for (h, (sums, multipliers)) in next_h.iter_mut().zip(from_x.into_iter().zip(from_h).zip(multipliers)) {
                *h = self.unit(sums, multipliers);
            }
        }
        if !last_h.is_empty() {
            self.last_units(x, state.h, last_h);
        }
        core::mem::swap(&mut state.h, &mut state.next_h);
    }

    /// Computes the last units, at most three, that are in no group of four. `last_h`: memory for their new hidden
    /// states.
    #[inline(never)]
    fn last_units(&self, x: &[i16], h: &[i16], last_h: &mut [i16]) {
        let Interleaved { input_size, weight_ih, weight_hh, bias, multiplier_ih, multiplier_hh, .. } = &self.layer;
        let hidden_size = NonZeroUsize::new(h.len()).guaranteed_or(NonZeroUsize::MIN);
        let weights = rows_or_empty(weight_ih.as_flattened(), *input_size);
        let weights = weights.zip(rows(weight_hh.as_flattened(), hidden_size));
        let biases = bias.as_flattened();
        let multipliers = multiplier_ih.as_flattened().iter().zip(multiplier_hh.as_flattened());
        let first_of_last = biases.len().wrapping_sub(last_h.len());
        let units = weights.zip(biases).zip(multipliers).skip(first_of_last);
        for ((((weight_ih, weight_hh), &bias), multipliers), last_h) in units.zip(last_h) {
            *last_h = self.unit((dot(weight_ih, x, bias), dot(weight_hh, h, 0)), multipliers);
        }
    }

    /// Computes the hidden state of a unit from the sums and the multipliers of both projections, input before
    /// recurrent.
    #[inline(always)]
    fn unit(&self, sums: (i32, i32), multipliers: (&i16, &i16)) -> i16 {
        let z = (requantize(sums.0, *multipliers.0) + requantize(sums.1, *multipliers.1)) << self.layer.shift;
        unit(z, self.is_relu)
    }
}

/// Computes the hidden state of a unit, Q15, from its pre-activation, Q20. `is_relu`: true for max(0, z), false for
/// tanh(z).
#[inline(always)]
pub(crate) fn unit(z: i32, is_relu: bool) -> i16 {
    (if is_relu { relu(z) } else { tanh(z) }) as i16
}
