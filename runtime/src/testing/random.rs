//! The random numbers of tests.

use alloc::vec::Vec;

/// A generator of pseudo-random numbers (SplitMix64), the same on every machine. The field is the state of the
/// generator, at first the seed.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// Returns the next number, 0 … 2^64 − 1.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number of `low ..= high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.number() % (high - low + 1) as u64) as i64
    }

    /// Returns 8-bit weights. −127 is the lowest one that the format allows.
    pub(super) fn weights(&mut self, count: usize) -> Vec<i8> {
        (0..count).map(|_| self.between(-127, 127) as i8).collect()
    }

    /// Returns multipliers of at least 1; a multiplier of 0 would hide its row's sum.
    pub(super) fn multipliers(&mut self, count: usize, largest: i64) -> Vec<i16> {
        (0..count).map(|_| self.between(1, largest) as i16).collect()
    }

    /// Returns biases of up to about half of 127 · 2^15, the largest product of a weight and an activation, so that
    /// neither hides the other in a sum. The sums of small models stay far below 2^31.
    pub(super) fn biases(&mut self, count: usize) -> Vec<i32> {
        (0..count).map(|_| self.between(-2_000_000, 2_000_000) as i32).collect()
    }
}
