//! One row of weights: real numbers to integers with one multiplier.

use tern_runtime::write::round_to_4_bits;

/// Largest multiplier: 15 bits.
const LARGEST: f64 = 32_767.0;

/// How many bits weights have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bits {
    /// −7 … 7, with a multiplier for each group of 16 columns.
    Four,
    /// −127 … 127
    #[default]
    Eight,
    /// −32,767 … 32,767, in 256ths.
    Sixteen,
}

impl Bits {
    /// Their number.
    pub fn count(self) -> u32 {
        match self {
            Bits::Four => 4,
            Bits::Eight => 8,
            Bits::Sixteen => 16,
        }
    }

    /// So many bits; none where weights cannot have them.
    pub fn of(count: u32) -> Option<Self> {
        [Bits::Four, Bits::Eight, Bits::Sixteen].into_iter().find(|bits| bits.count() == count)
    }

    /// Whether rows of such weights come in pairs, where a cell has pairs.
    pub fn in_pairs(self) -> bool {
        self != Bits::Sixteen
    }

    /// How many of a weight make 1.
    fn fine(self) -> f64 {
        if self == Bits::Sixteen { 256.0 } else { 1.0 }
    }
}

/// A quantised row. What it stands for: `w · step` (`(w + second/256) · step` for the first row of a pair, `w/256 · step` of 16 bits).
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Of the weights.
    pub bits: Bits,
    /// −127 … 127; of 16 bits −32,767 … 32,767
    pub weights: Vec<i16>,
    /// 1 … 32,767
    pub multiplier: i16,
    /// The real value of 1.
    pub step: f64,
}

/// Quantises one row.
///
/// `second`: for the first row of a pair, the second one's weights, which count 1/256 in it. `unit`: the step that a multiplier of
/// 1 gives. `least`: the multiplier is at least this.
///
/// The multiplier is rounded up first and the weights against the step that it really gives. None if it needs more than 15 bits.
pub fn quantize_row(weights: &[f64], second: Option<&[i16]>, unit: f64, least: f64) -> Option<Row> {
    quantize_row_in(Bits::Eight, weights, second, unit, least)
}

/// The same with weights of so many bits: those of 4 are rounded once more, to what 4 bits can say.
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
    let (fine, end) = (bits.fine(), if bits == Bits::Sixteen { 32_767.0 } else { 127.0 });
    let weights = weights.iter().enumerate().map(|(j, w)| ((w / step - carried(j)) * fine).round().clamp(-end, end));
    let mut weights: Vec<i16> = weights.map(|w| w as i16).collect();
    if bits == Bits::Four {
        let mut coarse: Vec<i8> = weights.iter().map(|&w| w as i8).collect();
        round_to_4_bits(&mut coarse);
        weights = coarse.into_iter().map(i16::from).collect();
    }
    Some(Row { bits, weights, multiplier: multiplier as i16, step })
}

impl Row {
    /// The real weights that the row stands for.
    pub fn dequantize(&self, second: Option<&Row>) -> Vec<f64> {
        let carried = |j: usize| second.map_or(0.0, |row| f64::from(row.weights[j]) / 256.0);
        let fine = self.bits.fine();
        self.weights.iter().enumerate().map(|(j, &w)| (f64::from(w) / fine + carried(j)) * self.step).collect()
    }

    /// A bound on |Σ w·v| for |v| ≤ 2^15.
    pub fn bound(&self) -> i64 {
        let sum = self.weights.iter().map(|w| i64::from(w.unsigned_abs())).sum::<i64>() << 15;
        // One more for the floor.
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
    fn edges() {
        assert_eq!(quantize_row(&[0.0; 3], None, 1e-3, 1.0).unwrap().weights, [0; 3]);
        assert_eq!(quantize_row(&[4.2], None, 1e-6, 1.0), None, "needs a multiplier of 33,071");
        assert_eq!(quantize_row(&[-4.1], None, 1e-6, 1.0).unwrap().weights, [-127]);
        assert_eq!(quantize_row(&[-4.1], None, 1e-6, 32_767.0).unwrap().weights, [-125]);
        assert_eq!(quantize_row(&[1.0], None, 1e-2, 5.0).unwrap().multiplier, 5);
        assert_eq!(quantize_row(&[1.0, -1.0], None, 1e-3, 1.0).unwrap().bound(), 250 << 15);
    }
}
