//! The n-gram branch of a classifier of texts, forward and backward, and the rounding of its weights.
//!
//! The hash of an n-gram selects a bucket, a row of the n-gram table. The table is `[buckets, rank]`. The branch gives
//! for a text of n n-grams the vector (1/√n) · Σ table\[bucket\], or zeros for n = 0. That equals PyTorch's
//! `EmbeddingBag(buckets, rank, mode="sum")`, divided by √n. The time of all functions but [`Grid::fit`] depends on the
//! number of n-grams, not on the number of buckets.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// The values that a rounded weight may have: the multiples of a step by integers of few bits, as the device file
/// stores them. A table that is rounded to its grid during the training is exported without any further loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// The distance between neighbouring values.
    pub step: f32,
    /// The largest integer, a whole number; the smallest is its negative.
    pub largest: f32,
}

impl Grid {
    /// The grid of the multiples of `step` by signed integers of `bits` bits, at least 2: −7 … 7 for 4 bits, −127 … 127
    /// for 8.
    pub fn new(step: f32, bits: u32) -> Self {
        Grid { step, largest: ((1u32 << (bits - 1)) - 1) as f32 }
    }

    /// The largest number of values that [`fit`](Self::fit) reads.
    const MAX_FITTED_VALUES: usize = 1 << 18;
    /// Number of steps that [`fit`](Self::fit) tries.
    const TRIED_STEPS: usize = 64;

    /// Returns the grid whose step gives the smallest squared rounding error for `values`; of equally good steps, the
    /// smallest. The tried steps are k/64 of the step that just represents the largest absolute value, for k from 1 to
    /// 64. The step is 1 if all values are 0. Of more than 2^18 values, evenly spaced ones are read, at most 2^18.
    pub fn fit(values: &[f32], bits: u32) -> Self {
        let stride = values.len().div_ceil(Self::MAX_FITTED_VALUES).max(1);
        // Zeros are exact with every step. A table has many: the rows that no training text uses.
        let nonzero: Vec<f32> = values.iter().step_by(stride).copied().filter(|value| *value != 0.0).collect();
        let max = nonzero.iter().fold(0.0f32, |max, value| max.max(value.abs()));
        let unit_grid = Grid::new(1.0, bits);
        if max == 0.0 {
            return unit_grid;
        }
        // The grid whose largest value is `max`.
        let widest = Grid::new(max / unit_grid.largest, bits);
        let squared_error =
            |grid: Grid| -> f64 { nonzero.iter().map(|&value| f64::from(value - grid.round(value)).powi(2)).sum() };
        let (mut best, mut smallest_error) = (widest, f64::INFINITY);
        for k in 1..=Self::TRIED_STEPS {
            let grid = Grid { step: widest.step * k as f32 / Self::TRIED_STEPS as f32, ..widest };
            let error = squared_error(grid);
            if error < smallest_error {
                (best, smallest_error) = (grid, error);
            }
        }
        best
    }

    /// Rounds a value to the nearest multiple of the step, at most `largest` steps from zero.
    #[inline(always)]
    pub fn round(self, value: f32) -> f32 {
        (value / self.step).round().clamp(-self.largest, self.largest) * self.step
    }
}

/// A view of an n-gram table.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// `[buckets, rank]`
    pub weight: &'a [f32],
    /// Number of columns.
    pub rank: usize,
    /// The grid that weights are rounded to before they are added; `None` if they are added as they are.
    pub grid: Option<Grid>,
}

impl Table<'_> {
    /// Adds up the rows of a text's n-grams, in the order of `ngrams`, which holds their buckets. Returns the sum times
    /// `scale`, `[rank]`; zeros without n-grams.
    pub fn sum(&self, ngrams: &[u32], scale: f32) -> Vec<f32> {
        let mut sum = vec![0.0; self.rank];
        for &bucket in ngrams {
            let row = &self.weight[bucket as usize * self.rank..][..self.rank];
            match self.grid {
                Some(grid) => sum.iter_mut().zip(row).for_each(|(column, &weight)| *column += grid.round(weight)),
                None => sum.iter_mut().zip(row).for_each(|(column, &weight)| *column += weight),
            }
        }
        sum.iter_mut().for_each(|column| *column *= scale);
        sum
    }
}

/// The factor by which the sum of `count` rows is multiplied: 1/√count; 1 if `count` is 0.
pub fn scale(count: usize) -> f32 {
    1.0 / (count.max(1) as f32).sqrt()
}

/// The n-grams of a training text that dropout keeps in one training step.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptNgrams {
    /// The buckets of the n-grams, in the order of the text.
    pub buckets: Vec<u32>,
    /// The factor of the sum of their rows: [`scale`] of the number of all n-grams of the text, divided by 1 −
    /// probability of dropout.
    pub scale: f32,
}

impl KeptNgrams {
    /// Leaves out each n-gram of a text with the given probability, 0 to below 1. `ngrams`: the buckets of all n-grams.
    /// With probability 0, no random number is drawn.
    pub fn draw(ngrams: &[u32], probability: f64, rng: &mut ChaCha8Rng) -> Self {
        let mut buckets = ngrams.to_vec();
        let mut scale = scale(ngrams.len());
        if probability > 0.0 {
            // A random u32 is below this number with the given probability.
            let threshold = (probability * f64::from(u32::MAX)) as u32;
            buckets.retain(|_| rng.random::<u32>() >= threshold);
            scale /= (1.0 - probability) as f32;
        }
        KeptNgrams { buckets, scale }
    }
}

/// Returns a pair (bucket, index of the text) for each n-gram of the texts, in ascending order. A bucket that occurs
/// twice in a text has two pairs.
pub fn uses(texts: &[KeptNgrams]) -> Vec<(u32, u32)> {
    let mut uses = Vec::new();
    for (text, index) in texts.iter().zip(0u32..) {
        uses.extend(text.buckets.iter().map(|&bucket| (bucket, index)));
    }
    // In this order the gradient of each row is a sum in the order of the texts.
    uses.sort_unstable();
    uses
}

/// Computes the gradient of a table. `d_sums`: the gradients of the results of [`Table::sum`], `[texts, rank]`.
///
/// Returns the buckets that the texts use, in ascending order, each once, and the gradients of their rows, `[buckets
/// used, rank]`. The gradients of all other rows are zero. Rounding to a grid passes gradients on unchanged.
pub fn backward(texts: &[KeptNgrams], d_sums: &[f32], rank: usize) -> (Vec<u32>, Vec<f32>) {
    let (mut rows, mut gradients): (Vec<u32>, Vec<f32>) = (Vec::new(), Vec::new());
    for (bucket, text) in uses(texts) {
        if rows.last() != Some(&bucket) {
            rows.push(bucket);
            gradients.resize(gradients.len() + rank, 0.0);
        }
        // The gradient of the row of `bucket`, the last one.
        let start = gradients.len() - rank;
        let scale = texts[text as usize].scale;
        let d_sum = &d_sums[text as usize * rank..][..rank];
        for (gradient, d_value) in gradients[start..].iter_mut().zip(d_sum) {
            *gradient += scale * d_value;
        }
    }
    (rows, gradients)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    const WEIGHT: [f32; 8] = [1.0, -1.0, 0.25, 0.5, 0.0, 8.0, 3.0, 0.125];

    #[test]
    fn sum_is_that_of_the_rows_divided_by_the_root_of_their_number() {
        let table = Table { weight: &WEIGHT, rank: 2, grid: None };
        let ngrams = [3, 0, 0, 1];
        assert_eq!(table.sum(&ngrams, scale(ngrams.len())), [5.25 / 2.0, -1.375 / 2.0]);
        assert_eq!(table.sum(&[], scale(0)), [0.0; 2]);
    }

    #[test]
    fn gradients_are_summed_for_each_row_that_is_used() {
        let texts = [
            KeptNgrams { buckets: vec![3, 0, 3], scale: 0.5 },
            KeptNgrams { buckets: vec![], scale: 1.0 },
            KeptNgrams { buckets: vec![3], scale: 2.0 },
        ];
        let (rows, gradients) = backward(&texts, &[1.0, 2.0, 9.0, 9.0, 10.0, 20.0], 2);
        assert_eq!(rows, [0, 3]);
        assert_eq!(gradients, [0.5, 1.0, 21.0, 42.0]);
        assert_eq!(backward(&[], &[], 2), (vec![], vec![]));
    }

    #[test]
    fn rounded_values_are_the_integers_of_the_grid() {
        let values: Vec<f32> = (0..1000).map(|index| ((index * 37 % 101) as f32 - 50.0) / 70.0).collect();
        for (bits, largest, error) in [(4, 7.0, 0.06), (8, 127.0, 0.004)] {
            let grid = Grid::fit(&values, bits);
            assert_eq!(grid.largest, largest);
            for &value in &values {
                let rounded = grid.round(value);
                assert!((rounded - value).abs() <= error, "{bits} bits: {value} is rounded to {rounded}");
                let integer = (rounded / grid.step).round();
                assert!(integer.abs() <= largest && integer * grid.step == rounded);
                assert_eq!(grid.round(rounded), rounded);
            }
        }
        assert_eq!(Grid::fit(&[0.0; 4], 4).round(0.0), 0.0);
    }

    #[test]
    fn large_outliers_do_not_widen_the_step() {
        let mut values = vec![0.0f32; 4000];
        values.iter_mut().zip(0..).for_each(|(value, index)| *value = (index % 15 - 7) as f32);
        values[0] = 20.0;
        assert!((Grid::fit(&values, 4).step - 1.0).abs() < 0.05);
    }

    #[test]
    fn dropout_keeps_the_expected_sum() {
        let ngrams: Vec<u32> = (0..10_000).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let kept = KeptNgrams::draw(&ngrams, 0.25, &mut rng);
        let sum = kept.buckets.len() as f32 * kept.scale;
        assert!((sum / 100.0 - 1.0).abs() < 0.02, "{sum}");
        assert_eq!(KeptNgrams::draw(&ngrams, 0.0, &mut rng), KeptNgrams { buckets: ngrams, scale: 0.01 });
    }
}
