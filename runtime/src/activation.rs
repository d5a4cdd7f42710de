//! Activation functions: sigmoid and tanh from lookup tables of values and slopes, and ReLU.

use crate::fixed::round_shift;

/// `[256]` cells of Q19 inputs from −8; see docs/arithmetic.md.
pub(crate) static SIGMOID: [i32; 256] = include!("tables/sigmoid.in");
/// `[256]` cells of Q20 inputs from −4.
pub(crate) static TANH: [i32; 256] = include!("tables/tanh.in");

/// Computes σ(z): z in Q19, any; result Q15, 0 … 32,767. Largest error below 2.1e-4, just inside ±8 (test `errors`).
#[inline(always)]
pub(crate) fn sigmoid(z: i32) -> i32 {
    interpolate(&SIGMOID, z)
}

/// Computes tanh(z): z in Q20, any; result Q15. Largest error below 4.2e-4, just inside ±4 (test `errors`).
#[inline(always)]
pub(crate) fn tanh(z: i32) -> i32 {
    interpolate(&TANH, z)
}

/// ReLU, saturating: z in Q20, any; result Q15, 0 to 32,767.
#[inline(always)]
pub(crate) fn relu(z: i32) -> i32 {
    // In two steps, so that the rounding cannot overflow; the result is the same.
    round_shift(z >> 4, 1).clamp(0, 32_767)
}

/// Interpolates: the value of a table cell (upper half) plus its slope (lower half) times the signed lower half of `z`.
/// On Cortex-M4 these are SSAT, LDR and SMLABB.
#[inline(always)]
fn interpolate(table: &[i32; 256], z: i32) -> i32 {
    let cell = (z >> 15).clamp(-128, 127) + 128;
    let entry = table[cell as usize];
    let (slope, offset) = (i32::from(entry as i16), i32::from(z as i16));
    entry.wrapping_add(slope * offset) >> 16
}

#[cfg(test)]
mod tests;
