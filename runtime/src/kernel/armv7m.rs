//! Steps of LSTM over `interleaved4` and of GRU over `interleaved3`, and dot products, for Cortex-M3: Armv7-M without
//! DSP instructions.
//!
//! A column takes nine instructions: one loads its activation, and each of four rows loads a weight and
//! multiply-accumulates. Compiled code takes nine, too, but needs 1.5 times as many instructions at the start and the
//! end of a unit, because it moves registers to the stack and back. `Lstm::plain_step` and `Gru::plain_step` define the
//! results.
#![allow(unsafe_code)]

use core::arch::naked_asm;

use super::arguments::{Gru, Lstm, State};
use super::frame::{Frame, sizes_match};

/// The number of columns of one turn, which is an iteration of the unrolled loop.
const TURN: usize = 16;

/// Computes one step: see `Lstm::step`. It does not swap `h` and `next_h`.
#[inline]
pub(crate) fn step(layer: &Lstm<'_>, x: &[i16], state: &mut State<'_>) {
    if !sizes_match(layer, x, state) {
        return;
    }
    // The indices into the activation tables begin at −128, so the frame points to entry 128 of each.
    let frame = Frame::new::<TURN, _>(layer, x, state, 128);
    // SAFETY: by `sizes_match`, every parameter and the state have the same number of units, at least 1, and the
    // weights have one column for each value of `x` and of `h`.
    unsafe { run(&frame) };
}

/// Computes one step: see `Gru::step`. It does not swap `h` and `next_h`.
#[inline]
pub(crate) fn gru_step(layer: &Gru<'_>, x: &[i16], state: &mut State<'_>) {
    if !sizes_match(layer, x, state) {
        return;
    }
    let frame = Frame::new::<TURN, _>(layer, x, state, 128);
    // SAFETY: as in `step`.
    unsafe { run_gru(&frame) };
}

/// Adds the columns of four rows to their sums. r0: weights, r1: activations; sums of i f g o in r4-r7. `$a` to `$d`:
/// the offsets of a column's weights from r0. r3 and r8 are clobbered.
macro_rules! columns {
    ($([$a:literal $b:literal $c:literal $d:literal])*) => {
        concat!($(
            "ldrsh r8, [r1], #2\n",
            "ldrsb r3, [r0, #", $a, "]\n mla r4, r3, r8, r4\n",
            "ldrsb r3, [r0, #", $b, "]\n mla r5, r3, r8, r5\n",
            "ldrsb r3, [r0, #", $c, "]\n mla r6, r3, r8, r6\n",
            "ldrsb r3, [r0, #", $d, "]\n mla r7, r3, r8, r7\n",
        )*)
    };
}
/// `columns` for three rows, whose sums are in r4-r6.
macro_rules! columns_of_three {
    ($([$a:literal $b:literal $c:literal])*) => {
        concat!($(
            "ldrsh r8, [r1], #2\n",
            "ldrsb r3, [r0, #", $a, "]\n mla r4, r3, r8, r4\n",
            "ldrsb r3, [r0, #", $b, "]\n mla r5, r3, r8, r5\n",
            "ldrsb r3, [r0, #", $c, "]\n mla r6, r3, r8, r6\n",
        )*)
    };
}
/// Computes the sums of one projection: whole turns from r1 to r2, then single columns to the end of the activations,
/// whose address is at `$end` on the stack. `$turn`, `$column`: the code of a turn and of a column; `$turn_bytes`,
/// `$column_bytes`: the bytes of their weights.
macro_rules! sums {
    ($end:literal, $turn:expr, $turn_bytes:literal, $column:expr, $column_bytes:literal) => {
        concat!(
            "cmp r1, r2\n beq 4f\n",
            "3:\n",
            $turn,
            "adds r0, #",
            $turn_bytes,
            "\n cmp r1, r2\n bne 3b\n",
            "4:\n ldr r2, [sp, #",
            $end,
            "]\n cmp r1, r2\n beq 6f\n",
            "5:\n",
            $column,
            "adds r0, #",
            $column_bytes,
            "\n cmp r1, r2\n bne 5b\n",
            "6:\n",
        )
    };
}
/// `sums` for the four rows of an LSTM unit.
macro_rules! sums_of_four {
    ($end:literal) => {
        sums!(
            $end,
            concat!(
                columns!([0 1 2 3] [4 5 6 7] [8 9 10 11] [12 13 14 15] [16 17 18 19] [20 21 22 23] [24 25 26 27] [28 29 30 31]),
                columns!([32 33 34 35] [36 37 38 39] [40 41 42 43] [44 45 46 47] [48 49 50 51] [52 53 54 55] [56 57 58 59] [60 61 62 63])
            ),
            "64",
            columns!([0 1 2 3]),
            "4"
        )
    };
}
/// `sums` for the three rows of a GRU unit.
macro_rules! sums_of_three {
    ($end:literal) => {
        sums!(
            $end,
            concat!(
                columns_of_three!([0 1 2] [3 4 5] [6 7 8] [9 10 11] [12 13 14] [15 16 17] [18 19 20] [21 22 23]),
                columns_of_three!([24 25 26] [27 28 29] [30 31 32] [33 34 35] [36 37 38] [39 40 41] [42 43 44] [45 46 47])
            ),
            "48",
            columns_of_three!([0 1 2]),
            "3"
        )
    };
}
/// Adds 1/256 of the second row of each pair in r4-r7 to the first, then multiplies them by the multipliers at `$m`. A
/// multiplier is in the upper half of its register, so the upper word of the product is the requantised sum. r1-r3 are
/// clobbered.
#[rustfmt::skip]
macro_rules! requantize {
    ($m:literal) => { concat!(
        "add r4, r4, r5, asr #8\n add r6, r6, r7, asr #8\n",
        "ldr r1, [", $m, "], #4\n lsls r2, r1, #16\n bfc r1, #0, #16\n",
        "smull r3, r4, r2, r4\n smull r3, r5, r1, r5\n",
        "ldr r1, [", $m, "], #4\n lsls r2, r1, #16\n bfc r1, #0, #16\n",
        "smull r3, r6, r2, r6\n smull r3, r7, r1, r7\n",
    ) };
}
/// `requantize` for the rows of a GRU, of which the first two are a pair.
#[rustfmt::skip]
macro_rules! requantize_three {
    ($m:literal) => { concat!(
        "add r4, r4, r5, asr #8\n",
        "ldrh r1, [", $m, "], #2\n ldrh r2, [", $m, "], #2\n lsls r1, r1, #16\n lsls r2, r2, #16\n",
        "smull r3, r4, r1, r4\n smull r3, r5, r2, r5\n",
        "ldrh r1, [", $m, "], #2\n lsls r1, r1, #16\n smull r3, r6, r1, r6\n",
    ) };
}
/// Replaces a pre-activation by its activation, in the upper half. `$table`: the register with the address of entry 128
/// of the table. r2 and r3 are clobbered.
#[rustfmt::skip]
macro_rules! activate {
    ($z:literal, $table:literal) => { concat!(
        "ssat r2, #8, ", $z, ", asr #15\n ldr r2, [", $table, ", r2, lsl #2]\n",
        "sxth ", $z, ", ", $z, "\n sxth r3, r2\n mla ", $z, ", ", $z, ", r3, r2\n",
    ) };
}

/// Computes all units of a step.
///
/// The first 48 bytes of the [`Frame`], from `x` to `tanh`, are copied to the stack, where `c`, `next_h` advance. The
/// addresses of the parameters advance in registers: r9 `weight_hh`, r10 `weight_ih`, r11 `bias`, r12 `multiplier_ih`,
/// lr `multiplier_hh`. While the input half of a unit is on the stack, 16 bytes (12 in [`run_gru`]), all offsets from
/// `sp` are larger by so much.
///
/// # Safety
/// `frame` must be one that [`step`] has built.
#[unsafe(naked)]
unsafe extern "C" fn run(frame: *const Frame) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        // Loads the addresses of the parameters, and copies the rest of the frame to the stack, from its end.
        "add r0, #48",
        "ldm r0, {{r9-r12, lr}}",
        "ldmdb r0!, {{r2-r7}}",
        "push {{r2-r7}}",
        "ldmdb r0!, {{r2-r7}}",
        "push {{r2-r7}}",
        // A unit: its input projection.
        "2:",
        "ldm r11!, {{r4-r7}}",
        "mov r0, r10",
        "ldrd r1, r2, [sp]",
        sums_of_four!("8"),
        "mov r10, r0",
        requantize!("r12"),
        "push {{r4-r7}}",
        // Its recurrent projection.
        "movs r4, #0\n movs r5, #0\n movs r6, #0\n movs r7, #0",
        "mov r0, r9",
        "ldrd r1, r2, [sp, #28]",
        sums_of_four!("36"),
        "mov r9, r0",
        requantize!("lr"),
        "pop {{r0-r3}}",
        "add r4, r0\n add r5, r1\n add r6, r2\n add r7, r3",
        "ldr r2, [sp, #36]",
        "ldrd r0, r1, [sp, #40]",
        "cbz r2, 7f",
        "lsls r4, r2\n lsls r5, r2\n lsls r6, r2\n lsls r7, r2",
        // The gates: the cell state in r6, the hidden state in r7.
        "7:",
        activate!("r4", "r0"),
        activate!("r5", "r0"),
        activate!("r6", "r1"),
        activate!("r7", "r0"),
        "asrs r4, r4, #16",
        "asrs r6, r6, #16",
        "muls r4, r6, r4",
        "add r4, r4, #1024", // rounds the shift
        "ldrd r0, r8, [sp, #24]",
        "ldr r6, [r0]",
        "bfc r5, #0, #16",
        "smull r3, r6, r5, r6",
        "add r6, r6, r4, asr #11",
        "adds r6, r6, r6",
        "bvs 8f",
        "7:",
        "str r6, [r0], #4",
        activate!("r6", "r1"),
        "asrs r6, r6, #16",
        "asrs r7, r7, #16",
        "muls r7, r6, r7",
        "add r7, r7, #16384", // rounds the shift
        "asrs r7, r7, #15",
        "strh r7, [r8], #2",
        "strd r0, r8, [sp, #24]",
        "ldr r2, [sp, #32]",
        "cmp r0, r2",
        "bne 2b",
        "add sp, #48",
        "pop {{r4-r11, pc}}",
        // Doubling has overflowed: saturates on the side of the sum, whose sign is the opposite of the result's.
        "8:",
        "asrs r6, r6, #31",
        "eor r6, r6, #0x80000000",
        "b 7b",
    )
}

/// Computes all units of a GRU's step, with the same registers as [`run`].
///
/// # Safety
/// `frame` must be one that [`gru_step`] has built.
#[unsafe(naked)]
unsafe extern "C" fn run_gru(frame: *const Frame) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "add r0, #48",
        "ldm r0, {{r9-r12, lr}}",
        "ldmdb r0!, {{r2-r7}}",
        "push {{r2-r7}}",
        "ldmdb r0!, {{r2-r7}}",
        "push {{r2-r7}}",
        // A unit: its input projection. The fourth bias is that of the recurrent projection of n.
        "2:",
        "ldm r11!, {{r4-r7}}",
        "mov r0, r10",
        "ldrd r1, r2, [sp]",
        sums_of_three!("8"),
        "mov r10, r0",
        requantize_three!("r12"),
        "push {{r4-r6}}",
        // Its recurrent projection.
        "movs r4, #0\n movs r5, #0\n mov r6, r7",
        "mov r0, r9",
        "ldrd r1, r2, [sp, #24]",
        sums_of_three!("32"),
        "mov r9, r0",
        requantize_three!("lr"),
        "pop {{r0, r1, r7}}",
        "add r4, r0\n add r5, r1",
        // The gates: the state in r7, n in Q30 in r6.
        "ldr r2, [sp, #36]",
        "ldrd r0, r1, [sp, #40]",
        "lsls r4, r2\n lsls r5, r2",
        activate!("r4", "r0"),
        activate!("r5", "r0"),
        "bfc r4, #0, #16\n bfc r5, #0, #16",
        "smull r3, r6, r4, r6",
        "add r6, r7",
        "ldr r2, [sp, #36]",
        "lsls r6, r2",
        activate!("r6", "r1"),
        "asrs r6, r6, #16",
        "lsls r6, r6, #15",
        "ldrd r0, r8, [sp, #24]",
        "ldr r7, [r0]",
        "subs r7, r7, r6",
        "smull r3, r7, r5, r7",
        "add r7, r6, r7, lsl #1",
        "str r7, [r0], #4",
        "add r7, r7, #16384", // rounds the shift
        "asrs r7, r7, #15",
        "strh r7, [r8], #2",
        "strd r0, r8, [sp, #24]",
        "ldr r2, [sp, #32]",
        "cmp r0, r2",
        "bne 2b",
        "add sp, #48",
        "pop {{r4-r11, pc}}",
    )
}

/// Computes all columns of some rows, in turns of sixteen. If the number of columns, in r2, is not a multiple of 16,
/// the first turn is entered in the middle: `$bytes` of code are skipped for each missing column. `$column`: the code
/// of a column. r3 and r12 are clobbered.
#[rustfmt::skip]
macro_rules! turns {
    ($column:expr, $bytes:literal) => { concat!(
        "rsbs r12, r2, #0\n and r12, r12, #15\n movs r3, #", $bytes, "\n mul r3, r12, r3\n",
        "adds r2, #15\n lsrs r2, r2, #4\n",
        // Jumps by the distance in r3 from the instruction after NOP: `pc` reads as the address of this ADD plus 4.
        "add pc, r3\n nop\n",
        "3:\n", $column, $column, $column, $column, $column, $column, $column, $column,
        $column, $column, $column, $column, $column, $column, $column, $column,
        "subs r2, #1\n bne 3b\n",
    ) };
}

/// Adds the dot products of four consecutive rows to four sums.
///
/// # Safety
/// There is at least one column; `v` has `columns`, and so has each of the four rows of `weights`.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn four(weights: *const i8, v: *const i16, columns: usize, acc: *mut [i32; 4]) {
    naked_asm!(
        "push {{r3-r11, lr}}",
        "ldm r3, {{r4-r7}}",
        "mov r9, r2\n lsl r10, r2, #1\n add r11, r10, r2",
        turns!(
            "ldrsh r8, [r1], #2\n ldrsb.w r3, [r0, r9]\n mla r5, r3, r8, r5\n ldrsb.w r3, [r0, r10]\n mla r6, r3, r8, r6\n \
             ldrsb.w r3, [r0, r11]\n mla r7, r3, r8, r7\n ldrsb r3, [r0], #1\n mla r4, r3, r8, r4\n",
            "36"
        ),
        "pop {{r3}}",
        "stm r3, {{r4-r7}}",
        "pop {{r4-r11, pc}}",
    )
}
