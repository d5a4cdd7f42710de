//! A linear layer: the last layer of the head, or the head's hidden layer.

use crate::activation::relu;
use crate::fixed::requantize;
use crate::invariant::Guaranteed;
use crate::layers::matrix::Matrix;

/// The parameters of a linear layer, borrowed from the file. Unlike those of recurrent layers, its rows form no pairs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linear<'a> {
    /// The weights, with a row for each output: `[outputs, width]`.
    pub weight: Matrix<'a>,
    /// The bias of each row, as an integer that is added to its accumulator: `[outputs]`.
    pub bias: &'a [i32],
    /// The multiplier of each row: `[outputs]`.
    pub multiplier: &'a [i16],
    /// The left shift of the outputs: 0 to 8.
    pub shift: u32,
}

impl<'a> Linear<'a> {
    /// The number of outputs.
    pub(crate) fn len(&self) -> usize {
        self.bias.len()
    }

    /// Returns the output of the row `index`: Q16 for logits, Q20 for a hidden layer; none beyond the last row.
    /// `features`: the input, `[width]`, Q15.
    pub(crate) fn get(&self, features: &[i16], index: usize) -> Option<i32> {
        let (&bias, &multiplier) = (self.bias.get(index)?, self.multiplier.get(index)?);
        Some(requantize(self.weight.dot(index, features, bias)?, multiplier) << self.shift)
    }

    /// The outputs of all rows, in order, as [`get`](Linear::get) returns them.
    pub(crate) fn outputs<'s>(&self, features: &'s [i16]) -> impl Iterator<Item = i32> + use<'a, 's> {
        let linear = *self;
        (0..self.len()).map_while(move |index| linear.get(features, index))
    }

    /// Writes max(0, output) of every output to `activations`, `[outputs]`, converted from Q20 to Q15, saturating.
    /// `features`: `[width]`, Q15.
    pub(crate) fn relu(&self, features: &[i16], activations: &mut [i16]) {
        for (index, activation) in activations.iter_mut().enumerate() {
            let z = self.get(features, index).guaranteed();
            *activation = relu(z) as i16;
        }
    }

    /// The bytes of flash: weights, biases, multipliers.
    pub(crate) fn bytes(&self) -> usize {
        // A bias takes 4 bytes, a multiplier 2.
        self.weight.bytes() + self.len() * (4 + 2)
    }
}
