//! The fixed-point operations of `docs/arithmetic.md`. The kernels in assembly and in vector instructions implement the
//! same operations.

/// Returns `(acc · multiplier) >> 16`, rounded down. `multiplier`: 0 … 32,767.
#[inline(always)]
pub(crate) const fn requantize(acc: i32, multiplier: i16) -> i32 {
    if cfg!(thumb1) { requantize_by_halves(acc, multiplier) } else { requantize_by_long_product(acc, multiplier) }
}

/// Returns one element of an embedded token, Q15: `requantize(weight · 2^9, multiplier)`, which fits 16 bits.
/// `multiplier`: 0 … 32,767.
#[inline(always)]
pub(crate) const fn embedded(weight: i8, multiplier: i16) -> i16 {
    ((weight as i32 * multiplier as i32) >> 7) as i16
}

/// [`embedded`] for a 16-bit weight, in units of 1/256 of an 8-bit weight. `multiplier`: 0 … 32,767.
#[cfg(feature = "widths")]
#[inline(always)]
pub(crate) const fn embedded_wide(weight: i16, multiplier: i16) -> i16 {
    ((weight as i32 * multiplier as i32) >> 15) as i16
}

/// [`requantize`] as the upper half of a 64-bit product: one instruction on most cores.
#[inline(always)]
const fn requantize_by_long_product(acc: i32, multiplier: i16) -> i32 {
    ((acc as i64 * ((multiplier as i32) << 16) as i64) >> 32) as i32
}

/// [`requantize`] for cores whose products have 32 bits only. With `acc = 2^16·high + low` and the multiplier m, the
/// result is `high · m + (low · m >> 16)`, and neither product overflows.
#[inline(always)]
const fn requantize_by_halves(acc: i32, multiplier: i16) -> i32 {
    let (high, low, m) = (acc >> 16, acc & 0xffff, multiplier as i32);
    high * m + ((low * m) >> 16)
}

/// Returns `v / 2^n`, rounded to the nearest, half up. |v| + 2^(n−1) < 2^31, 0 < n < 31.
#[inline(always)]
pub(crate) const fn round_shift(v: i32, n: u32) -> i32 {
    (v + (1 << (n - 1))) >> n
}

/// Returns `v`, clamped to the range of `i16`.
#[inline(always)]
pub(crate) const fn saturate_16(v: i32) -> i16 {
    if v > i16::MAX as i32 {
        i16::MAX
    } else if v < i16::MIN as i32 {
        i16::MIN
    } else {
        v as i16
    }
}

/// Returns `2v`, saturating at the ends of `i32`.
#[inline(always)]
pub(crate) const fn saturating_double(v: i32) -> i32 {
    v.saturating_add(v)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn requantize_is_its_definition_in_both_ways() {
        let mut random = Random(3);
        let edges = [i32::MIN, i32::MIN + 1, -65_537, -65_536, -1, 0, 1, 65_535, 65_536, i32::MAX];
        let any = (0..100_000).map(|_| random.number() as i32);
        for acc in edges.into_iter().chain(any) {
            for m in [0, 1, 2, 255, 12_345, i16::MAX, (acc & 0x7fff) as i16] {
                let defined = ((i64::from(acc) * i64::from(m)) >> 16) as i32;
                assert_eq!(requantize_by_long_product(acc, m), defined, "{acc} · {m}");
                assert_eq!(requantize_by_halves(acc, m), defined, "{acc} · {m}");
            }
        }
    }

    #[test]
    fn embedded_is_its_definition() {
        for m in 0..=i16::MAX {
            for w in [-127, -126, -65, -1, 0, 1, 64, 127] {
                assert_eq!(i32::from(embedded(w, m)), requantize(i32::from(w) << 9, m), "{w} · {m}");
            }
        }
    }
}
