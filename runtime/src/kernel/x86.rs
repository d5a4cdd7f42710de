//! The dot products for hosts with SSE2, which every x86-64 processor has: 16-bit products, two columns at a time.
//!
//! Sums are exact in any order, so the result equals that of the plain loops: the sum of two products of an i8 and an
//! i16 fits 32 bits, and partial sums stay within the bounds that are checked at load.
#![allow(unsafe_code)]

#[cfg(any(test, feature = "unpacked"))]
mod detect;
#[cfg(any(test, feature = "unpacked"))]
mod lanes;

use core::arch::x86_64::{
    __m128i, _mm_add_epi16, _mm_add_epi32, _mm_cvtsi64_si128, _mm_madd_epi16, _mm_set1_epi16, _mm_set1_epi32,
    _mm_setzero_si128, _mm_slli_epi16, _mm_srai_epi16, _mm_srli_si128, _mm_unpacklo_epi8, _mm_unpacklo_epi32,
};

use super::plain::{self, plain_dot4};
use crate::invariant::Guaranteed;

#[cfg(any(test, feature = "unpacked"))]
pub(crate) use lanes::Lanes;

/// Computes [`super::dot4`].
#[inline]
pub(super) fn dot4(weights: &[[i8; 4]], v: &[i16], acc: [i32; 4]) -> [i32; 4] {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { dot4_sse2(weights, v, acc) }
}

/// Computes [`plain::dot_pairs`].
#[inline]
pub(crate) fn dot_pairs(weights: &[[i32; 2]], v: &[i16], acc: [i32; 4]) -> [i32; 4] {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { dot_pairs_sse2(weights, v, acc) }
}

#[inline]
#[target_feature(enable = "sse2")]
fn dot4_sse2(weights: &[[i8; 4]], v: &[i16], acc: [i32; 4]) -> [i32; 4] {
    let columns = weights.len().min(v.len());
    // An odd number of columns leaves a last one.
    let (weight_pairs, last_weights) = weights.get(..columns).guaranteed().as_chunks::<2>();
    let (v_pairs, last_v) = v.get(..columns).guaranteed().as_chunks::<2>();
    let mut sums: __m128i = bytemuck::cast(acc);
    for (&w, &v) in weight_pairs.iter().zip(v_pairs) {
        // The bytes i0 f0 g0 o0 i1 f1 g1 o1, then i0 i1 f0 f1 …, then each as 16 bits with its sign.
        let by_column = _mm_cvtsi64_si128(bytemuck::cast(w));
        let by_row = _mm_unpacklo_epi8(by_column, _mm_srli_si128::<4>(by_column));
        let in_16_bits = _mm_srai_epi16::<8>(_mm_unpacklo_epi8(by_row, by_row));
        sums = _mm_add_epi32(sums, _mm_madd_epi16(in_16_bits, _mm_set1_epi32(bytemuck::cast(v))));
    }
    plain_dot4(last_weights, last_v, bytemuck::cast(sums))
}

#[inline]
#[target_feature(enable = "sse2")]
fn dot_pairs_sse2(weights: &[[i32; 2]], v: &[i16], [i, f, g, o]: [i32; 4]) -> [i32; 4] {
    // Two columns of all rows are two words: four columns at a time.
    let columns = (2 * weights.len()).min(v.len()) / 4 * 4;
    let (weight_fours, _) = weights.get(..columns / 2).guaranteed().as_chunks::<2>();
    let (v_fours, _) = v.get(..columns).guaranteed().as_chunks::<4>();
    let half_of_256 = _mm_set1_epi16(128);
    // The sums of the first and of the second rows of the pairs.
    let (mut first, mut second) = (_mm_setzero_si128(), _mm_setzero_si128());
    for (&w, &v) in weight_fours.iter().zip(v_fours) {
        let w: __m128i = bytemuck::cast(w);
        let four_v = _mm_cvtsi64_si128(bytemuck::cast(v));
        // v0 v1 v0 v1 v2 v3 v2 v3, in the order of the words: rows `i f`, then rows `g o`.
        let v = _mm_unpacklo_epi32(four_v, four_v);
        // Each 16-bit number is 256·a + b, with the weight a of the first row of a pair and b of the second: see
        // `plain::columns`.
        let b = _mm_srai_epi16::<8>(_mm_slli_epi16::<8>(w));
        let a = _mm_srai_epi16::<8>(_mm_add_epi16(w, half_of_256));
        first = _mm_add_epi32(first, _mm_madd_epi16(a, v));
        second = _mm_add_epi32(second, _mm_madd_epi16(b, v));
    }
    // Each row has two partial sums: of columns 0 and 1 of each four, and of columns 2 and 3.
    let ([i0, g0, i1, g1], [f0, o0, f1, o1]): ([i32; 4], [i32; 4]) = (bytemuck::cast(first), bytemuck::cast(second));
    let acc = [i + i0 + i1, f + f0 + f1, g + g0 + g1, o + o0 + o1];
    plain::dot_pairs(weights.get(columns / 2..).guaranteed(), v.get(columns..).guaranteed(), acc)
}
