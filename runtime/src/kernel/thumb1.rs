//! Steps of LSTM over `interleaved4` and of GRU over `interleaved3`, and dot products, for Cortex-M0, M0+ and M23.
//!
//! On these cores, only eight registers can be multiplied; the others can only be added to and moved. They load signed
//! bytes only from the sum of two registers, and have no multiply-accumulate and no long product, so compiled code
//! spills. Here, while a projection is summed, the four sums are in `r8`-`r11` and the four offsets of a column's
//! weights in `r4`-`r7`; everything else is on the stack. A column takes 14.75 instructions. `Lstm::plain_step` and
//! `Gru::plain_step` define the results.
#![allow(unsafe_code)]

use core::arch::naked_asm;

use super::arguments::{Gru, Lstm, State};
use super::frame::{Frame, sizes_match};

/// The number of columns of one turn, which is an iteration of the unrolled loop.
const TURN: usize = 8;

/// The arguments of a step, at the stack pointer while it runs. Above them, from 76, are four words for the input
/// projection of a unit.
#[repr(C)]
struct Work {
    frame: Frame,
    /// The number that rounds `i·g >> 11`, at the offset 68.
    half_of_t: i32,
    /// The number that rounds `o·tanh(c) >> 15`, at the offset 72.
    half_of_h: i32,
}

/// Computes one step: see `Lstm::step`. It does not swap `h` and `next_h`.
#[inline]
pub(crate) fn step(layer: &Lstm<'_>, x: &[i16], state: &mut State<'_>) {
    if !sizes_match(layer, x, state) {
        return;
    }
    let work = Work { frame: Frame::new::<TURN, _>(layer, x, state, 0), half_of_t: 1 << 10, half_of_h: 1 << 14 };
    // SAFETY: by `sizes_match`, every parameter and the state have the same number of units, at least 1, and the
    // weights have one column for each value of `x` and of `h`.
    unsafe { run(&work) };
}

/// Computes one step: see `Gru::step`. It does not swap `h` and `next_h`.
#[inline]
pub(crate) fn gru_step(layer: &Gru<'_>, x: &[i16], state: &mut State<'_>) {
    if !sizes_match(layer, x, state) {
        return;
    }
    let work = Work { frame: Frame::new::<TURN, _>(layer, x, state, 0), half_of_t: 1 << 10, half_of_h: 1 << 14 };
    // SAFETY: as in `step`.
    unsafe { run_gru(&work) };
}

/// Adds the product of a row's weight, at r0 + `$at`, with the activation in r3 to `$acc`.
#[rustfmt::skip]
macro_rules! row {
    ($at:literal, $acc:literal) => { concat!("ldrsb r2, [r0, ", $at, "]\n muls r2, r3, r2\n add ", $acc, ", r2\n") };
}
/// Adds one column of four rows to their sums. r0: weights; r1: activations, of which this one is at the offset `$at`;
/// sums of i f g o in r8-r11. r2 and r3 are clobbered. r4-r7 must be the offsets 0 to 3 of a column's weights.
#[rustfmt::skip]
macro_rules! one_column {
    ($at:literal) => { concat!(
        "ldrsh r3, [r1, ", $at, "]\n",
        row!("r4", "r8"), row!("r5", "r9"), row!("r6", "r10"), row!("r7", "r11"), "adds r0, #4\n",
    ) };
}
/// `one_column` for three rows, whose sums are in r8-r10.
#[rustfmt::skip]
macro_rules! column_of_three {
    ($at:literal) => { concat!(
        "ldrsh r3, [r1, ", $at, "]\n", row!("r4", "r8"), row!("r5", "r9"), row!("r6", "r10"), "adds r0, #3\n",
    ) };
}
/// Two columns. r4 is 0 and r6 is 2, the offsets of their activations.
macro_rules! two_columns {
    ($one_column:ident) => {
        concat!($one_column!("r4"), $one_column!("r6"), "adds r1, #4\n")
    };
}
/// Computes the sums of one projection: whole turns to `$turns_end`, then single columns to `$end`. All arguments but
/// the first are offsets on the stack, where [`Work`] is.
#[rustfmt::skip]
macro_rules! sums {
    ($one_column:ident, $weights:literal, $begin:literal, $turns_end:literal, $end:literal) => { concat!(
        "movs r4, #0\n movs r5, #1\n movs r6, #2\n movs r7, #3\n",
        "ldr r0, [sp, #", $weights, "]\n ldr r1, [sp, #", $begin, "]\n",
        "ldr r2, [sp, #", $turns_end, "]\n mov r12, r2\n cmp r1, r12\n beq 4f\n",
        "3:\n", two_columns!($one_column), two_columns!($one_column), two_columns!($one_column), two_columns!($one_column), "cmp r1, r12\n bne 3b\n",
        "4:\n ldr r2, [sp, #", $end, "]\n cmp r1, r2\n beq 6f\n mov r12, r2\n",
        "5:\n", $one_column!("r4"), "adds r1, #2\n cmp r1, r12\n bne 5b\n",
        "6:\n str r0, [sp, #", $weights, "]\n",
    ) };
}
/// Multiplies one sum, in two halves, by the multiplier at r1 + `$at`, and drops 16 bits. r2 and r3 are clobbered.
#[rustfmt::skip]
macro_rules! product {
    ($acc:literal, $at:literal) => { concat!(
        "ldrh r2, [r1, #", $at, "]\n uxth r3, ", $acc, "\n asrs ", $acc, ", ", $acc, ", #16\n",
        "muls ", $acc, ", r2, ", $acc, "\n muls r3, r2, r3\n lsrs r3, r3, #16\n",
        "adds ", $acc, ", ", $acc, ", r3\n",
    ) };
}
/// Adds 1/256 of the second row of each pair to the first, then multiplies by the multipliers at `$m`: from r8-r11 to
/// r4-r7. r1-r3 are clobbered.
#[rustfmt::skip]
macro_rules! requantize {
    ($m:literal) => { concat!(
        "mov r4, r8\n mov r5, r9\n mov r6, r10\n mov r7, r11\n",
        "asrs r2, r5, #8\n adds r4, r4, r2\n asrs r2, r7, #8\n adds r6, r6, r2\n",
        "ldr r1, [sp, #", $m, "]\n",
        product!("r4", "0"), product!("r5", "2"), product!("r6", "4"), product!("r7", "6"),
        "adds r1, #8\n str r1, [sp, #", $m, "]\n",
    ) };
}
/// `requantize` for the rows of a GRU, of which the first two are a pair: from r8-r10 to r4-r6.
#[rustfmt::skip]
macro_rules! requantize_three {
    ($m:literal) => { concat!(
        "mov r4, r8\n mov r5, r9\n mov r6, r10\n asrs r2, r5, #8\n adds r4, r4, r2\n ldr r1, [sp, #", $m, "]\n",
        product!("r4", "0"), product!("r5", "2"), product!("r6", "4"), "adds r1, #6\n str r1, [sp, #", $m, "]\n",
    ) };
}
/// Replaces `$v` by `($v · $gate) >> 16`. `$gate`: an activation, 0 … 32,767. r2 is clobbered.
#[rustfmt::skip]
macro_rules! gated {
    ($v:literal, $gate:literal) => { concat!(
        "uxth r2, ", $v, "\n asrs ", $v, ", ", $v, ", #16\n muls ", $v, ", ", $gate, ", ", $v, "\n",
        "muls r2, ", $gate, ", r2\n lsrs r2, r2, #16\n adds ", $v, ", ", $v, ", r2\n",
    ) };
}
/// Replaces a pre-activation by its activation, in the upper half, from the table at r0. r2 and r3 are clobbered.
#[rustfmt::skip]
macro_rules! activate {
    ($z:literal) => { concat!(
        "asrs r2, ", $z, ", #15\n adds r2, #128\n cmp r2, #255\n bls 1f\n",
        // Beyond the table: its first or last entry.
        "asrs r2, r2, #31\n mvns r2, r2\n uxtb r2, r2\n",
        "1:\n lsls r2, r2, #2\n ldr r2, [r0, r2]\n",
        "sxth ", $z, ", ", $z, "\n sxth r3, r2\n muls ", $z, ", r3, ", $z, "\n adds ", $z, ", ", $z, ", r2\n",
    ) };
}

/// Saves the registers, and copies [`Work`] from r0 to the stack.
#[rustfmt::skip]
macro_rules! enter {
    () => { concat!(
        "push {{r4-r7, lr}}\n mov r4, r8\n mov r5, r9\n mov r6, r10\n mov r7, r11\n push {{r3-r7}}\n",
        "sub sp, #96\n mov r1, sp\n ldmia r0!, {{r2-r7}}\n stmia r1!, {{r2-r7}}\n ldmia r0!, {{r2-r7}}\n",
        "stmia r1!, {{r2-r7}}\n ldmia r0!, {{r2-r7}}\n stmia r1!, {{r2-r7}}\n ldmia r0!, {{r2}}\n stmia r1!, {{r2}}\n",
    ) };
}
/// Restores the registers that `enter` has saved, and returns.
#[rustfmt::skip]
macro_rules! leave {
    () => { concat!(
        "add sp, #96\n pop {{r3-r7}}\n mov r8, r4\n mov r9, r5\n mov r10, r6\n mov r11, r7\n pop {{r4-r7, pc}}\n",
    ) };
}

/// Computes all units of a step.
///
/// # Safety
/// `work` must be one that [`step`] has built.
#[unsafe(naked)]
unsafe extern "C" fn run(work: *const Work) {
    naked_asm!(
        enter!(),
        // A unit: its input projection.
        "2:",
        "ldr r0, [sp, #56]",
        "ldmia r0!, {{r4-r7}}",
        "str r0, [sp, #56]",
        "mov r8, r4\n mov r9, r5\n mov r10, r6\n mov r11, r7",
        sums!(one_column, "52", "0", "4", "8"),
        requantize!("60"),
        "add r2, sp, #76",
        "stmia r2!, {{r4-r7}}",
        // Its recurrent projection.
        "movs r4, #0",
        "mov r8, r4\n mov r9, r4\n mov r10, r4\n mov r11, r4",
        sums!(one_column, "48", "12", "16", "20"),
        requantize!("64"),
        "add r2, sp, #76",
        "ldmia r2!, {{r0, r1, r3}}",
        "ldr r2, [r2]",
        "adds r4, r4, r0\n adds r5, r5, r1\n adds r6, r6, r3\n adds r7, r7, r2",
        "ldr r2, [sp, #36]",
        "cmp r2, #0",
        "beq 7f",
        "lsls r4, r2\n lsls r5, r2\n lsls r6, r2\n lsls r7, r2",
        "7:",
        // The gates: the cell state in r6, the hidden state in r7.
        "ldr r0, [sp, #40]",
        activate!("r4"),
        activate!("r5"),
        activate!("r7"),
        "ldr r0, [sp, #44]",
        activate!("r6"),
        "asrs r4, r4, #16",
        "asrs r5, r5, #16",
        "asrs r6, r6, #16",
        "muls r4, r6, r4",
        "ldr r2, [sp, #68]",
        "adds r4, r4, r2",
        "asrs r4, r4, #11",
        "ldr r1, [sp, #24]",
        "ldr r6, [r1]",
        gated!("r6", "r5"),
        "adds r6, r6, r4",
        "adds r6, r6, r6",
        "bvs 8f",
        "7:",
        "stmia r1!, {{r6}}",
        "str r1, [sp, #24]",
        activate!("r6"),
        "asrs r6, r6, #16",
        "asrs r7, r7, #16",
        "muls r7, r6, r7",
        "ldr r2, [sp, #72]",
        "adds r7, r7, r2",
        "asrs r7, r7, #15",
        "ldr r3, [sp, #28]",
        "strh r7, [r3]",
        "adds r3, #2",
        "str r3, [sp, #28]",
        "ldr r2, [sp, #32]",
        "cmp r1, r2",
        "beq 9f",
        "b 2b",
        // Doubling has overflowed: saturates on the side of the sum, whose sign is the opposite of the result's.
        "8:",
        "asrs r6, r6, #31",
        "movs r2, #1",
        "lsls r2, r2, #31",
        "eors r6, r2",
        "b 7b",
        "9:",
        leave!(),
    )
}

/// Computes all units of a GRU's step.
///
/// # Safety
/// `work` must be one that [`gru_step`] has built.
#[unsafe(naked)]
unsafe extern "C" fn run_gru(work: *const Work) {
    naked_asm!(
        enter!(),
        // A unit: its input projection. The fourth bias is that of the recurrent projection of n; it stays in r11.
        "2:",
        "ldr r0, [sp, #56]",
        "ldmia r0!, {{r4-r7}}",
        "str r0, [sp, #56]",
        "mov r8, r4\n mov r9, r5\n mov r10, r6\n mov r11, r7",
        sums!(column_of_three, "52", "0", "4", "8"),
        requantize_three!("60"),
        "add r2, sp, #76",
        "stmia r2!, {{r4-r6}}",
        // Its recurrent projection.
        "movs r4, #0",
        "mov r8, r4\n mov r9, r4\n mov r10, r11",
        sums!(column_of_three, "48", "12", "16", "20"),
        requantize_three!("64"),
        "add r2, sp, #76",
        "ldmia r2!, {{r0, r1, r7}}",
        "adds r4, r4, r0\n adds r5, r5, r1",
        "ldr r2, [sp, #36]",
        "lsls r4, r2\n lsls r5, r2",
        // The gates: the state in r7, n in Q30 in r6.
        "ldr r0, [sp, #40]",
        activate!("r4"),
        activate!("r5"),
        "asrs r4, r4, #16",
        "asrs r5, r5, #16",
        gated!("r6", "r4"),
        "adds r6, r6, r7",
        "ldr r2, [sp, #36]",
        "lsls r6, r2",
        "ldr r0, [sp, #44]",
        activate!("r6"),
        "asrs r6, r6, #16",
        "lsls r6, r6, #15",
        "ldr r1, [sp, #24]",
        "ldr r7, [r1]",
        "subs r7, r7, r6",
        gated!("r7", "r5"),
        "lsls r7, r7, #1",
        "adds r7, r7, r6",
        "stmia r1!, {{r7}}",
        "str r1, [sp, #24]",
        "ldr r2, [sp, #72]",
        "adds r7, r7, r2",
        "asrs r7, r7, #15",
        "ldr r3, [sp, #28]",
        "strh r7, [r3]",
        "adds r3, #2",
        "str r3, [sp, #28]",
        "ldr r2, [sp, #32]",
        "cmp r1, r2",
        "beq 9f",
        "b 2b",
        "9:",
        leave!(),
    )
}

/// Adds all columns of four rows to their sums in r8-r11, in turns of eight. If the number of columns, in r2, is not a
/// multiple of 8, the first turn is entered in the middle: `$bytes` of code are skipped for each missing column.
/// `$setup` computes the offsets of the second to the fourth row, r5-r7, from r2; that of the first row, r4, is 0. r2
/// and r3 are clobbered.
#[rustfmt::skip]
macro_rules! turns {
    ($setup:literal, $column:expr, $bytes:literal) => { concat!(
        "push {{r3-r7, lr}}\n mov r4, r8\n mov r5, r9\n mov r6, r10\n mov r7, r11\n push {{r4-r7}}\n",
        "ldmia r3!, {{r4-r7}}\n mov r8, r4\n mov r9, r5\n mov r10, r6\n mov r11, r7\n",
        "lsls r3, r2, #1\n adds r3, r3, r1\n mov r12, r3\n", $setup,
        "negs r2, r2\n movs r3, #7\n ands r2, r3\n movs r3, #", $bytes, "\n muls r3, r2, r3\n movs r4, #0\n",
        // Jumps by the distance in r3 from the instruction after NOP: `pc` reads as the address of this ADD plus 4.
        "add pc, r3\n nop\n",
        "3:\n", $column, $column, $column, $column, $column, $column, $column, $column,
        "cmp r1, r12\n bne 3b\n",
        "ldr r3, [sp, #16]\n mov r4, r8\n mov r5, r9\n mov r6, r10\n mov r7, r11\n",
    ) };
}
/// Adds the dot products of four consecutive rows to four sums.
///
/// # Safety
/// There is at least one column; `v` has `columns`, and so has each of the four rows of `weights`.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn four(weights: *const i8, v: *const i16, columns: usize, acc: *mut [i32; 4]) {
    naked_asm!(
        turns!(
            "mov r5, r2\n lsls r6, r2, #1\n adds r7, r6, r2\n",
            concat!(
                "ldrsh r3, [r1, r4]\n",
                row!("r4", "r8"),
                row!("r5", "r9"),
                row!("r6", "r10"),
                row!("r7", "r11"),
                "adds r0, #1\n adds r1, #2\n"
            ),
            "30"
        ),
        "stmia r3!, {{r4-r7}}",
        "pop {{r4-r7}}\n mov r8, r4\n mov r9, r5\n mov r10, r6\n mov r11, r7\n pop {{r3-r7, pc}}",
    )
}
