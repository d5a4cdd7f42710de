//! The dot products of four interleaved rows, with two advancing pointers.
//!
//! LLVM tends to sum one row after the other over several columns, and to address weights and activations from several
//! base registers. On cores with 16 registers or fewer it then spills half of them. Here [`compiler_barrier`] makes
//! LLVM finish one column after the other, and the two pointers are the only addresses.
#![allow(unsafe_code)]

use super::compiler_barrier::compiler_barrier;
use super::plain::column;

/// The number of columns of one turn, which is an iteration of the unrolled loop.
const TURN: usize = 16;

/// Computes [`super::dot4`].
#[inline(always)]
pub(super) fn dot4(weights: &[[i8; 4]], v: &[i16], mut acc: [i32; 4]) -> [i32; 4] {
    let columns = weights.len().min(v.len());
    let columns_of_turns = columns / TURN * TURN;
    let (mut w, mut x) = (weights.as_ptr(), v.as_ptr());
    // SAFETY: neither is beyond the end of `v`.
    let (turns_end, end) = unsafe { (x.add(columns_of_turns), x.add(columns)) };
    while x != turns_end {
        // SAFETY: at least `TURN` columns are left: `x` has advanced by a multiple of `TURN` and is not at `turns_end`,
        // and `w` has advanced by the same number of columns.
        let (w_turn, x_turn) = unsafe { (&*w.cast::<[[i8; 4]; TURN]>(), &*x.cast::<[i16; TURN]>()) };
        macro_rules! columns {
            ($($at:literal)*) => { $( acc = compiler_barrier(column(&w_turn[$at], x_turn[$at], acc)); )* };
        }
        columns!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        // SAFETY: as above, so both stay within their slices or at their ends.
        (w, x) = unsafe { walk(w.add(TURN), x.add(TURN)) };
    }
    while x != end {
        // SAFETY: at least one column is left, as above.
        acc = unsafe { compiler_barrier(column(&*w, *x, acc)) };
        // SAFETY: as above.
        (w, x) = unsafe { walk(w.add(1), x.add(1)) };
    }
    acc
}

/// Returns its arguments and hides their values from the compiler, so that it cannot replace them by other addresses.
#[cfg(target_arch = "arm")]
#[allow(clippy::pointers_in_nomem_asm_block)] // The block reads through neither.
#[inline(always)]
fn walk(mut w: *const [i8; 4], mut x: *const i16) -> (*const [i8; 4], *const i16) {
    // SAFETY: the block holds a comment only, as in `compiler_barrier`.
    unsafe {
        core::arch::asm!("/* {0} {1} */", inlateout(reg) w, inlateout(reg) x, options(nomem, nostack, preserves_flags));
    }
    (w, x)
}

/// Returns its arguments: on the host, for the tests.
#[cfg(not(target_arch = "arm"))]
fn walk(w: *const [i8; 4], x: *const i16) -> (*const [i8; 4], *const i16) {
    (w, x)
}
