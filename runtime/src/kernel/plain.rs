//! The plain dot products, for weights of every width and packing: they define what every kernel computes, and run
//! where no kernel is faster.

#[cfg(any(test, feature = "write", not(dsp)))]
use super::compiler_barrier::compiler_barrier;
#[cfg(feature = "widths")]
use crate::rows::pieces;

/// Computes [`dot4`](super::dot4) in plain code, which defines the result on every target.
#[allow(dead_code)] // Not every target needs it.
#[inline]
pub(crate) fn plain_dot4(weights: &[[i8; 4]], v: &[i16], acc: [i32; 4]) -> [i32; 4] {
    weights.iter().zip(v).fold(acc, |acc, (w, &v)| column(w, v, acc))
}

/// Adds the products of one column to the sums of four rows.
#[allow(dead_code)] // Not every target needs it.
#[inline(always)]
pub(crate) fn column(w: &[i8; 4], v: i16, [a, b, c, d]: [i32; 4]) -> [i32; 4] {
    let v = i32::from(v);
    [a + i32::from(w[0]) * v, b + i32::from(w[1]) * v, c + i32::from(w[2]) * v, d + i32::from(w[3]) * v]
}

/// Adds the dot products of interleaved rows with `v` to `ROWS` accumulators. `weights`: `[columns][ROWS]`; `v`:
/// `[columns]`, Q15.
#[cfg(any(test, feature = "write", not(any(armv7m, thumb1, rv32))))]
#[inline]
pub(crate) fn dot_rows<const ROWS: usize>(weights: &[[i8; ROWS]], v: &[i16], acc: [i32; ROWS]) -> [i32; ROWS] {
    weights.iter().zip(v).fold(acc, |mut acc, (w, &v)| {
        for (acc, &w) in acc.iter_mut().zip(w) {
            *acc += i32::from(w) * i32::from(v);
        }
        acc
    })
}

/// Returns the weights of two columns, `[2][4]`, of the four rows `i f g o` in `paired16`, from a word for each pair of
/// rows: `i f` and `g o`. Each half of a word is 256·a + b with a weight of each row; the lower half is the first
/// column. Before a file is checked, `a` may be 128, which is no i8.
#[cfg(any(test, feature = "write", feature = "unpacked", not(dsp)))]
#[inline(always)]
pub(crate) fn columns([word_if, word_go]: [i32; 2]) -> [[i32; 4]; 2] {
    // Of `256·a + b`, b is the signed lower byte, −128 to 127. Adding 128 rounds to the nearest multiple of 256, which
    // is 256·a.
    let weights = |i_f: i32, g_o: i32| [(i_f + 128) >> 8, i32::from(i_f as i8), (g_o + 128) >> 8, i32::from(g_o as i8)];
    [weights(i32::from(word_if as i16), i32::from(word_go as i16)), weights(word_if >> 16, word_go >> 16)]
}

/// Adds the dot products of four rows in `paired16` with `v` to four accumulators. `weights`: `[columns / 2][2]`, see
/// [`columns`]; `v`: `[columns]`, Q15.
#[cfg(any(test, feature = "write", not(dsp)))]
#[inline]
pub(crate) fn dot_pairs(weights: &[[i32; 2]], v: &[i16], acc: [i32; 4]) -> [i32; 4] {
    let add_column = |acc: [i32; 4], w: [i32; 4], v: i16| {
        let v = i32::from(v);
        compiler_barrier([acc[0] + w[0] * v, acc[1] + w[1] * v, acc[2] + w[2] * v, acc[3] + w[3] * v])
    };
    weights.iter().zip(v.as_chunks::<2>().0).fold(acc, |acc, (&words, v)| {
        let [first, second] = columns(words);
        add_column(add_column(acc, first, v[0]), second, v[1])
    })
}

/// The number of columns of a group of 4-bit weights, which share a multiplier.
#[cfg(feature = "widths")]
pub(crate) const GROUP: usize = 16;

/// Returns the two 4-bit weights in a byte, −8 to 7, the one in the lower half first. They are not yet multiplied by
/// the multiplier of their group.
#[cfg(feature = "widths")]
#[inline(always)]
pub(crate) fn pair(byte: u8) -> [i8; 2] {
    [(byte as i8) << 4 >> 4, (byte as i8) >> 4]
}

/// Returns `acc` plus the dot product of one row of 4-bit weights with `v`. `pairs`: `[columns / 2]`; `multipliers`:
/// `[⌈columns / 16⌉]`; `v`: `[columns]`, Q15.
#[cfg(feature = "widths")]
#[inline]
pub(crate) fn dot_groups(pairs: &[u8], multipliers: &[u8], v: &[i16], acc: i32) -> i32 {
    let groups = pieces::<{ GROUP / 2 }, _>(pairs).zip(v.chunks(GROUP)).zip(multipliers);
    groups.fold(acc, |acc, ((pairs, v), &multiplier)| {
        let group_sum = pairs.iter().zip(v.as_chunks::<2>().0).fold(0, |sum, (&byte, &[first, second])| {
            let [a, b] = pair(byte);
            sum + i32::from(a) * i32::from(first) + i32::from(b) * i32::from(second)
        });
        acc + group_sum * i32::from(multiplier)
    })
}

/// Returns 1/256 of the dot product of one row of 16-bit weights with `v`, rounded down. `weights`: `[columns]`; `v`:
/// `[columns]`, Q15.
#[cfg(feature = "widths")]
#[inline]
pub(crate) fn dot_wide(weights: &[i16], v: &[i16]) -> i32 {
    let sum: i64 = weights.iter().zip(v).map(|(&w, &v)| i64::from(i32::from(w) * i32::from(v))).sum();
    (sum >> 8) as i32
}
