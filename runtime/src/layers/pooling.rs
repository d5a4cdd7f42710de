//! Pooling and merging: turns the hidden states of all steps and of both directions into the input of the head.

use core::num::NonZeroU32;

use crate::features::{NGRAMS, POOLING};
use crate::fixed::{round_shift, saturate_16};
use crate::state_codec::StateCodec;
use tern_format::Merge;

/// The largest even number of steps whose sum fits an `i32`: 2^15 · 65,534 < 2^31. Before one more step,
/// [`Pool::make_room`] halves the sums and the count. Half of an even count is exact, and a halved sum is at most 2^15
/// times the halved count.
pub(crate) const EXACT_STEPS: u32 = 65_534;

/// Merges one hidden value of each direction, Q15, into one. [`Merge::Sum`] gives half the sum.
#[inline]
pub(crate) fn merge(how: Merge, forward: i16, reverse: i16) -> i16 {
    let (forward, reverse) = (i32::from(forward), i32::from(reverse));
    match how {
        // Half the sum fits Q15; `tern export` scales the head so that the logits are those of the sum.
        Merge::Sum | Merge::Mean => round_shift(forward + reverse, 1) as i16,
        Merge::Product => saturate_16(round_shift(forward * reverse, 15)),
        // Never used, because concatenated values are not merged.
        Merge::Concat => forward as i16,
    }
}

/// The pooled hidden states of the steps read so far, in the caller's scratch.
#[derive(Debug)]
pub(crate) struct Pool<'s> {
    /// True if the head reads the maxima.
    pub has_max: bool,
    /// The sums for the means, `[merged_width]`; empty if the head reads no means.
    pub sum: &'s mut [i32],
    /// The input of the head, `[head_width]`: the means, the maxima, both in this order, or the last state; then the
    /// scaled sums of the n-gram branch.
    pub features: &'s mut [i16],
    /// The width of the pooled states in `features`.
    pub pooled_width: usize,
    /// The right shift of the states before they are pooled: 0 to 8. It brings them closer to the scale of the n-gram
    /// branch; 0 in a model without one.
    pub shift: u32,
    /// The number of steps pooled so far, halved with the sums: 0 to [`EXACT_STEPS`].
    pub count: u32,
}

impl Pool<'_> {
    /// Discards all steps.
    pub(crate) fn reset(&mut self) {
        self.sum.fill(0);
        self.features.fill(0);
        self.count = 0;
    }

    /// Adds the hidden states of one step, Q15, to the sums and the maxima, but does not count the step. `column`: the
    /// column of the first state, which is H for the reverse direction if directions are concatenated, otherwise 0.
    /// `is_first`: true for the first step, whose states replace the maxima.
    pub(crate) fn add(&mut self, column: usize, is_first: bool, states: impl Iterator<Item = i16> + Clone) {
        let shift = if NGRAMS { self.shift } else { 0 };
        let states = states.map(|v| v >> shift);
        for (sum, v) in self.sum.iter_mut().skip(column).zip(states.clone()) {
            *sum += i32::from(v);
        }
        if POOLING && self.has_max {
            // The means come before the maxima.
            for (largest, v) in self.features.iter_mut().skip(self.sum.len() + column).zip(states) {
                if is_first || v > *largest {
                    *largest = v;
                }
            }
        }
    }

    /// Halves the sums and the count if one more step could overflow: see [`EXACT_STEPS`].
    pub(crate) fn make_room(&mut self) {
        if self.count == EXACT_STEPS {
            self.sum.iter_mut().for_each(|sum| *sum >>= 1);
            self.count >>= 1;
        }
    }

    /// Passes the number of steps, the sums and the maxima through the codec.
    pub(crate) fn visit_state(&mut self, codec: &mut StateCodec<'_>) {
        self.count = codec.unsigned(self.count);
        codec.check(self.count <= EXACT_STEPS);
        codec.words(self.sum.iter_mut());
        let count = self.count.min(EXACT_STEPS) as i32;
        codec.check(self.sum.iter().all(|sum| (-32_768 * count..=32_767 * count).contains(sum)));
        codec.halves(self.features.iter_mut().take(self.pooled_width).skip(self.sum.len()));
    }

    /// The maxima, `[merged_width]`; empty if the head reads only means. For a head that reads the last state, these
    /// are not maxima but that state, so the method must not be called.
    pub(crate) fn maxima(&self) -> impl Iterator<Item = &i16> {
        self.features.iter().take(self.pooled_width).skip(self.sum.len())
    }

    /// Shifts the states of the last step in `features`, for a head that reads only these.
    #[cfg(feature = "ngrams")]
    pub(crate) fn shift_last(&mut self) {
        let shift = self.shift;
        self.features.iter_mut().take(self.pooled_width).for_each(|state| *state >>= shift);
    }

    /// Writes the means of all steps so far to `features`, if the head reads means and there was a step.
    pub(crate) fn finish(&mut self) {
        if !POOLING {
            return;
        }
        let Some(count) = NonZeroU32::new(self.count) else { return };
        for (mean, &sum) in self.features.iter_mut().zip(self.sum.iter()) {
            *mean = rounded_mean(sum, count);
        }
    }
}

/// Returns `sum / count`, rounded to the nearest, half up. `sum`: |sum| ≤ 2^15 · count; `count`: at most
/// [`EXACT_STEPS`].
fn rounded_mean(sum: i32, count: NonZeroU32) -> i16 {
    // 2^15 · count is added so that the number is not negative and the division rounds down. It stays below 2^32. The
    // quotient is then 2^15 = 32,768 too large.
    let shifted_sum = sum.wrapping_add_unsigned(count.get() << 15) as u32;
    (((shifted_sum + count.get() / 2) / count) as i32 - 32_768) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn means_are_rounded_to_the_nearest_half_up() {
        let mut random = Random(11);
        for case in 0..200_000 {
            let count = if case % 3 == 0 { random.between(1, 9) } else { random.between(1, 65_534) };
            let edge = 32_768 * count;
            let sum = match case % 5 {
                0 => -edge,
                1 => edge - count,
                _ => random.between(-edge, edge - count),
            };
            let exact = (2 * sum + count).div_euclid(2 * count);
            let mean = rounded_mean(sum as i32, NonZeroU32::new(count as u32).unwrap());
            assert_eq!(i64::from(mean), exact, "{sum} / {count}");
        }
    }

    #[test]
    fn merged_values_do_not_overflow() {
        let ends = [i16::MIN, -1, 0, 1, i16::MAX];
        for (a, b) in ends.into_iter().flat_map(|a| ends.map(|b| (a, b))) {
            let real = |v: i16| f64::from(v) / 32_768.0;
            let close = |merged: i16, exact: f64| (real(merged) - exact).abs() <= 1.0 / 32_768.0;
            assert!(close(merge(Merge::Mean, a, b), (real(a) + real(b)) / 2.0), "{a}, {b}");
            assert_eq!(merge(Merge::Sum, a, b), merge(Merge::Mean, a, b));
            assert!(close(merge(Merge::Product, a, b), real(a) * real(b)), "{a}, {b}");
        }
    }

    #[test]
    fn past_the_exact_steps_all_that_was_counts_half() {
        let (mut sum, mut features) = ([0; 2], [0; 4]);
        let mut pool =
            Pool { has_max: true, sum: &mut sum, features: &mut features, pooled_width: 4, shift: 0, count: 0 };
        for step in 0..200_000u32 {
            pool.make_room();
            pool.add(0, step == 0, [i16::MIN, if step < 100 { -7 } else { -8 }].into_iter());
            pool.count += 1;
        }
        pool.finish();
        assert!(pool.count > EXACT_STEPS / 2 && pool.count <= EXACT_STEPS);
        assert_eq!(features, [i16::MIN, -8, i16::MIN, -7]);
    }
}
