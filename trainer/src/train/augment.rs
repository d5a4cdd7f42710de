//! Augmentation of training sequences of numbers: random noise and random scaling, drawn anew for every batch.

use super::initial::normal;
use super::{Sample, Steps};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A constant that is XORed into the seed ("augment" in ASCII), so that the augmentation draws other random numbers
/// than the dropout, which also has a stream for each batch.
const SEED_MASK: u64 = 0x6175_676d_656e_7400;

/// The strength of the augmentation of the normalised numbers, whose own standard deviation is about 1.
#[derive(Clone, Copy, Debug)]
pub struct Augmentation {
    /// Standard deviation of the noise that is added to each number.
    pub jitter: f64,
    /// Standard deviation of the factor, with mean 1, by which the numbers of one channel in one sequence are
    /// multiplied.
    pub scaling: f64,
}

impl Augmentation {
    /// Returns augmented copies of a batch's samples, or `None` if `jitter` and `scaling` are 0. `seed`: the seed of
    /// the training. `batch`: the number of batches before this one in the whole training, so that a resumed training
    /// draws the same numbers.
    pub fn apply(&self, samples: &[&Sample], seed: u64, batch: u64) -> Option<Vec<Sample>> {
        if self.jitter == 0.0 && self.scaling == 0.0 {
            return None;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ SEED_MASK);
        rng.set_stream(batch);
        let mut augmented = Vec::new();
        for sample in samples {
            augmented.push(Sample { steps: self.change(&sample.steps, &mut rng), ..(*sample).clone() });
        }
        Some(augmented)
    }

    /// Returns an augmented copy of a sequence of values; a sequence of tokens is copied unchanged.
    fn change(&self, steps: &Steps, rng: &mut ChaCha8Rng) -> Steps {
        let Steps::Values { values, channels } = steps else { return steps.clone() };
        let (jitter, scaling) = (self.jitter as f32, self.scaling as f32);
        // One factor for each channel. The values are `[steps][channels]`.
        let factors: Vec<f32> = (0..*channels).map(|_| 1.0 + scaling * normal(rng)).collect();
        let mut changed = Vec::with_capacity(values.len());
        for (value, factor) in values.iter().zip(factors.iter().cycle()) {
            changed.push(factor * value + jitter * normal(rng));
        }
        Steps::Values { values: changed, channels: *channels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Target;

    fn deviation(values: &[f32]) -> f32 {
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        (values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / values.len() as f32).sqrt()
    }

    #[test]
    fn noise_and_factors_have_the_given_strength() {
        let steps = Steps::Values { values: [1.0, -2.0].repeat(2000), channels: 2 };
        let sample = Sample::new(steps, Target::Class(0));
        let changed = |jitter, scaling, batch| {
            let changed = Augmentation { jitter, scaling }.apply(&[&sample], 1, batch)?.remove(0);
            let Steps::Values { values, .. } = changed.steps else { panic!("values stay values") };
            Some(values)
        };
        assert_eq!(changed(0.0, 0.0, 0), None);
        let noisy = changed(0.1, 0.0, 0).unwrap();
        let of_first_channel: Vec<f32> = noisy.iter().step_by(2).copied().collect();
        assert!((deviation(&of_first_channel) - 0.1).abs() < 0.01);
        assert_eq!(noisy, changed(0.1, 0.0, 0).unwrap());
        assert_ne!(noisy, changed(0.1, 0.0, 1).unwrap());
        // One factor for each channel of a sequence.
        let factors: Vec<f32> = (0..500)
            .map(|batch| {
                let scaled = changed(0.0, 0.2, batch).unwrap();
                assert!(scaled.iter().step_by(2).all(|value| *value == scaled[0]));
                scaled[0]
            })
            .collect();
        assert!((deviation(&factors) - 0.2).abs() < 0.03, "{}", deviation(&factors));
    }
}
