//! Numbers from outside to what the network reads, and back.

use core::num::NonZeroU32;

use crate::fixed::saturate_16;
use crate::text::texts::Texts;

/// How integers of the outside and the network's numbers are converted, borrowed from the file. An integer `v` of channel `k` stands for
/// the real number `v / 2^point[k]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scaling<'a> {
    /// `[channels]`, an integer of the outside
    pub offset: &'a [i32],
    /// `[channels]`, 1 … 2^30
    pub multiplier: &'a [i32],
    /// `[channels]`, 1 … 46
    pub shift: &'a [i32],
    /// `[channels]`, −16 … 30
    pub point: &'a [i32],
    /// Of a forecast's values: of which channel of the input each is
    pub channel: &'a [i32],
    /// Of a forecast's values: whether each counts from the last number read of its channel, in the place of `offset`; 0 or 1
    pub last: &'a [i32],
}

/// What a model has that reads numbers, borrowed from the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers<'a> {
    /// Of the channels
    pub input: Scaling<'a>,
    /// Of a forecast's values; empty for other tasks
    pub output: Scaling<'a>,
    /// What the channels are called
    pub channels: Texts<'a>,
    /// `[golden + 1]`, in steps
    pub golden_offsets: &'a [u32],
    /// `[steps · channels]`
    pub golden_values: &'a [i32],
}

impl<'a> Numbers<'a> {
    /// Of a model that reads none.
    pub(crate) const NONE: Numbers<'static> = Numbers {
        input: Scaling::NONE,
        output: Scaling::NONE,
        channels: Texts::EMPTY,
        golden_offsets: &[],
        golden_values: &[],
    };

    /// The steps of a golden sequence.
    pub(crate) fn golden(&self, index: usize) -> Option<&'a [i32]> {
        let at = |index: usize| Some((*self.golden_offsets.get(index)? as usize).saturating_mul(self.input.len()));
        self.golden_values.get(at(index)?..at(index + 1)?)
    }
}

/// A channel of the input, or a value of a forecast: what its integers stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel<'a> {
    /// What it is called.
    pub name: &'a str,
    /// An integer `v` stands for the real number `v / 2^point`. −16 … 30.
    pub point: i32,
}

/// Bounds of [`Scaling`]'s numbers, checked at load.
pub(crate) const MULTIPLIERS: [i32; 2] = [1, 1 << 30];
pub(crate) const SHIFTS: [i32; 2] = [1, 46];
pub(crate) const POINTS: [i32; 2] = [-16, 30];
/// Bounds of a forecast's window.
pub(crate) const WINDOWS: [i32; 2] = [1, 1 << 16];

/// `(v · m + 2^(n−1)) >> n`. |v| ≤ 2^32, m ≤ 2^30, 0 < n ≤ 46: the sum stays below 2^63.
fn scale(v: i64, multiplier: i32, shift: i32) -> i64 {
    let shift = shift.clamp(SHIFTS[0], SHIFTS[1]) as u32;
    (v * i64::from(multiplier) + (1 << (shift - 1))) >> shift
}

impl Channel<'_> {
    /// The integer that stands for `numerator / denominator`, to the nearest, half up, saturating: a sensor's 21.37 °C as `encode(2_137, 100)`,
    /// a number in Q16 as `encode(number, 1 << 16)`.
    pub fn encode(&self, numerator: i32, denominator: NonZeroU32) -> i32 {
        // |numerator| · 2^30 < 2^62, 2^16 · denominator < 2^49.
        let up = 1i64 << self.point.clamp(0, POINTS[1]);
        let down = i64::from(denominator.get()) << self.point.min(0).max(POINTS[0]).unsigned_abs();
        let nearest = (i64::from(numerator) * up + down / 2).checked_div_euclid(down).unwrap_or(0);
        nearest.clamp(i32::MIN.into(), i32::MAX.into()) as i32
    }

    /// How many `1 / denominator` an integer of the channel stands for, to the nearest, half up, saturating: a forecast of 21.37 °C in hundredths
    /// as 2,137 with `decode(value, 100)`.
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
    /// Of no channels.
    pub(crate) const NONE: Scaling<'static> =
        Scaling { offset: &[], multiplier: &[], shift: &[], point: &[], channel: &[], last: &[] };

    /// How many channels there are.
    pub(crate) fn len(&self) -> usize {
        self.offset.len()
    }

    fn channels(&self) -> impl Iterator<Item = (i32, i32, i32)> {
        let numbers = self.offset.iter().zip(self.multiplier).zip(self.shift);
        numbers.map(|((&offset, &multiplier), &shift)| (offset, multiplier, shift))
    }

    /// Integers of the outside to Q15, saturating. What is missing counts as its channel's offset, so as 0.
    pub(crate) fn read(&self, values: &[i32], x: &mut [i16]) {
        let values = values.iter().map(Some).chain(core::iter::repeat(None));
        for ((x, (offset, multiplier, shift)), value) in x.iter_mut().zip(self.channels()).zip(values) {
            let v = value.map_or(0, |&value| i64::from(value) - i64::from(offset));
            *x = saturate_16(scale(v, multiplier, shift).clamp(-65_536, 65_536) as i32);
        }
    }

    /// Keeps integers of the outside as they are. What is missing counts as its channel's offset.
    pub(crate) fn keep(&self, values: &[i32], last: &mut [i32]) {
        let values = values.iter().map(Some).chain(core::iter::repeat(None));
        for ((last, offset), value) in last.iter_mut().zip(self.offset).zip(values) {
            *last = *value.unwrap_or(offset);
        }
    }

    /// Of which channel of the input a value of a forecast is.
    pub(crate) fn channel_of(&self, index: usize) -> Option<usize> {
        self.channel.get(index).map(|&channel| channel as usize)
    }

    /// A number of the network, Q16, to an integer of the outside, saturating; none beyond the last. `read`: the last number read of
    /// each channel of the input.
    pub(crate) fn write(&self, index: usize, value: i32, read: &[i32]) -> Option<i32> {
        let (offset, multiplier, shift) = self.channels().nth(index)?;
        let counts_from = match self.last.get(index) {
            Some(1) => self.channel_of(index).and_then(|channel| read.get(channel)).copied().unwrap_or(offset),
            _ => offset,
        };
        let v = i64::from(counts_from) + scale(value.into(), multiplier, shift);
        Some(v.clamp(i32::MIN.into(), i32::MAX.into()) as i32)
    }
}
