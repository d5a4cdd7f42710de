//! The dot products of 4-bit and 16-bit weights: plain Rust on every target.

use crate::rows::pieces;

/// The columns of a group of 4-bit weights, which share a multiplier.
pub(crate) const GROUP: usize = 16;

/// The two weights in a byte, before they are multiplied.
#[inline(always)]
pub(crate) fn pair(byte: u8) -> [i8; 2] {
    [(byte as i8) << 4 >> 4, (byte as i8) >> 4]
}

/// Adds to `acc` the dot product of one row of 4-bit weights with `v`. pairs: `[columns / 2]`; multipliers: `[⌈columns
/// / 16⌉]`; v: `[columns]`, Q15.
#[inline]
pub(crate) fn dot_groups(pairs: &[u8], multipliers: &[u8], v: &[i16], acc: i32) -> i32 {
    let groups = pieces::<{ GROUP / 2 }, _>(pairs).zip(v.chunks(GROUP)).zip(multipliers);
    groups.fold(acc, |acc, ((pairs, v), &multiplier)| {
        let sum = pairs.iter().zip(v.as_chunks::<2>().0).fold(0, |sum, (&byte, &[first, second])| {
            let [a, b] = pair(byte);
            sum + i32::from(a) * i32::from(first) + i32::from(b) * i32::from(second)
        });
        acc + sum * i32::from(multiplier)
    })
}

/// The dot product of one row of 16-bit weights, 256ths, with `v`, rounded down. weights: `[columns]`; v: `[columns]`,
/// Q15.
#[inline]
pub(crate) fn dot_wide(weights: &[i16], v: &[i16]) -> i32 {
    let sum: i64 = weights.iter().zip(v).map(|(&w, &v)| i64::from(i32::from(w) * i32::from(v))).sum();
    (sum >> 8) as i32
}
