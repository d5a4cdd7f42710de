//! A linear layer: the last one of a network, or the hidden one before it.

use core::num::NonZeroUsize;

use crate::activation::relu;
use crate::fixed::requantize;
use crate::kernel::dot;
use crate::rows::{row, rows};

/// A layer's parameters, borrowed from the file. Rows are ordinary, not paired.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linear<'a> {
    /// F: the size of the features.
    pub width: NonZeroUsize,
    /// `[outputs · width]`
    pub weight: &'a [i8],
    /// `[outputs]`, in units of the accumulators
    pub bias: &'a [i32],
    /// `[outputs]`
    pub multiplier: &'a [i16],
    /// 0 … 8
    pub shift: u32,
}

impl<'a> Linear<'a> {
    /// How many outputs there are.
    pub(crate) fn len(&self) -> usize {
        self.bias.len()
    }

    /// One output for features `[width]`, Q15; none beyond the last.
    pub(crate) fn get(&self, features: &[i16], index: usize) -> Option<i32> {
        let row = row(self.weight, self.width, index)?;
        let (&bias, &multiplier) = (self.bias.get(index)?, self.multiplier.get(index)?);
        Some(requantize(dot(row, features, bias), multiplier) << self.shift)
    }

    /// All outputs.
    pub(crate) fn outputs<'s>(&self, features: &'s [i16]) -> impl Iterator<Item = i32> + use<'a, 's> {
        let Linear { width, weight, bias, multiplier, shift } = *self;
        let all = rows(weight, width).zip(bias).zip(multiplier);
        all.map(move |((row, &bias), &multiplier)| requantize(dot(row, features, bias), multiplier) << shift)
    }

    /// Writes max(0, output), from Q20 to Q15, saturating, of every output to `activations`, `[outputs]`.
    pub(crate) fn relu(&self, features: &[i16], activations: &mut [i16]) {
        for (activation, z) in activations.iter_mut().zip(self.outputs(features)) {
            *activation = relu(z) as i16;
        }
    }

    /// Bytes of flash: weights, biases, multipliers.
    pub(crate) fn bytes(&self) -> usize {
        self.weight.len() + self.len() * (4 + 2)
    }
}
