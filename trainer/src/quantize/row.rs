//! Quantisation of one row of weights to integers with one multiplier.

use tern_runtime::write::round_to_4_bits;

/// The largest multiplier, of 15 bits.
const LARGEST: f64 = 32_767.0;

/// The number of bits of a weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bits {
    /// Weights of −7 … 7, with a multiplier for each group of 16 columns.
    Four,
    /// Weights of −127 … 127.
    #[default]
    Eight,
    /// Weights of −32,767 … 32,767, in units of 1/256.
    Sixteen,
}

impl Bits {
    /// The number of bits.
    pub fn count(self) -> u32 {
        match self {
            Bits::Four => 4,
            Bits::Eight => 8,
            Bits::Sixteen => 16,
        }
    }

    /// The inverse of [`count`](Self::count).
    pub fn of(count: u32) -> Option<Self> {
        [Bits::Four, Bits::Eight, Bits::Sixteen].into_iter().find(|bits| bits.count() == count)
    }

    /// Returns true if the rows of LSTM and GRU cells are paired at this width.
    pub fn in_pairs(self) -> bool {
        self != Bits::Sixteen
    }

    /// The number of integer steps in 1.
    fn steps_per_unit(self) -> f64 {
        if self == Bits::Sixteen { 256.0 } else { 1.0 }
    }
}

/// A quantised row. Its real weights are `w · step`; `(w + second/256) · step` in the first row of a pair; `w/256 ·
/// step` with 16 bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The bits of the weights.
    pub bits: Bits,
    /// The integer weights: −127 … 127, or −32,767 … 32,767 with 16 bits.
    pub weights: Vec<i16>,
    /// The multiplier, 1 … 32,767.
    pub multiplier: i16,
    /// The real value of the integer 1 (256 with 16 bits).
    pub step: f64,
}

/// Quantises one row.
///
/// `second`: for the first row of a pair, the weights of the second row, which are added with a factor of 1/256.
/// `unit`: the step of the multiplier 1. `least`: the smallest multiplier.
///
/// The multiplier is rounded up first, and the weights are then rounded to its step. `None` if the multiplier needs
/// more than 15 bits.
pub fn quantize_row(weights: &[f64], second: Option<&[i16]>, unit: f64, least: f64) -> Option<Row> {
    quantize_row_in(Bits::Eight, weights, second, unit, least)
}

/// Quantises one row to `bits`, as [`quantize_row`] does to 8. Weights of 4 bits are rounded a second time, to 4 bits.
pub fn quantize_row_in(bits: Bits, weights: &[f64], second: Option<&[i16]>, unit: f64, least: f64) -> Option<Row> {
    let largest = weights.iter().fold(0f64, |max, w| max.max(w.abs()));
    // A first row also takes up to 127/256 of rounding against its second.
    let full = if second.is_some() { 126.5 } else { 127.0 };
    let multiplier = (largest / (full * unit)).ceil().max(least).max(1.0);
    if multiplier > LARGEST {
        return None;
    }
    let step = multiplier * unit;
    let carried = |column: usize| second.map_or(0.0, |row| f64::from(row[column]) / 256.0);
    let (steps, end) = (bits.steps_per_unit(), if bits == Bits::Sixteen { 32_767.0 } else { 127.0 });
    let weights = weights.iter().enumerate().map(|(j, w)| ((w / step - carried(j)) * steps).round().clamp(-end, end));
    let mut weights: Vec<i16> = weights.map(|w| w as i16).collect();
    if bits == Bits::Four {
        let mut coarse: Vec<i8> = weights.iter().map(|&w| w as i8).collect();
        round_to_4_bits(&mut coarse);
        weights = coarse.into_iter().map(i16::from).collect();
    }
    Some(Row { bits, weights, multiplier: multiplier as i16, step })
}

impl Row {
    /// The real weights of the row.
    pub fn dequantize(&self, second: Option<&Row>) -> Vec<f64> {
        let carried = |j: usize| second.map_or(0.0, |row| f64::from(row.weights[j]) / 256.0);
        let steps = self.bits.steps_per_unit();
        self.weights.iter().enumerate().map(|(j, &w)| (f64::from(w) / steps + carried(j)) * self.step).collect()
    }

    /// A bound on |Σ w·v| for |v| ≤ 2^15.
    pub fn bound(&self) -> i64 {
        let sum = self.weights.iter().map(|w| i64::from(w.unsigned_abs())).sum::<i64>() << 15;
        // One more, because the division rounds down.
        if self.bits == Bits::Sixteen { (sum >> 8) + 1 } else { sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_within_half_a_step() {
        let weights: Vec<f64> = (0..200).map(|i| f64::from(i * i % 97 - 40) * 0.013).collect();
        for unit in [1e-6, 1e-4, 2e-3] {
            let second = quantize_row(&weights, None, unit, 1.0).unwrap();
            let reversed: Vec<f64> = weights.iter().rev().copied().collect();
            let first = quantize_row(&reversed, Some(&second.weights), unit, 1.0).unwrap();
            for (row, real, pair) in [(&second, &weights, None), (&first, &reversed, Some(&second))] {
                for (w, back) in real.iter().zip(row.dequantize(pair)) {
                    assert!((w - back).abs() <= row.step * 0.500_001, "{w} came back as {back}, step {}", row.step);
                }
            }
        }
    }

    #[test]
    fn weights_of_16_bits_are_256_times_as_fine() {
        let weights: Vec<f64> = (0..200).map(|i| f64::from(i * i % 97 - 40) * 0.013).collect();
        let row = quantize_row_in(Bits::Sixteen, &weights, None, 1e-6, 1.0).unwrap();
        for (w, back) in weights.iter().zip(row.dequantize(None)) {
            assert!((w - back).abs() <= row.step / 256.0 * 0.500_001, "{w} came back as {back}, step {}", row.step);
        }
        let whole = quantize_row_in(Bits::Sixteen, &[1.0, -1.0], None, 1e-3, 8.0).unwrap();
        assert_eq!((whole.weights, whole.multiplier), (vec![32_000, -32_000], 8));
        assert_eq!(quantize_row_in(Bits::Sixteen, &[1.0, -1.0], None, 1e-3, 8.0).unwrap().bound(), (250 << 15) + 1);
        assert_eq!([4, 8, 16, 7].map(Bits::of), [Some(Bits::Four), Some(Bits::Eight), Some(Bits::Sixteen), None]);
    }

    #[test]
    fn zero_large_and_minimum_multipliers() {
        assert_eq!(quantize_row(&[0.0; 3], None, 1e-3, 1.0).unwrap().weights, [0; 3]);
        assert_eq!(quantize_row(&[4.2], None, 1e-6, 1.0), None, "needs a multiplier of 33,071");
        assert_eq!(quantize_row(&[-4.1], None, 1e-6, 1.0).unwrap().weights, [-127]);
        assert_eq!(quantize_row(&[-4.1], None, 1e-6, 32_767.0).unwrap().weights, [-125]);
        assert_eq!(quantize_row(&[1.0], None, 1e-2, 5.0).unwrap().multiplier, 5);
        assert_eq!(quantize_row(&[1.0, -1.0], None, 1e-3, 1.0).unwrap().bound(), 250 << 15);
    }
}
