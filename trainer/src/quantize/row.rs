//! Quantisation of one row of weights to integers with one multiplier, which turns the sum of the row's products into
//! an output. Two rows may form a pair: the sum of the first row then contains 1/256 of the sum of the second (see
//! [`layer`](super::layer)).

use crate::recipe::Bits;
use tern_runtime::write::round_to_4_bits;

/// The limit of a row's accumulator: 2^31, less a margin for rounding errors in the computation of its bound.
pub(super) const ACCUMULATOR_LIMIT: f64 = 2_147_000_000.0;
/// The largest multiplier: 2^15 - 1.
const LARGEST_MULTIPLIER: f64 = 32_767.0;

/// The error for weights that are too large for every shift of the format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("layer `{layer}` has weights or biases too large for the device format; train with more weight decay")]
pub struct LargeWeights {
    /// Name of the layer.
    pub layer: String,
}

/// A quantised row. The real value of a weight `w` is `w · step`; with 16 bits it is `w/256 · step`; and in the first
/// row of a pair it is `(w + second/256) · step`, where `second` is the second row's weight in the same column.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The width of the weights.
    pub bits: Bits,
    /// The integer weights: −127 … 127, or −32,767 … 32,767 with 16 bits.
    pub weights: Vec<i16>,
    /// The multiplier, 1 … 32,767.
    pub multiplier: i16,
    /// The real value of the weight 1, or with 16 bits of the weight 256.
    pub step: f64,
}

/// Returns true if the layers of LSTM and GRU cells have paired rows at this width of the weights.
pub fn are_paired(bits: Bits) -> bool {
    bits != Bits::Sixteen
}

/// Returns the integer weight that is worth one [`step`](Row::step): 256 for weights of 16 bits, otherwise 1.
fn integers_per_step(bits: Bits) -> f64 {
    if bits == Bits::Sixteen { 256.0 } else { 1.0 }
}

/// Quantises one row. Returns `None` if its multiplier would be larger than 32,767.
///
/// `second`: for the first row of a pair, the weights of the second row, 1/256 of which the first row contains.
/// `base_step`: the [`step`](Row::step) of a row with the multiplier 1. `least_multiplier`: the smallest multiplier
/// that may be chosen.
///
/// The multiplier is chosen first and rounded up; the weights are then rounded to multiples of the step,
/// `multiplier · base_step`. Weights of 4 bits are rounded to 8 bits and then to 4.
pub fn quantize_row(
    bits: Bits,
    weights: &[f64],
    second: Option<&[i16]>,
    base_step: f64,
    least_multiplier: f64,
) -> Option<Row> {
    let largest = weights.iter().fold(0f64, |max, weight| max.max(weight.abs()));
    // The weights of a second row change those of the first by up to 127/256, so the range of the first is 0.5 smaller.
    let full_scale = if second.is_some() { 126.5 } else { 127.0 };
    let multiplier = (largest / (full_scale * base_step)).ceil().max(least_multiplier).max(1.0);
    if multiplier > LARGEST_MULTIPLIER {
        return None;
    }
    let step = multiplier * base_step;
    let limit = if bits == Bits::Sixteen { 32_767.0 } else { 127.0 };
    let integer = |(column, weight): (usize, &f64)| {
        let from_second = second.map_or(0.0, |row| f64::from(row[column]) / 256.0);
        ((weight / step - from_second) * integers_per_step(bits)).round().clamp(-limit, limit) as i16
    };
    let mut weights: Vec<i16> = weights.iter().enumerate().map(integer).collect();
    if bits == Bits::Four {
        let mut rounded: Vec<i8> = weights.iter().map(|&weight| weight as i8).collect();
        round_to_4_bits(&mut rounded);
        weights = rounded.into_iter().map(i16::from).collect();
    }
    Some(Row { bits, weights, multiplier: multiplier as i16, step })
}

impl Row {
    /// Returns the real weights. `second`: for the first row of a pair, the second row.
    pub fn dequantize(&self, second: Option<&Row>) -> Vec<f64> {
        let real = |(column, &weight): (usize, &i16)| {
            let from_second = second.map_or(0.0, |row| f64::from(row.weights[column]) / 256.0);
            (f64::from(weight) / integers_per_step(self.bits) + from_second) * self.step
        };
        self.weights.iter().enumerate().map(real).collect()
    }

    /// Returns an upper bound of |Σ w·v|, or with 16 bits of |(Σ w·v) >> 8|, for inputs |v| ≤ 2^15.
    pub fn bound(&self) -> i64 {
        let sum = self.weights.iter().map(|weight| i64::from(weight.unsigned_abs())).sum::<i64>() << 15;
        // 1 is added because the shift rounds down.
        if self.bits == Bits::Sixteen { (sum >> 8) + 1 } else { sum }
    }

    /// Returns the least multiplier of the next attempt, if the sums of this row do not fit the accumulator: about 25 %
    /// larger than the multiplier of this row.
    pub(super) fn larger_multiplier(&self) -> f64 {
        f64::from(self.multiplier) * 1.25 + 1.0
    }
}

/// Computes the dot product of two vectors.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks that every weight is at most half an integer away from its quantised value.
    fn assert_rounded(row: &Row, second: Option<&Row>, weights: &[f64]) {
        let half = row.step / integers_per_step(row.bits) * 0.500_001;
        for (weight, back) in weights.iter().zip(row.dequantize(second)) {
            assert!((weight - back).abs() <= half, "{weight} came back as {back}, step {}", row.step);
        }
    }

    #[test]
    fn rounding_is_within_half_a_step() {
        let weights: Vec<f64> = (0..200).map(|i| f64::from(i * i % 97 - 40) * 0.013).collect();
        let reversed: Vec<f64> = weights.iter().rev().copied().collect();
        for base_step in [1e-6, 1e-4, 2e-3] {
            let second = quantize_row(Bits::Eight, &weights, None, base_step, 1.0).unwrap();
            assert_rounded(&second, None, &weights);
            let first = quantize_row(Bits::Eight, &reversed, Some(&second.weights), base_step, 1.0).unwrap();
            assert_rounded(&first, Some(&second), &reversed);
        }
        // The integers of 16 bits are 256 times as fine.
        assert_rounded(&quantize_row(Bits::Sixteen, &weights, None, 1e-6, 1.0).unwrap(), None, &weights);
        let whole = quantize_row(Bits::Sixteen, &[1.0, -1.0], None, 1e-3, 8.0).unwrap();
        assert_eq!((whole.bound(), whole.multiplier), ((250 << 15) + 1, 8));
        assert_eq!(whole.weights, [32_000, -32_000]);
        assert_eq!([4, 8, 16, 7].map(Bits::of), [Some(Bits::Four), Some(Bits::Eight), Some(Bits::Sixteen), None]);
    }

    #[test]
    fn zero_large_and_minimum_multipliers() {
        let quantized = |weights: &[f64], base_step, least| quantize_row(Bits::Eight, weights, None, base_step, least);
        assert_eq!(quantized(&[0.0; 3], 1e-3, 1.0).unwrap().weights, [0; 3]);
        assert_eq!(quantized(&[4.2], 1e-6, 1.0), None, "needs a multiplier of 33,071");
        assert_eq!(quantized(&[-4.1], 1e-6, 1.0).unwrap().weights, [-127]);
        assert_eq!(quantized(&[-4.1], 1e-6, 32_767.0).unwrap().weights, [-125]);
        assert_eq!(quantized(&[1.0], 1e-2, 5.0).unwrap().multiplier, 5);
        assert_eq!(quantized(&[1.0, -1.0], 1e-3, 1.0).unwrap().bound(), 250 << 15);
    }
}
