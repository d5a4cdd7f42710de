//! Scaling: from the integers of a caller to the inputs of the network, and from its outputs back.

use core::num::NonZeroU32;

use crate::fixed::saturate_16;
use crate::text::texts::Texts;

/// The scaling of channels, borrowed from the file. An integer `v` of channel `k` stands for the real number `v /
/// 2^point[k]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scaling<'a> {
    /// The integer that stands for the mean, `[channels]`.
    pub offset: &'a [i32],
    /// `[channels]`, 1 … 2^30
    pub multiplier: &'a [i32],
    /// `[channels]`, 1 … 46
    pub shift: &'a [i32],
    /// `[channels]`, −16 … 30
    pub point: &'a [i32],
    /// The channel of each predicted value.
    pub channel: &'a [i32],
    /// 1 for each predicted value that is a difference from the last value of its channel, 0 for one that is a
    /// difference from `offset`.
    pub last: &'a [i32],
}

/// The channels and golden sequences of a model that reads values, borrowed from the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers<'a> {
    /// The scaling of the channels.
    pub input: Scaling<'a>,
    /// The scaling of the predicted values; empty for other tasks.
    pub output: Scaling<'a>,
    /// The names of the channels.
    pub channels: Texts<'a>,
    /// `[golden + 1]`, in steps
    pub golden_offsets: &'a [u32],
    /// `[steps · channels]`
    pub golden_values: &'a [i32],
}

impl<'a> Numbers<'a> {
    /// The value for a model that reads text.
    pub(crate) const NONE: Numbers<'static> = Numbers {
        input: Scaling::NONE,
        output: Scaling::NONE,
        channels: Texts::EMPTY,
        golden_offsets: &[],
        golden_values: &[],
    };

    /// The steps of a golden sequence.
    pub(crate) fn golden(&self, index: usize) -> Option<&'a [i32]> {
        let start_of =
            |index: usize| Some((*self.golden_offsets.get(index)? as usize).saturating_mul(self.input.len()));
        self.golden_values.get(start_of(index)?..start_of(index + 1)?)
    }
}

/// A channel of the input, or a predicted value: its name and the scale of its integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel<'a> {
    /// The name.
    pub name: &'a str,
    /// An integer `v` stands for the real number `v / 2^point`. −16 … 30.
    pub point: i32,
}

/// The ranges of the numbers in [`Scaling`], checked at load.
pub(crate) const MULTIPLIERS: [i32; 2] = [1, 1 << 30];
pub(crate) const SHIFTS: [i32; 2] = [1, 46];
pub(crate) const POINTS: [i32; 2] = [-16, 30];
/// The range of a forecast's window.
pub(crate) const WINDOWS: [i32; 2] = [1, 1 << 16];

/// `v · multiplier / 2^shift`, rounded. |v| ≤ 2^32, multiplier ≤ 2^30, 0 < shift ≤ 46: the sum stays below 2^63.
fn scale(v: i64, multiplier: i32, shift: i32) -> i64 {
    // The range is checked at load; `clamp` lets the compiler rely on it.
    let shift = shift.clamp(SHIFTS[0], SHIFTS[1]) as u32;
    (v * i64::from(multiplier) + (1 << (shift - 1))) >> shift
}

impl Channel<'_> {
    /// The integer that stands for `numerator / denominator`, rounded to the nearest, half up, saturating. 21.37 °C is
    /// `encode(2_137, 100)`, a number in Q16 is `encode(number, 1 << 16)`.
    pub fn encode(&self, numerator: i32, denominator: NonZeroU32) -> i32 {
        // |numerator| · 2^30 < 2^62, 2^16 · denominator < 2^49.
        let up = 1i64 << self.point.clamp(0, POINTS[1]);
        let down = i64::from(denominator.get()) << self.point.min(0).max(POINTS[0]).unsigned_abs();
        let nearest = (i64::from(numerator) * up + down / 2).checked_div_euclid(down).unwrap_or(0);
        nearest.clamp(i32::MIN.into(), i32::MAX.into()) as i32
    }

    /// The number of units of `1 / denominator` that an integer of the channel stands for, rounded to the nearest, half
    /// up, saturating. With `decode(value, 100)`, a forecast of 21.37 °C is 2,137.
    pub fn decode(&self, value: i32, denominator: NonZeroU32) -> i32 {
        // |value| · denominator < 2^63.
        let product = i64::from(value) * i64::from(denominator.get());
        let nearest = match self.point {
            1.. => (product >> (self.point.min(POINTS[1]) - 1)).wrapping_add(1) >> 1,
            point => product.saturating_mul(1 << point.max(POINTS[0]).unsigned_abs()),
        };
        nearest.clamp(i32::MIN.into(), i32::MAX.into()) as i32
    }
}

impl Scaling<'_> {
    /// The scaling of no channels.
    pub(crate) const NONE: Scaling<'static> =
        Scaling { offset: &[], multiplier: &[], shift: &[], point: &[], channel: &[], last: &[] };

    /// The number of channels.
    pub(crate) fn len(&self) -> usize {
        self.offset.len()
    }

    fn channels(&self) -> impl Iterator<Item = (i32, i32, i32)> {
        let numbers = self.offset.iter().zip(self.multiplier).zip(self.shift);
        numbers.map(|((&offset, &multiplier), &shift)| (offset, multiplier, shift))
    }

    /// Converts the integers of a caller to Q15, saturating. A missing value counts as the offset of its channel, which
    /// gives 0.
    pub(crate) fn read(&self, values: &[i32], x: &mut [i16]) {
        let values = values.iter().map(Some).chain(core::iter::repeat(None));
        for ((x, (offset, multiplier, shift)), value) in x.iter_mut().zip(self.channels()).zip(values) {
            let difference = value.map_or(0, |&value| i64::from(value) - i64::from(offset));
            // Clamped to 32 bits first; any limits beyond those of 16 bits would do.
            *x = saturate_16(scale(difference, multiplier, shift).clamp(-65_536, 65_536) as i32);
        }
    }

    /// Copies the integers of a caller. A missing value counts as the offset of its channel.
    pub(crate) fn keep(&self, values: &[i32], last: &mut [i32]) {
        let values = values.iter().map(Some).chain(core::iter::repeat(None));
        for ((last, offset), value) in last.iter_mut().zip(self.offset).zip(values) {
            *last = *value.unwrap_or(offset);
        }
    }

    /// The channel of a predicted value.
    pub(crate) fn channel_of(&self, index: usize) -> Option<usize> {
        self.channel.get(index).map(|&channel| channel as usize)
    }

    /// Converts an output of the network, Q16, to an integer for the caller, saturating; none beyond the last.
    /// `last_values`: the last value of each channel, as [`keep`](Scaling::keep) copied it.
    pub(crate) fn write(&self, index: usize, value: i32, last_values: &[i32]) -> Option<i32> {
        let (offset, multiplier, shift) = self.channels().nth(index)?;
        let base = match self.last.get(index) {
            Some(1) => self.channel_of(index).and_then(|channel| last_values.get(channel)).copied().unwrap_or(offset),
            _ => offset,
        };
        let v = i64::from(base) + scale(value.into(), multiplier, shift);
        Some(v.clamp(i32::MIN.into(), i32::MAX.into()) as i32)
    }
}
