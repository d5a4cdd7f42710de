//! The plain dot products: they define what every kernel computes, and run where no kernel is faster.

/// The definition of [`dot4`], on every target.
#[allow(dead_code)]
#[inline]
pub(crate) fn plain_dot4(weights: &[[i8; 4]], v: &[i16], acc: [i32; 4]) -> [i32; 4] {
    weights.iter().zip(v).fold(acc, |acc, (w, &v)| column(w, v, acc))
}

/// Adds the part of one column to four rows.
#[allow(dead_code)]
#[inline(always)]
pub(crate) fn column(w: &[i8; 4], v: i16, [a, b, c, d]: [i32; 4]) -> [i32; 4] {
    let v = i32::from(v);
    [a + i32::from(w[0]) * v, b + i32::from(w[1]) * v, c + i32::from(w[2]) * v, d + i32::from(w[3]) * v]
}

/// Adds to each of a few accumulators the dot product of one interleaved row with `v`. weights: `[columns][rows]`; v:
/// `[columns]`, Q15.
#[inline]
pub(crate) fn dot_rows<const ROWS: usize>(weights: &[[i8; ROWS]], v: &[i16], acc: [i32; ROWS]) -> [i32; ROWS] {
    weights.iter().zip(v).fold(acc, |mut acc, (w, &v)| {
        for (acc, &w) in acc.iter_mut().zip(w) {
            *acc += i32::from(w) * i32::from(v);
        }
        acc
    })
}
