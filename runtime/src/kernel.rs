//! The kernels: dot products and whole steps, with variants for different processors. All variants give the same bits.
//! Most kernels are written for one packing, which is an order in which a file stores the recurrent weights:
//! `interleaved4` (LSTM), `interleaved3` (GRU), `interleaved1` (plain cells), or `paired16` (all cells).
//!
//! Dot products: [`dot4`] computes four rows in `interleaved4`, [`dot3`] three in `interleaved3`, [`dot_pairs`] four in
//! `paired16`, [`dot`] and [`dot_each`] rows that are stored one after the other. `plain` defines the results. `walk`
//! computes `dot4` on Arm cores without a whole step for `interleaved4`, `x86` is for hosts with SSE2, and `dsp::dot`
//! and `rows` compute rows on microcontrollers.
//!
//! Whole steps, gates included: `thumb1`, `armv7m` and `rv32` for `interleaved4` and `interleaved3`, `dsp` for LSTM in
//! `paired16`, and `x86::lanes` for copies of the weights on hosts with AVX2. `dsp::four_rows` computes both
//! projections of GRU and plain cells in `paired16`. The plain step of the layer defines the result. `cargo xtask bench
//! device` compares the states after every step with those of the host.

pub(crate) mod arguments;
#[cfg(armv7m)]
pub(crate) mod armv7m;
#[cfg(feature = "ngrams")]
pub(crate) mod buckets;
mod compiler_barrier;
#[cfg(dsp)]
pub(crate) mod dsp;
#[cfg(any(armv7m, thumb1, rv32))]
mod frame;
mod plain;
#[cfg(any(armv7m, thumb1, rv32))]
mod rows;
#[cfg(rv32)]
pub(crate) mod rv32;
#[cfg(thumb1)]
pub(crate) mod thumb1;
#[cfg(any(test, feature = "unpacked"))]
pub(crate) mod unpacked_weights;
#[cfg(any(test, all(not(any(armv7m, thumb1)), target_arch = "arm")))]
mod walk;
#[cfg(target_arch = "x86_64")]
mod x86;

use core::num::NonZeroUsize;

use crate::rows::rows as rows_of;
pub(crate) use compiler_barrier::compiler_barrier;
#[cfg(any(test, feature = "write", feature = "unpacked"))]
pub(crate) use plain::columns;
#[cfg(all(any(test, feature = "write", not(dsp)), not(target_arch = "x86_64")))]
pub(crate) use plain::dot_pairs;
#[cfg(any(test, feature = "write", not(any(armv7m, thumb1, rv32))))]
pub(crate) use plain::dot_rows;
#[cfg(feature = "widths")]
pub(crate) use plain::{GROUP, dot_groups, dot_wide, pair};
#[allow(unused_imports)] // Not every target needs them.
use plain::{column, plain_dot4};
#[cfg(all(any(test, feature = "unpacked"), not(target_arch = "x86_64")))]
pub(crate) use unpacked_weights::Lanes;
#[cfg(all(any(test, feature = "unpacked"), target_arch = "x86_64"))]
pub(crate) use x86::Lanes;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::dot_pairs;

/// Adds the dot products of four interleaved rows with `v` to four accumulators.
///
/// `weights`: `[columns][4]`; `v`: `[columns]`, Q15. The loader has checked that no sum overflows, in any order.
#[cfg(any(test, not(any(armv7m, thumb1, rv32))))]
#[inline(always)]
pub(crate) fn dot4(weights: &[[i8; 4]], v: &[i16], acc: [i32; 4]) -> [i32; 4] {
    #[cfg(target_arch = "arm")]
    return walk::dot4(weights, v, acc);
    #[cfg(target_arch = "x86_64")]
    return x86::dot4(weights, v, acc);
    #[cfg(not(any(target_arch = "arm", target_arch = "x86_64")))]
    return plain_dot4(weights, v, acc);
}

/// Computes [`dot_rows`] for three rows.
#[cfg(any(test, not(any(armv7m, thumb1, rv32))))]
#[inline]
pub(crate) fn dot3(weights: &[[i8; 3]], v: &[i16], acc: [i32; 3]) -> [i32; 3] {
    #[cfg(dsp)]
    if let Some(sums) = dsp::dot::dot3(weights, v, acc) {
        return sums;
    }
    dot_rows(weights, v, acc)
}

/// Adds the dot product of one row with `v` to an accumulator. `weights`: `[columns]`; `v`: `[columns]`, Q15.
#[cfg_attr(any(armv7m, rv32), inline(never))]
#[cfg_attr(not(any(armv7m, rv32)), inline)]
pub(crate) fn dot(weights: &[i8], v: &[i16], acc: i32) -> i32 {
    #[cfg(dsp)]
    if let Some(sum) = dsp::dot::dot(weights, v, acc) {
        return sum;
    }
    // Each turn of the loop computes four columns, because the loop's own instructions cost as much as a column.
    #[cfg(any(armv7m, thumb1, rv32))]
    let (weights, v, acc) = {
        let columns = weights.len().min(v.len());
        let (fours, last_weights) = weights.get(..columns).unwrap_or_default().as_chunks::<4>();
        let (v_fours, last_v) = v.get(..columns).unwrap_or_default().as_chunks::<4>();
        let acc = fours
            .iter()
            .zip(v_fours)
            .fold(acc, |acc, (w, v)| w.iter().zip(v).fold(acc, |acc, (&w, &v)| acc + i32::from(w) * i32::from(v)));
        // The loop below computes the last columns, at most three.
        (last_weights, last_v, acc)
    };
    weights.iter().zip(v).fold(acc, |acc, (&w, &v)| acc + i32::from(w) * i32::from(v))
}

/// Computes [`dot`] for each of some consecutive rows. `weights`: `[rows * columns]`; `v`: `[columns]`, Q15; `acc`:
/// `[rows]`.
#[inline]
pub(crate) fn dot_each(weights: &[i8], v: &[i16], acc: &mut [i32]) {
    // Four rows at once, if there are exactly four and the kernel supports their sizes and addresses; otherwise
    // `dot_four` does nothing and returns false.
    #[cfg(any(dsp, armv7m, thumb1, rv32))]
    if let Ok(acc) = <&mut [i32; 4]>::try_from(&mut *acc)
        && dot_four(weights, v, acc)
    {
        return;
    }
    let Some(columns) = NonZeroUsize::new(v.len()) else { return };
    for (acc, row) in acc.iter_mut().zip(rows_of(weights, columns)) {
        *acc = dot(row, v, *acc);
    }
}

#[cfg(dsp)]
use dsp::dot::dot_four;
#[cfg(any(armv7m, thumb1, rv32))]
use rows::dot_four;

#[cfg(test)]
mod tests;
