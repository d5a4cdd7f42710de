//! The innermost loop: the dot products of one unit's rows. Only this has variants; all give the same bits.

/// Adds to each of four accumulators the dot product of one interleaved row with `v`.
///
/// weights: `[columns][4]`; v: `[columns]`, Q15. No sum overflows, in any order: `docs/arithmetic.md`, checked at load.
#[inline]
pub(crate) fn dot4(weights: &[[i8; 4]], v: &[i16], acc: [i32; 4]) -> [i32; 4] {
    let [mut a, mut b, mut c, mut d] = acc;
    for (w, &v) in weights.iter().zip(v) {
        let v = i32::from(v);
        a += i32::from(w[0]) * v;
        b += i32::from(w[1]) * v;
        c += i32::from(w[2]) * v;
        d += i32::from(w[3]) * v;
    }
    [a, b, c, d]
}

/// Adds to an accumulator the dot product of one row with `v`. weights: `[columns]`; v: `[columns]`, Q15.
#[inline]
pub(crate) fn dot(weights: &[i8], v: &[i16], acc: i32) -> i32 {
    weights.iter().zip(v).fold(acc, |acc, (&w, &v)| acc + i32::from(w) * i32::from(v))
}
