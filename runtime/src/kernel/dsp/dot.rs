//! Dot products of 8-bit rows for cores with the DSP instructions of Armv7E-M: for GRU and plain cells, the packing
//! `rows` and the head.
//!
//! Four columns are a block. SXTB16 extracts two 16-bit weights from a word of bytes, and SMLAD adds two products to a
//! sum. PKHBT and PKHTB put weights and activations in the same order. These kernels run only if the columns are whole
//! blocks and the activations begin at a word boundary; otherwise the plain kernels run, which define the result.
#![allow(unsafe_code)]

use core::arch::naked_asm;

/// The number of columns of a block.
const BLOCK: usize = 4;

/// Returns true if `v` has `columns` activations, which form whole blocks, at least one, and begin at a word boundary,
/// as LDRD requires. Weights may be at any address, because LDR does not require alignment.
#[inline(always)]
fn fits(columns: usize, v: &[i16]) -> bool {
    // A word has four bytes, as a block has four columns, so one test is enough for both.
    columns == v.len() && columns != 0 && (columns | v.as_ptr().addr()).is_multiple_of(BLOCK)
}

/// Computes `kernel::dot`; returns none if the columns or the address of `v` do not [fit](fits).
#[inline]
pub(crate) fn dot(weights: &[i8], v: &[i16], acc: i32) -> Option<i32> {
    let addresses = fits(weights.len(), v).then_some(v.as_ptr_range())?;
    // SAFETY: `fits` has checked that weights and activations have the same number of columns, and the alignment.
    Some(unsafe { one(weights.as_ptr(), addresses.start, addresses.end, acc) })
}

/// Computes `kernel::dot3`; returns none if the columns or the address of `v` do not [fit](fits).
#[inline]
pub(crate) fn dot3(weights: &[[i8; 3]], v: &[i16], mut acc: [i32; 3]) -> Option<[i32; 3]> {
    let addresses = fits(weights.len(), v).then_some(v.as_ptr_range())?;
    // SAFETY: `fits` has checked that weights and activations have the same number of columns, and the alignment.
    unsafe { three(weights.as_ptr(), addresses.start, addresses.end, &mut acc) };
    Some(acc)
}

/// Computes `kernel::dot_each` for four rows and returns true. If the columns or the address of `v` do not
/// [fit](fits), it does nothing and returns false.
#[inline]
pub(crate) fn dot_four(weights: &[i8], v: &[i16], acc: &mut [i32; 4]) -> bool {
    let is_computed = weights.len().is_multiple_of(4) && fits(weights.len() / 4, v);
    if is_computed {
        let addresses = v.as_ptr_range();
        // SAFETY: there are four rows, and `fits` has checked the columns and the alignment.
        unsafe { four(weights.as_ptr(), addresses.start, addresses.end, acc) };
    }
    is_computed
}

/// Loads the activations of a block from r1: columns 0 and 2 to r4, 1 and 3 to r3. r12 is clobbered.
macro_rules! activations {
    () => {
        "ldrd r3, r12, [r1], #8\n pkhbt r4, r3, r12, lsl #16\n pkhtb r3, r12, r3, asr #16\n"
    };
}

/// Returns `acc` plus the dot product of one row.
///
/// # Safety
/// `weights` has one column for each value from `v` to `end`; their number is a multiple of [`BLOCK`] and not zero. `v`
/// is at a word boundary.
#[unsafe(naked)]
unsafe extern "C" fn one(weights: *const i8, v: *const i16, end: *const i16, acc: i32) -> i32 {
    naked_asm!(
        cpu!(),
        "push {{r4, r5, r6, lr}}",
        "mov r6, r3",
        "2:",
        "ldr lr, [r0], #4",
        activations!(),
        "sxtb16 r5, lr",
        "smlad r6, r5, r4, r6",
        "sxtb16 r5, lr, ror #8",
        "smlad r6, r5, r3, r6",
        "cmp r1, r2",
        "bne 2b",
        "mov r0, r6",
        "pop {{r4, r5, r6, pc}}",
    )
}

/// Adds the products of one row in a block to `$acc`. `$at`: the address of the weights. r5 and lr are clobbered.
#[rustfmt::skip]
macro_rules! row {
    ($at:literal, $acc:literal) => { concat!(
        "ldr lr, ", $at, "\n",
        "sxtb16 r5, lr\n smlad ", $acc, ", r5, r4, ", $acc, "\n",
        "sxtb16 r5, lr, ror #8\n smlad ", $acc, ", r5, r3, ", $acc, "\n",
    ) };
}

/// Adds the dot products of four consecutive rows to four sums.
///
/// # Safety
/// Each row must be as [`one`] requires.
#[unsafe(naked)]
unsafe extern "C" fn four(weights: *const i8, v: *const i16, end: *const i16, acc: *mut [i32; 4]) {
    naked_asm!(
        cpu!(),
        "push {{r3-r11, lr}}",
        "ldm r3, {{r8-r11}}",
        // The bytes of one row in r6, of three rows in r7.
        "subs r6, r2, r1",
        "lsrs r6, r6, #1",
        "add r7, r6, r6, lsl #1",
        "2:",
        activations!(),
        row!("[r0, r6]", "r9"),
        row!("[r0, r6, lsl #1]", "r10"),
        row!("[r0, r7]", "r11"),
        row!("[r0], #4", "r8"),
        "cmp r1, r2",
        "bne 2b",
        "pop {{r3}}",
        "stm r3, {{r8-r11}}",
        "pop {{r4-r11, pc}}",
    )
}

/// Adds the dot products of three interleaved rows to three sums. The bytes of a block are r0 z0 n0 r1, z1 n1 r2 z2, n2
/// r3 z3 n3.
///
/// # Safety
/// The same as for [`one`].
#[unsafe(naked)]
unsafe extern "C" fn three(weights: *const [i8; 3], v: *const i16, end: *const i16, acc: *mut [i32; 3]) {
    naked_asm!(
        cpu!(),
        "push {{r3-r11, lr}}",
        "ldm r3, {{r3-r5}}",
        "2:",
        "ldr r6, [r0], #12",
        "ldr r7, [r0, #-8]",
        "ldr r8, [r0, #-4]",
        "ldrd r12, lr, [r1], #8",
        "sxtb16 r9, r6",         // r0 n0
        "sxtb16 r6, r6, ror #8", // z0 r1
        "sxtb16 r10, r7",        // z1 r2
        "sxtb16 r7, r7, ror #8", // n1 z2
        "sxtb16 r11, r8",        // n2 z3
        "sxtb16 r8, r8, ror #8", // r3 n3
        "smlabb r3, r9, r12, r3",
        "smlatt r3, r6, r12, r3",
        "pkhbt r6, r6, r10, lsl #16", // z0 z1
        "smlad r4, r6, r12, r4",
        "pkhbt r9, r7, r9", // n1 n0
        "smladx r5, r9, r12, r5",
        "pkhbt r9, r8, r10", // r3 r2
        "smladx r3, r9, lr, r3",
        "pkhtb r9, r11, r7, asr #16", // z2 z3
        "smlad r4, r9, lr, r4",
        "pkhbt r9, r11, r8", // n2 n3
        "smlad r5, r9, lr, r5",
        "cmp r1, r2",
        "bne 2b",
        "pop {{r6}}",
        "stm r6, {{r3-r5}}",
        "pop {{r4-r11, pc}}",
    )
}
