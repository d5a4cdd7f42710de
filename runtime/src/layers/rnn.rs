//! The plain recurrent layer: h = tanh(z) or h = max(0, z).

use core::num::NonZeroUsize;

use crate::activation::{relu, tanh};
use crate::fixed::requantize;
use crate::invariant::Guaranteed;
use crate::kernel::arguments::Interleaved;
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
    pub layer: Interleaved<'a, 1, 1>,
    /// True for max(0, z), false for tanh(z).
    pub relu: bool,
}

impl Rnn<'_> {
    /// Computes one step. `x`: `[input_size]`, Q15.
    #[inline(never)]
    pub(crate) fn step(&self, x: &[i16], state: &mut State<'_>) {
        let Interleaved { input_size, weight_ih, weight_hh, bias, multiplier_ih, multiplier_hh, .. } = &self.layer;
        let (weight_ih, weight_hh) = (weight_ih.as_flattened(), weight_hh.as_flattened());
        // Four units at a time, so that each activation is loaded once for four rows; then the remaining units.
        let (bias, last_bias) = fours(bias.as_flattened());
        let (multiplier_ih, last_multiplier_ih) = fours(multiplier_ih.as_flattened());
        let (multiplier_hh, last_multiplier_hh) = fours(multiplier_hh.as_flattened());
        let units = 4 * bias.len();
        let (next_h, last_h) = state.next_h.split_at_mut_checked(units).guaranteed();
        let hidden_size = NonZeroUsize::new(state.h.len()).guaranteed_or(NonZeroUsize::MIN);
        const FOUR: NonZeroUsize = NonZeroUsize::new(4).unwrap();
        let [four_x, four_h] = [*input_size, hidden_size].map(|columns| columns.saturating_mul(FOUR));
        let weights = rows_or_empty(weight_ih, four_x).zip(rows(weight_hh, four_h));
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
        let last_rows =
            |weights, columns: NonZeroUsize| <[i8]>::get(weights, units * columns.get()..).unwrap_or_default();
        let last_ih = rows_or_empty(last_rows(weight_ih, *input_size), *input_size);
        let weights = last_ih.zip(rows(last_rows(weight_hh, hidden_size), hidden_size));
        let units = weights.zip(last_bias).zip(last_multiplier_ih.iter().zip(last_multiplier_hh));
        for (((weights, &bias), multipliers), h) in units.zip(last_h) {
            *h = self.unit((dot(weights.0, x, bias), dot(weights.1, state.h, 0)), multipliers);
        }
        core::mem::swap(&mut state.h, &mut state.next_h);
    }

    /// Computes the hidden state of a unit from the sums and the multipliers of both projections.
    #[inline(always)]
    fn unit(&self, sums: (i32, i32), multipliers: (&i16, &i16)) -> i16 {
        let z = (requantize(sums.0, *multipliers.0) + requantize(sums.1, *multipliers.1)) << self.layer.shift;
        (if self.relu { relu(z) } else { tanh(z) }) as i16
    }
}
