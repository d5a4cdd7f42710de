//! The dot products of four rows for Cortex-M0, M0+ and M23, in their own instructions.
//!
//! These cores multiply in eight registers and can add into eight others, load signed bytes only at the sum of two registers, and
//! have no multiply-accumulate. The compiler spills; here everything has its place: four sums in `r8`-`r11`, the four offsets of
//! a column's weights in `r4`-`r7`. A column is 14 instructions and a half: 3.6 a multiply-accumulate. [`super::plain_dot4`]
//! defines the result.
#![allow(unsafe_code)]

use core::arch::naked_asm;

/// Columns of one turn of the loop.
const TURN: usize = 4;

/// See [`super::dot4`].
#[inline(always)]
pub(super) fn dot4(weights: &[[i8; 4]], v: &[i16], mut acc: [i32; 4]) -> [i32; 4] {
    let columns = weights.len().min(v.len());
    let begin = v.as_ptr();
    // SAFETY: neither end is beyond `v`, nor are as many columns beyond `weights`; whole turns lie between the first two.
    unsafe {
        let (turns_end, end) = (begin.add(columns / TURN * TURN), begin.add(columns));
        sum(weights.as_ptr(), begin, turns_end, &mut acc, end);
    }
    acc
}

/// Adds the columns from `v` to `end` to `acc`.
///
/// # Safety
/// `v` … `end` are readable, and as many columns from `weights`; `turns_end` lies between them, whole turns behind `v`.
#[unsafe(naked)]
unsafe extern "C" fn sum(
    weights: *const [i8; 4],
    v: *const i16,
    turns_end: *const i16,
    acc: &mut [i32; 4],
    end: *const i16,
) {
    macro_rules! column {
        ($offset:literal) => {
            concat!(
                "ldrsh r3, [r1, ",
                $offset,
                "]\n",
                "ldrsb r2, [r0, r4]\n muls r2, r3, r2\n add r8, r2\n",
                "ldrsb r2, [r0, r5]\n muls r2, r3, r2\n add r9, r2\n",
                "ldrsb r2, [r0, r6]\n muls r2, r3, r2\n add r10, r2\n",
                "ldrsb r2, [r0, r7]\n muls r2, r3, r2\n add r11, r2\n",
                "adds r0, #4\n",
            )
        };
    }
    naked_asm!(
        // The caller's registers: r4-r7, lr, and below them r8-r11.
        "push {{r4-r7, lr}}",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "push {{r3-r7}}", // and `acc`
        "mov r12, r2",
        "ldmia r3!, {{r4-r7}}",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "movs r4, #0",
        "movs r5, #1",
        "movs r6, #2",
        "movs r7, #3",
        "b 3f",
        // Four columns a turn.
        "2:",
        column!("r4"),
        column!("r6"),
        "adds r1, #4",
        column!("r4"),
        column!("r6"),
        "adds r1, #4",
        "3:",
        "cmp r1, r12",
        "bne 2b",
        // What is left, a column a turn.
        "ldr r2, [sp, #40]",
        "mov r12, r2",
        "b 5f",
        "4:",
        column!("r4"),
        "adds r1, #2",
        "5:",
        "cmp r1, r12",
        "bne 4b",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "ldr r3, [sp]",
        "stmia r3!, {{r4-r7}}",
        "pop {{r3-r7}}",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "pop {{r4-r7, pc}}",
    )
}
