//! Activation functions: sigmoid and tanh from lookup tables of values and slopes, and ReLU.

use crate::fixed::round_shift;

/// The table of the sigmoid: 256 intervals of width 1/16 from −8, input Q19. The upper half of an entry is the value
/// (Q15) at one edge of its interval, the left edge if the interval's index is even, the right edge if it is odd. The
/// lower half is the slope: the change of the value, Q31, for each step of the input. The first and the last interval
/// have the slope 0 and serve all inputs beyond them. See docs/arithmetic.md, "Activations".
pub(crate) static SIGMOID: [i32; 256] = include!("tables/sigmoid.in");
/// The table of tanh: 256 intervals of width 1/32 from −4, input Q20. Entries are as in [`SIGMOID`].
pub(crate) static TANH: [i32; 256] = include!("tables/tanh.in");

/// Computes σ(z): any z in Q19; result Q15, 0 … 32,767. The error is below 2.1e-4, and largest just inside ±8 (test
/// `errors`).
#[inline(always)]
pub(crate) fn sigmoid(z: i32) -> i32 {
    interpolate(&SIGMOID, z)
}

/// Computes tanh(z): any z in Q20; result Q15. The error is below 4.2e-4, and largest just inside ±4 (test `errors`).
#[inline(always)]
pub(crate) fn tanh(z: i32) -> i32 {
    interpolate(&TANH, z)
}

/// Computes max(0, z), saturating: any z in Q20; result Q15, 0 to 32,767.
#[inline(always)]
pub(crate) fn relu(z: i32) -> i32 {
    // A right shift by 5 turns Q20 into Q15. It is done in two steps, so that the rounding cannot overflow; the result
    // is the same.
    round_shift(z >> 4, 1).clamp(0, 32_767)
}

/// Interpolates: the value at one edge of the interval that contains `z`, plus the slope times the distance from that
/// edge. An interval is 2^15 wide, so the distance is the signed lower half of `z`: not negative in an even interval,
/// negative in an odd one. On Cortex-M4 these are SSAT, LDR and SMLABB.
///
/// The whole entry is added, as on these cores; the tables allow for the slope in its lower half.
#[inline(always)]
fn interpolate(table: &[i32; 256], z: i32) -> i32 {
    let interval = (z >> 15).clamp(-128, 127) + 128;
    let entry = table[interval as usize];
    let (slope, distance) = (i32::from(entry as i16), i32::from(z as i16));
    entry.wrapping_add(slope * distance) >> 16
}

#[cfg(test)]
mod tests;
