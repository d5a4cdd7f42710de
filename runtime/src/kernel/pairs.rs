//! The dot products of the packing `paired16` for cores without DSP instructions: each weight is extracted from its
//! word.

#[cfg(any(test, feature = "write", not(dsp)))]
use super::compiler_barrier::compiler_barrier;

/// The two columns of four rows in a word of rows `i f` and a word of rows `g o`. Each half of a word is 256·a + b, the
/// lower half for the first column. `a` can only exceed an i8 in a file that is not checked yet.
#[inline(always)]
pub(crate) fn columns([first, second]: [i32; 2]) -> [[i32; 4]; 2] {
    let column = |v: i32, w: i32| [(v + 128) >> 8, i32::from(v as i8), (w + 128) >> 8, i32::from(w as i8)];
    [column(i32::from(first as i16), i32::from(second as i16)), column(first >> 16, second >> 16)]
}

/// [`dot4`](super::dot4) over two columns at a time. weights: `[columns / 2][2]`, see [`columns`].
#[cfg(any(test, feature = "write", not(dsp)))]
#[inline]
pub(crate) fn dot_pairs(weights: &[[i32; 2]], v: &[i16], acc: [i32; 4]) -> [i32; 4] {
    let add = |acc: [i32; 4], w: [i32; 4], v: i16| {
        let v = i32::from(v);
        compiler_barrier([acc[0] + w[0] * v, acc[1] + w[1] * v, acc[2] + w[2] * v, acc[3] + w[3] * v])
    };
    weights.iter().zip(v.as_chunks::<2>().0).fold(acc, |acc, (&words, v)| {
        let [first, second] = columns(words);
        add(add(acc, first, v[0]), second, v[1])
    })
}
