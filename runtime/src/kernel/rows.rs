//! Dot products of four consecutive rows, which Cortex-M0, M3 and RV32 have in assembly, for plain cells. The plain
//! kernel defines the result.
#![allow(unsafe_code)]

#[cfg(armv7m)]
use super::armv7m as native;
#[cfg(rv32)]
use super::rv32 as native;
#[cfg(thumb1)]
use super::thumb1 as native;

/// `kernel::dot_each` for four rows. Returns false and does nothing if there are no columns or the sizes do not match.
#[inline]
pub(super) fn dot_four(weights: &[i8], v: &[i16], acc: &mut [i32; 4]) -> bool {
    let fits = !v.is_empty() && weights.len().is_multiple_of(4) && weights.len() / 4 == v.len();
    if fits {
        // SAFETY: each of the four rows has one column for each value of `v`, and there is at least one.
        unsafe { native::four(weights.as_ptr(), v.as_ptr(), v.len(), acc) };
    }
    fits
}
