//! Scaling, for models that read values (numbers of sensors, for example) instead of text: converts the integers of a
//! caller to the normalised inputs of the network, and predictions back. A channel is one column of these numbers.
//! `docs/arithmetic.md`, "Values", defines the scaling.

use core::num::NonZeroU32;

use crate::fixed::saturate_16;
use crate::text::texts::Texts;

/// The scaling of the input channels or of the predicted values, borrowed from the file. Predicted values are called
/// channels here, too. An integer `v` of the channel `k` stands for the real number `v / 2^point[k]`. The network reads
/// the normalised value `(v - offset[k]) * multiplier[k] / 2^shift[k]`, Q15. An output `y` of the network, Q16, becomes
/// the predicted value `offset[k] + y * multiplier[k] / 2^shift[k]`; if `last[k]` is 1, the last value of the channel
/// replaces `offset[k]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scaling<'a> {
    /// The integer of the normalised value 0, which is the mean of an input channel: `[channels]`.
    pub offset: &'a [i32],
    /// The multiplier, 1 to 2^30: `[channels]`.
    pub multiplier: &'a [i32],
    /// The right shift after the multiplication, 1 to 46: `[channels]`.
    pub shift: &'a [i32],
    /// The number of fractional bits of the integers, −16 to 30: `[channels]`.
    pub point: &'a [i32],
    /// The index of the input channel that each predicted value continues; empty for input channels.
    pub channel: &'a [i32],
    /// For each predicted value: 1 if the network predicts the difference from the last value of the channel, 0 if the
    /// difference from `offset`; empty for input channels.
    pub last: &'a [i32],
}

/// The channels and golden sequences of a model that reads values, borrowed from the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ValueParts<'a> {
    /// The scaling of the channels.
    pub input: Scaling<'a>,
    /// The scaling of the predicted values; empty if the model is not a forecast.
    pub output: Scaling<'a>,
    /// The names of the channels.
    pub channels: Texts<'a>,
    /// The start of each golden sequence, in steps, and the end of the last: `[examples + 1]`.
    pub golden_offsets: &'a [u32],
    /// The values of all golden sequences: `[steps * channels]`.
    pub golden_values: &'a [i32],
}

impl<'a> ValueParts<'a> {
    /// The parts of a model that reads text: all empty.
    pub(crate) const NONE: ValueParts<'static> = ValueParts {
        input: Scaling::NONE,
        output: Scaling::NONE,
        channels: Texts::EMPTY,
        golden_offsets: &[],
        golden_values: &[],
    };

    /// The values of a golden sequence, `[steps * channels]`; none beyond the last.
    pub(crate) fn golden(&self, index: usize) -> Option<&'a [i32]> {
        // The index of the first value of a sequence.
        let start_of =
            |sequence: usize| Some((*self.golden_offsets.get(sequence)? as usize).saturating_mul(self.input.len()));
        self.golden_values.get(start_of(index)?..start_of(index + 1)?)
    }
}

/// A channel of the input, or a predicted value: its name and the number of fractional bits of its integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel<'a> {
    /// The name of the channel.
    pub name: &'a str,
    /// The number of fractional bits, −16 to 30: an integer `v` stands for the real number `v / 2^point`.
    pub point: i32,
}

/// The smallest and largest [`Scaling::multiplier`], checked at load.
pub(crate) const MULTIPLIERS: [i32; 2] = [1, 1 << 30];
/// The smallest and largest [`Scaling::shift`], checked at load.
pub(crate) const SHIFTS: [i32; 2] = [1, 46];
/// The smallest and largest [`Scaling::point`], checked at load.
pub(crate) const POINTS: [i32; 2] = [-16, 30];
/// The smallest and largest window of a forecast, in time steps, checked at load.
pub(crate) const WINDOWS: [i32; 2] = [1, 1 << 16];

/// Returns `v · multiplier / 2^shift`, rounded half up. Nothing overflows, because |v| ≤ 2^32, multiplier ≤ 2^30 and
/// 0 < shift ≤ 46.
fn scale(v: i64, multiplier: i32, shift: i32) -> i64 {
    // The range is checked at load; `clamp` lets the compiler rely on it.
    let shift = shift.clamp(SHIFTS[0], SHIFTS[1]) as u32;
    (v * i64::from(multiplier) + (1 << (shift - 1))) >> shift
}

impl Channel<'_> {
    /// Returns the integer that stands for `numerator / denominator`, rounded to the nearest, half up, saturating.
    /// 21.37 °C is `encode(2_137, 100)`, a number in Q16 is `encode(number, 1 << 16)`.
    pub fn encode(&self, numerator: i32, denominator: NonZeroU32) -> i32 {
        // The result is numerator · up / down, where up is 2^point, or down has the factor 2^−point if the point is
        // negative. |numerator| · 2^30 < 2^62 and 2^16 · denominator < 2^49: no overflow.
        let up = 1i64 << self.point.clamp(0, POINTS[1]);
        let down = i64::from(denominator.get()) << self.point.min(0).max(POINTS[0]).unsigned_abs();
        let nearest = (i64::from(numerator) * up + down / 2).checked_div_euclid(down).unwrap_or(0);
        nearest.clamp(i32::MIN.into(), i32::MAX.into()) as i32
    }

    /// Converts an integer of the channel back to a multiple of `1 / denominator`, rounded to the nearest, half up,
    /// saturating. For a forecast of 21.37 °C, `decode(value, 100)` returns 2,137.
    pub fn decode(&self, value: i32, denominator: NonZeroU32) -> i32 {
        // |value| · denominator < 2^63.
        let product = i64::from(value) * i64::from(denominator.get());
        let nearest = match self.point {
            // Half up: shifts all but the last bit out, adds 1 to it and shifts it out.
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

    /// The number of channels, or of predicted values.
    pub(crate) fn len(&self) -> usize {
        self.offset.len()
    }

    /// The offset, the multiplier and the shift of each channel or predicted value.
    fn parameters(&self) -> impl Iterator<Item = (i32, i32, i32)> {
        let channels = self.offset.iter().zip(self.multiplier).zip(self.shift);
        channels.map(|((&offset, &multiplier), &shift)| (offset, multiplier, shift))
    }

    /// Writes the normalised values of one time step to `x`, Q15, saturating. A missing value counts as the mean of its
    /// channel, which gives 0.
    pub(crate) fn normalise(&self, values: &[i32], x: &mut [i16]) {
        let values = values.iter().map(Some).chain(core::iter::repeat(None));
        for ((x, (offset, multiplier, shift)), value) in x.iter_mut().zip(self.parameters()).zip(values) {
            let difference = value.map_or(0, |&value| i64::from(value) - i64::from(offset));
            // The result is clamped to fit an `i32`; the limits are beyond those of `i16`.
            *x = saturate_16(scale(difference, multiplier, shift).clamp(-65_536, 65_536) as i32);
        }
    }

    /// Copies the values of one time step to `last`, for predictions relative to the last value. A missing value counts
    /// as the mean of its channel.
    pub(crate) fn keep_last(&self, values: &[i32], last: &mut [i32]) {
        let values = values.iter().map(Some).chain(core::iter::repeat(None));
        for ((last, offset), value) in last.iter_mut().zip(self.offset).zip(values) {
            *last = *value.unwrap_or(offset);
        }
    }

    /// The index of the input channel that a predicted value continues; none beyond the last predicted value. `index`:
    /// that of the predicted value.
    pub(crate) fn channel_of(&self, index: usize) -> Option<usize> {
        self.channel.get(index).map(|&channel| channel as usize)
    }

    /// Returns a predicted value as an integer for the caller, saturating; none beyond the last one. `output`: the
    /// output of the network, Q16. `last_values`: the last value of each input channel, as
    /// [`keep_last`](Scaling::keep_last) copied it.
    pub(crate) fn predicted(&self, index: usize, output: i32, last_values: &[i32]) -> Option<i32> {
        let (offset, multiplier, shift) = self.parameters().nth(index)?;
        // The value from which the network predicts the difference.
        let base = match self.last.get(index) {
            Some(1) => self.channel_of(index).and_then(|channel| last_values.get(channel)).copied().unwrap_or(offset),
            _ => offset,
        };
        let v = i64::from(base) + scale(output.into(), multiplier, shift);
        Some(v.clamp(i32::MIN.into(), i32::MAX.into()) as i32)
    }
}
