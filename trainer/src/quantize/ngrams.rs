//! Quantisation of the n-gram branch, which adds up a row of a table (a bucket) for each n-gram of a text. The training
//! has already rounded the weights to multiples of one step, so they become integers without a further rounding error.

use crate::float_model::NgramBranch;
use crate::weights::Array;
use tern_format::limits::SHIFT;
use tern_runtime::write::{Dtype, Tensor};

/// The quantised table of an n-gram branch.
#[derive(Clone, Debug)]
pub struct NgramTable {
    /// Number of rows and of columns: `[buckets, rank]`.
    pub shape: [usize; 2],
    /// The integer weights, `[buckets, rank]`.
    pub weights: Vec<i8>,
    /// Width of a weight in bits: 4 or 8.
    pub bits: u32,
    /// The right shift of the scaled sums. Each further shift doubles their scale.
    pub shift: u32,
    /// The real value of the integer 2^15 in the scaled sums.
    pub scale: f64,
}

/// Converts a table to integers. Chooses the smallest shift for which scaled sums of 1.25 times `largest` do not
/// saturate, because other texts may have larger sums than the calibration set; the largest shift of the format if they
/// always saturate. `largest`: the largest absolute value of the scaled sums on the calibration set.
pub fn quantize(branch: &NgramBranch, table: &Array, largest: f64) -> NgramTable {
    let weights = table.data.iter().map(|&value| (f64::from(value) / branch.step).round() as i8).collect();
    // docs/arithmetic.md, "Scaling": with shift 0, a scaled sum saturates at 8 steps, and each further shift doubles
    // this limit.
    let scale = |shift: u32| f64::from((branch.step * f64::from(8u32 << shift)) as f32);
    let shift = SHIFT.clone().find(|&shift| scale(shift) >= 1.25 * largest).unwrap_or(*SHIFT.end());
    NgramTable { shape: [branch.buckets, branch.rank], weights, bits: branch.bits, shift, scale: scale(shift) }
}

impl NgramTable {
    /// Returns the tensor `ngrams.weight`: I8, or U8 with two weights in a byte for 4 bits.
    pub fn tensor(&self) -> Tensor {
        let [buckets, rank] = self.shape;
        if self.bits == 8 {
            return Tensor::new("ngrams.weight", Dtype::I8, &self.shape, &self.weights);
        }
        // The even column is in the lower 4 bits of a byte.
        let (pairs, _) = self.weights.as_chunks::<2>();
        let bytes: Vec<u8> = pairs.iter().map(|&[even, odd]| (even as u8 & 0xf) | ((odd as u8) << 4)).collect();
        Tensor::new("ngrams.weight", Dtype::U8, &[buckets, rank / 2], &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_become_integers_and_the_scale_holds_the_largest_sum() {
        let branch = NgramBranch {
            buckets: 2,
            rank: 2,
            words: 1,
            min_chars: 0,
            max_chars: 0,
            bits: 4,
            step: 0.25,
            fingerprints: None,
        };
        let table = Array { shape: vec![2, 2], data: vec![-1.75, 0.25, 0.0, 1.5] };
        let quantized = quantize(&branch, &table, 3.0);
        assert_eq!(quantized.weights, [-7, 1, 0, 6]);
        assert_eq!((quantized.shift, quantized.scale), (1, 4.0));
        let tensor = quantized.tensor();
        assert_eq!((tensor.dtype, tensor.shape, tensor.data), (Dtype::U8, vec![2, 1], vec![0x19, 0x60]));
        let tensor = quantize(&NgramBranch { bits: 8, ..branch.clone() }, &table, 1e9).tensor();
        assert_eq!((tensor.dtype, tensor.shape, tensor.data), (Dtype::I8, vec![2, 2], vec![0xf9, 1, 0, 6]));
        assert_eq!(quantize(&branch, &table, 1e9).shift, 8);
    }
}
