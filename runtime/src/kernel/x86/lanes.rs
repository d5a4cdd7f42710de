//! Whole steps of every cell for hosts with AVX2, on copied weights: eight units at once, one in each 32-bit lane.
//!
//! `unpacked_weights` describes the copy. Sums are exact in any order, and everything else is the arithmetic of
//! `lstm.rs`, `gru.rs`, `rnn.rs` and `fixed.rs` in lanes, so the results equal those of the plain steps, as the tests
//! of `unpacked.rs` check.

use core::arch::x86_64::*;

use super::super::arguments::State;
use super::super::unpacked_weights::{LANES, TwoColumns, UnpackedWeights, Words};
use crate::activation::{SIGMOID, TANH};
use crate::rows::rows;
use tern_format::Cell as CellKind;

/// The vector instructions AVX2. A value exists only if the processor has them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lanes(());

impl Lanes {
    /// Returns a value if the processor has AVX2.
    pub(crate) fn detect() -> Option<Self> {
        super::detect::has_avx2().then_some(Lanes(()))
    }

    /// Computes `c` and `next_h` of one step; the caller then swaps `h` and `next_h`. `x`: `[input_size]`, Q15.
    /// `input_sums`: a precomputed input projection, `[hidden_size * sums_of_unit]`, which replaces `x`.
    #[inline]
    pub(crate) fn step(self, layer: &UnpackedWeights, x: &[i16], input_sums: Option<&[i32]>, state: &mut State<'_>) {
        // SAFETY: the processor has AVX2, or there would be no `self`.
        unsafe {
            match layer.kind {
                CellKind::Lstm => lstm(layer, x, input_sums, state),
                CellKind::Gru => gru(layer, x, input_sums, state),
                CellKind::Rnn => rnn::<false>(layer, x, input_sums, state),
                CellKind::RnnRelu => rnn::<true>(layer, x, input_sums, state),
            }
        }
    }
}

/// Both halves of the pre-activations of a block, as [`requantize_rows`] returns them: a vector for each row, with a
/// lane for each unit.
struct Halves<const ROWS: usize> {
    /// The input half of each row.
    x: [__m256i; ROWS],
    /// The recurrent half of each row.
    h: [__m256i; ROWS],
    /// The left shift of the pre-activations.
    shift: __m128i,
}

impl<const ROWS: usize> Halves<ROWS> {
    /// The pre-activation of a row.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn z(&self, row: usize) -> __m256i {
        _mm256_sll_epi32(_mm256_add_epi32(self.x[row], self.h[row]), self.shift)
    }
}

#[target_feature(enable = "avx2")]
fn lstm(layer: &UnpackedWeights, x: &[i16], input_sums: Option<&[i32]>, state: &mut State<'_>) {
    blocks::<4, 1>(layer, x, input_sums, state, |halves, c| {
        let (i, f, o) = (sigmoid(halves.z(0)), sigmoid(halves.z(1)), sigmoid(halves.z(3)));
        let new_part = round_shift::<11>(product(i, tanh(halves.z(2))));
        let c = saturating_double(_mm256_add_epi32(requantize(c, f), new_part));
        (c, [round_shift::<15>(product(o, tanh(c)))])
    });
}

#[target_feature(enable = "avx2")]
fn gru(layer: &UnpackedWeights, x: &[i16], input_sums: Option<&[i32]>, state: &mut State<'_>) {
    blocks::<3, 1>(layer, x, input_sums, state, |halves, c| {
        let (r, z) = (sigmoid(halves.z(0)), sigmoid(halves.z(1)));
        let n = _mm256_add_epi32(halves.x[2], requantize(halves.h[2], r));
        let n = _mm256_slli_epi32::<15>(tanh(_mm256_sll_epi32(n, halves.shift)));
        let c = _mm256_add_epi32(n, _mm256_slli_epi32::<1>(requantize(_mm256_sub_epi32(c, n), z)));
        (c, [round_shift::<15>(c)])
    });
}

#[target_feature(enable = "avx2")]
fn rnn<const RELU: bool>(layer: &UnpackedWeights, x: &[i16], input_sums: Option<&[i32]>, state: &mut State<'_>) {
    blocks::<4, 4>(layer, x, input_sums, state, |halves, c| {
        let h = |group| if RELU { relu(halves.z(group)) } else { tanh(halves.z(group)) };
        (c, [h(0), h(1), h(2), h(3)])
    });
}

/// Computes all units, block by block. A block has `ROWS` rows of weights and `GROUPS` groups of [`LANES`] units, as
/// `unpacked_weights` describes. `gates(halves, c)` returns the new finer states of a block and its new hidden states;
/// plain cells have no finer state, so theirs are zeros that are not stored.
#[target_feature(enable = "avx2")]
#[inline]
fn blocks<const ROWS: usize, const GROUPS: usize>(
    layer: &UnpackedWeights,
    x: &[i16],
    input_sums: Option<&[i32]>,
    state: &mut State<'_>,
    gates: impl Fn(&Halves<ROWS>, __m256i) -> (__m256i, [__m256i; GROUPS]),
) {
    let State { h, next_h, c } = state;
    let shift = _mm_cvtsi32_si128(layer.shift as i32);
    // Only plain cells have blocks of several groups, and no pairs of rows.
    let in_pairs = GROUPS == 1;
    let [input, recurrent] = [&layer.input, &layer.recurrent];
    let weights = rows(input.weights.as_chunks::<ROWS>().0, input.pairs)
        .zip(rows(recurrent.weights.as_chunks::<ROWS>().0, recurrent.pairs));
    let bias = input.bias.as_chunks::<ROWS>().0.iter().zip(recurrent.bias.as_chunks::<ROWS>().0);
    let multipliers = input.multipliers.as_chunks::<ROWS>().0.iter().zip(recurrent.multipliers.as_chunks::<ROWS>().0);
    let blocks = weights.zip(bias).zip(multipliers).zip(next_h.chunks_mut(GROUPS * LANES)).enumerate();
    for (block, ((((weight_ih, weight_hh), (bias_ih, bias_hh)), (multiplier_ih, multiplier_hh)), next_h)) in blocks {
        let mut from_h = load(bias_hh);
        let from_x = match input_sums {
            None => dot(weight_ih, x, load(bias_ih)),
            Some(sums) => {
                let mut from_x = [_mm256_setzero_si256(); ROWS];
                for (row, row_sums) in from_x.iter_mut().enumerate() {
                    // A row is a gate, or in a plain cell a group of units. An LSTM or GRU has four sums for each unit.
                    *row_sums = if in_pairs {
                        gate_sums(sums, block, 4, row)
                    } else {
                        gate_sums(sums, GROUPS * block + row, 1, 0)
                    };
                }
                // The fourth sum of a GRU unit is b_hn, the bias of the recurrent projection.
                if ROWS == 3 {
                    from_h[2] = gate_sums(sums, block, 4, 3);
                }
                from_x
            }
        };
        let halves = Halves {
            x: requantize_rows(from_x, load(multiplier_ih), in_pairs),
            h: requantize_rows(dot(weight_hh, h, from_h), load(multiplier_hh), in_pairs),
            shift,
        };
        let c = c.get_mut(block * LANES..).unwrap_or_default();
        let (new_c, new_h) = gates(&halves, bytemuck::cast(padded::<i32, LANES>(c)));
        store::<i32, LANES>(bytemuck::cast(new_c), c);
        for (next_h, new_h) in next_h.chunks_mut(LANES).zip(new_h) {
            let in_16_bits = _mm_packs_epi32(_mm256_castsi256_si128(new_h), _mm256_extracti128_si256::<1>(new_h));
            store::<i16, LANES>(bytemuck::cast(in_16_bits), next_h);
        }
    }
}

/// Adds the dot products of the rows of a block with `v` to their sums. `weights`: `[⌈columns / 2⌉][ROWS]`; `v`:
/// `[columns]`, Q15.
#[target_feature(enable = "avx2")]
#[inline]
fn dot<const ROWS: usize>(weights: &[[TwoColumns; ROWS]], v: &[i16], mut sums: [__m256i; ROWS]) -> [__m256i; ROWS] {
    let add_pair = |sums: &mut [__m256i; ROWS], weights: &[TwoColumns; ROWS], v: [i16; 2]| {
        let v = _mm256_set1_epi32(bytemuck::cast(v));
        for (sum, w) in sums.iter_mut().zip(weights) {
            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(bytemuck::cast(w.0), v));
        }
    };
    let (pairs, last) = v.as_chunks::<2>();
    for (w, v) in weights.iter().zip(pairs) {
        add_pair(&mut sums, w, *v);
    }
    if let (&[v], Some(w)) = (last, weights.get(pairs.len())) {
        add_pair(&mut sums, w, [v, 0]);
    }
    sums
}

/// Returns the precomputed sum of `gate` for each of eight units, from unit `8 · group` on; 0 beyond the last unit.
/// `sums`: `[hidden_size][width]`; `gate`: below `width`.
#[target_feature(enable = "avx2")]
#[inline]
fn gate_sums(sums: &[i32], group: usize, width: usize, gate: usize) -> __m256i {
    let mut all = [0; LANES];
    let units = sums.chunks(width).skip(group * LANES);
    all.iter_mut().zip(units).for_each(|(to, unit)| *to = unit.get(gate).copied().unwrap_or(0));
    bytemuck::cast(all)
}

/// Loads one vector for each row of a block.
#[target_feature(enable = "avx2")]
#[inline]
fn load<const ROWS: usize>(words: &[Words; ROWS]) -> [__m256i; ROWS] {
    let mut all = [_mm256_setzero_si256(); ROWS];
    for (to, words) in all.iter_mut().zip(words) {
        *to = bytemuck::cast(words.0);
    }
    all
}

/// Returns the first `N` elements, padded with zeros.
#[inline(always)]
fn padded<T: Copy + Default, const N: usize>(from: &[T]) -> [T; N] {
    from.first_chunk().copied().unwrap_or_else(|| {
        let mut to = [T::default(); N];
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        to
    })
}

/// Copies the first elements of `from` to `to`, as many as both have.
#[inline(always)]
fn store<T: Copy, const N: usize>(from: [T; N], to: &mut [T]) {
    match to.first_chunk_mut() {
        Some(whole) => *whole = from,
        None => to.iter_mut().zip(from).for_each(|(to, from)| *to = from),
    }
}

/// Adds 1/256 of the second row of each pair to the first, if the rows form pairs, and requantises. `m`: the
/// multipliers of the rows.
#[target_feature(enable = "avx2")]
#[inline]
fn requantize_rows<const ROWS: usize>(
    mut rows: [__m256i; ROWS],
    m: [__m256i; ROWS],
    in_pairs: bool,
) -> [__m256i; ROWS] {
    if in_pairs {
        for [first, second] in rows.as_chunks_mut::<2>().0 {
            *first = _mm256_add_epi32(*first, _mm256_srai_epi32::<8>(*second));
        }
    }
    for (row, m) in rows.iter_mut().zip(m) {
        *row = requantize(*row, m);
    }
    rows
}

/// [`requantize`](crate::fixed::requantize) by halves: with `acc = 2^16·high + low`, `acc · m >> 16` is `high · m` plus
/// `low · m >> 16`. `m`: 0 … 32,767.
#[target_feature(enable = "avx2")]
#[inline]
fn requantize(acc: __m256i, m: __m256i) -> __m256i {
    _mm256_add_epi32(_mm256_madd_epi16(acc, _mm256_slli_epi32::<16>(m)), _mm256_mulhi_epu16(acc, m))
}

/// Returns the product of two numbers that fit 16 bits. `a` must not be negative.
#[target_feature(enable = "avx2")]
#[inline]
fn product(a: __m256i, b: __m256i) -> __m256i {
    // The instruction adds the products of both halves; the upper half of `a` is 0.
    _mm256_madd_epi16(a, b)
}

/// [`round_shift`](crate::fixed::round_shift) in each lane.
#[target_feature(enable = "avx2")]
#[inline]
fn round_shift<const N: i32>(v: __m256i) -> __m256i {
    _mm256_srai_epi32::<N>(_mm256_add_epi32(v, _mm256_set1_epi32(1 << (N - 1))))
}

/// [`saturating_double`](crate::fixed::saturating_double) in each lane.
#[target_feature(enable = "avx2")]
#[inline]
fn saturating_double(v: __m256i) -> __m256i {
    let double = _mm256_add_epi32(v, v);
    let limit = _mm256_xor_si256(_mm256_srai_epi32::<31>(v), _mm256_set1_epi32(i32::MAX));
    // Where doubling has changed the sign, it has overflowed, and the limit on the side of `v` is taken.
    let overflowed = _mm256_srai_epi32::<31>(_mm256_xor_si256(v, double));
    _mm256_blendv_epi8(double, limit, overflowed)
}

/// [`sigmoid`](crate::activation::sigmoid) in each lane.
#[target_feature(enable = "avx2")]
#[inline]
fn sigmoid(z: __m256i) -> __m256i {
    interpolate(&SIGMOID, z)
}

/// [`tanh`](crate::activation::tanh) in each lane.
#[target_feature(enable = "avx2")]
#[inline]
fn tanh(z: __m256i) -> __m256i {
    interpolate(&TANH, z)
}

/// [`relu`](crate::activation::relu) in each lane.
#[target_feature(enable = "avx2")]
#[inline]
fn relu(z: __m256i) -> __m256i {
    let h = round_shift::<1>(_mm256_srai_epi32::<4>(z));
    _mm256_min_epi32(_mm256_max_epi32(h, _mm256_setzero_si256()), _mm256_set1_epi32(32_767))
}

/// Returns the activation in each lane from the table of a sigmoid or tanh: `docs/arithmetic.md`, "Activations".
#[target_feature(enable = "avx2")]
#[inline]
fn interpolate(table: &[i32; 256], z: __m256i) -> __m256i {
    let index = _mm256_max_epi32(_mm256_srai_epi32::<15>(z), _mm256_set1_epi32(-128));
    let index = _mm256_add_epi32(_mm256_min_epi32(index, _mm256_set1_epi32(127)), _mm256_set1_epi32(128));
    // SAFETY: each of the eight indices is 0 … 255.
    let entry = unsafe { _mm256_i32gather_epi32::<4>(table.as_ptr(), index) };
    // The product of the signed lower halves: the slope, and the distance of `z` from an edge of its interval.
    let slope = _mm256_and_si256(entry, _mm256_set1_epi32(0xffff));
    _mm256_srai_epi32::<16>(_mm256_add_epi32(entry, _mm256_madd_epi16(slope, z)))
}
