//! Sigmoid and tanh from tables of values and slopes; max(0, z).

use crate::fixed::round_shift;

/// `[256]` cells of Q19 inputs from −8; see docs/arithmetic.md.
pub(crate) static SIGMOID: [i32; 256] = include!("tables/sigmoid.in");
/// `[256]` cells of Q20 inputs from −4.
pub(crate) static TANH: [i32; 256] = include!("tables/tanh.in");

/// σ(z): z in Q19, any; result Q15, 0 … 32,767. Largest error 2.04e-4, just inside ±8 (test `errors`).
#[inline(always)]
pub(crate) fn sigmoid(z: i32) -> i32 {
    interpolate(&SIGMOID, z)
}

/// tanh(z): z in Q20, any; result Q15. Largest error 3.78e-4, just inside ±4 (test `errors`).
#[inline(always)]
pub(crate) fn tanh(z: i32) -> i32 {
    interpolate(&TANH, z)
}

/// max(0, z), saturating: z in Q20, any; result Q15, 0 … 32,767.
#[inline(always)]
pub(crate) fn relu(z: i32) -> i32 {
    // In two steps, lest the rounding overflow: the same number.
    round_shift(z >> 4, 1).clamp(0, 32_767)
}

/// A cell's value (upper half) plus its slope (lower half) times the signed lower half of `z`: SSAT, LDR, SMLABB.
#[inline(always)]
fn interpolate(table: &[i32; 256], z: i32) -> i32 {
    let cell = (z >> 15).clamp(-128, 127) + 128;
    // The index is below 256 by the clamp; the mask says so to the compiler.
    let entry = table[(cell & 0xff) as usize];
    let (slope, offset) = (i32::from(entry as i16), i32::from(z as i16));
    entry.wrapping_add(slope * offset) >> 16
}

#[cfg(test)]
mod tests;
