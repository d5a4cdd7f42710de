//! Every rounding of `docs/arithmetic.md`, and no other.

/// `(acc · m) >> 16`, floor. `m`: 0 … 32,767.
#[inline(always)]
pub(crate) const fn requantize(acc: i32, multiplier: i16) -> i32 {
    ((acc as i64 * multiplier as i64) >> 16) as i32
}

/// `v / 2^n`, half up. |v| + 2^(n−1) < 2^31, 0 < n < 31.
#[inline(always)]
pub(crate) const fn round_shift(v: i32, n: u32) -> i32 {
    (v + (1 << (n - 1))) >> n
}

/// `2v`, saturating at the ends of `i32`.
#[inline(always)]
pub(crate) const fn saturating_double(v: i32) -> i32 {
    v.saturating_add(v)
}
