//! Dot products of four consecutive rows for plain cells, in the assembly of Cortex-M0, Cortex-M3 or RV32. The plain
//! kernel defines the result.
#![allow(unsafe_code)]

#[cfg(armv7m)]
use super::armv7m as native;
#[cfg(rv32)]
use super::rv32 as native;
#[cfg(thumb1)]
use super::thumb1 as native;

/// Computes `kernel::dot_each` for four rows and returns true. If there are no columns or the sizes do not match, it
/// does nothing and returns false.
#[inline]
pub(super) fn dot_four(weights: &[i8], v: &[i16], acc: &mut [i32; 4]) -> bool {
    let fits = !v.is_empty() && weights.len().is_multiple_of(4) && weights.len() / 4 == v.len();
    if fits {
        // SAFETY: each of the four rows has one column for each value of `v`, and there is at least one.
        unsafe { native::four(weights.as_ptr(), v.as_ptr(), v.len(), acc) };
    }
    fits
}
