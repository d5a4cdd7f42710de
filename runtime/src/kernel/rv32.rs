//! Steps of LSTM over `interleaved4` and of GRU over `interleaved3`, and dot products, for 32-bit RISC-V with
//! multiplication: rv32imc, rv32imac.
//!
//! A column takes 13 instructions: one loads its activation, and each of four rows loads a weight, multiplies and adds.
//! Compiled code takes 13, too, but it moves registers to the stack between the columns and checks bounds. Here the
//! registers suffice, and one subroutine serves the columns of both projections. MULH returns the upper half of a
//! 64-bit product: `a · b >> 16` if the 16 bits of b are in the upper half of its register, `a · b` if those of both
//! are. `Lstm::plain_step` and `Gru::plain_step` define the results.
#![allow(unsafe_code)]

use core::arch::naked_asm;

use super::arguments::{Gru, Lstm, State};
use super::frame::{Frame, sizes_match};

/// The number of columns of one turn, which is an iteration of the unrolled loop.
const TURN: usize = 8;

/// Computes one step: see `Lstm::step`. It does not swap `h` and `next_h`.
#[inline]
pub(crate) fn step(layer: &Lstm<'_>, x: &[i16], state: &mut State<'_>) {
    if !sizes_match(layer, x, state) {
        return;
    }
    let mut frame = Frame::new::<TURN, _>(layer, x, state, 0);
    // SAFETY: by `sizes_match`, every parameter and the state have the same number of units, at least 1, and the
    // weights have one column for each value of `x` and of `h`.
    unsafe { run(&mut frame) };
}

/// Computes one step: see `Gru::step`. It does not swap `h` and `next_h`.
#[inline]
pub(crate) fn gru_step(layer: &Gru<'_>, x: &[i16], state: &mut State<'_>) {
    if !sizes_match(layer, x, state) {
        return;
    }
    let mut frame = Frame::new::<TURN, _>(layer, x, state, 0);
    // SAFETY: as in `step`.
    unsafe { run_gru(&mut frame) };
}

/// Adds the columns of four rows to their sums. a1: weights, a2: activations; sums of i f g o in t0-t3. t4-t6, a5 and
/// a7 are clobbered. `$v`: the offset of the activation; `$a` to `$d`: the offsets of the weights.
macro_rules! columns {
    ($([$v:literal $a:literal $b:literal $c:literal $d:literal])*) => {
        concat!($(
            "lh a5, ", $v, "(a2)\n",
            "lb t4, ", $a, "(a1)\n lb t5, ", $b, "(a1)\n lb t6, ", $c, "(a1)\n lb a7, ", $d, "(a1)\n",
            "mul t4, t4, a5\n mul t5, t5, a5\n mul t6, t6, a5\n mul a7, a7, a5\n",
            "add t0, t0, t4\n add t1, t1, t5\n add t2, t2, t6\n add t3, t3, a7\n",
        )*)
    };
}
/// `columns` for three rows, whose sums are in t0-t2.
macro_rules! columns_of_three {
    ($([$v:literal $a:literal $b:literal $c:literal])*) => {
        concat!($(
            "lh a5, ", $v, "(a2)\n lb t4, ", $a, "(a1)\n lb t5, ", $b, "(a1)\n lb t6, ", $c, "(a1)\n",
            "mul t4, t4, a5\n mul t5, t5, a5\n mul t6, t6, a5\n add t0, t0, t4\n add t1, t1, t5\n add t2, t2, t6\n",
        )*)
    };
}
/// Computes the sums of one projection by the subroutine at label 6, and stores the advanced address of the weights.
/// The arguments are offsets in the [`Frame`], whose address is in a0: of the weights, and of the three addresses of
/// the activations.
#[rustfmt::skip]
macro_rules! sums {
    ($weights:literal, $begin:literal, $turns_end:literal, $end:literal) => { concat!(
        "lw a1, ", $weights, "(a0)\n lw a2, ", $begin, "(a0)\n",
        "lw a3, ", $turns_end, "(a0)\n lw a4, ", $end, "(a0)\n",
        "jal 6f\n sw a1, ", $weights, "(a0)\n",
    ) };
}
/// Adds 1/256 of the second row of each pair to the first, then multiplies t0-t3 by the multipliers at `$m`, to the
/// registers `$i` to `$o`. a1-a4 are clobbered; a5 is left as 0xffff0000, which the gates use.
#[rustfmt::skip]
macro_rules! requantize {
    ($m:literal, $i:literal, $f:literal, $g:literal, $o:literal) => { concat!(
        "srai a1, t1, 8\n add t0, t0, a1\n srai a1, t3, 8\n add t2, t2, a1\n",
        "lw a1, 0(", $m, ")\n lw a2, 4(", $m, ")\n addi ", $m, ", ", $m, ", 8\n",
        "lui a5, 0xffff0\n slli a3, a1, 16\n and a1, a1, a5\n slli a4, a2, 16\n and a2, a2, a5\n",
        "mulh ", $i, ", t0, a3\n mulh ", $f, ", t1, a1\n mulh ", $g, ", t2, a4\n mulh ", $o, ", t3, a2\n",
    ) };
}
/// `requantize` for the rows of a GRU, of which the first two are a pair. a1-a3 are clobbered.
#[rustfmt::skip]
macro_rules! requantize_three {
    ($m:literal, $r:literal, $z:literal, $n:literal) => { concat!(
        "srai a1, t1, 8\n add t0, t0, a1\n",
        "lhu a1, 0(", $m, ")\n lhu a2, 2(", $m, ")\n lhu a3, 4(", $m, ")\n addi ", $m, ", ", $m, ", 6\n",
        "slli a1, a1, 16\n slli a2, a2, 16\n slli a3, a3, 16\n",
        "mulh ", $r, ", t0, a1\n mulh ", $z, ", t1, a2\n mulh ", $n, ", t2, a3\n",
    ) };
}
/// Replaces a pre-activation by its activation, in the upper half. a1 and a2 are clobbered; a3 is 256.
#[rustfmt::skip]
macro_rules! activate {
    ($z:literal, $table:literal) => { concat!(
        "srai a1, ", $z, ", 15\n addi a1, a1, 128\n bltu a1, a3, 3f\n",
        // Beyond the table: its first or last entry.
        "srai a1, a1, 31\n not a1, a1\n zext.b a1, a1\n",
        "3: slli a1, a1, 2\n add a1, a1, ", $table, "\n lw a1, 0(a1)\n",
        "slli ", $z, ", ", $z, ", 16\n slli a2, a1, 16\n",
        "mulh ", $z, ", ", $z, ", a2\n add ", $z, ", ", $z, ", a1\n",
    ) };
}
/// Stores (`"sw"`) or loads (`"lw"`) the return address and the saved registers on the stack.
#[rustfmt::skip]
macro_rules! saved_registers {
    ($move:literal) => { concat!(
        $move, " ra, 0(sp)\n", $move, " s0, 4(sp)\n", $move, " s1, 8(sp)\n", $move, " s2, 12(sp)\n",
        $move, " s3, 16(sp)\n", $move, " s4, 20(sp)\n", $move, " s5, 24(sp)\n", $move, " s6, 28(sp)\n",
        $move, " s7, 32(sp)\n", $move, " s8, 36(sp)\n", $move, " s9, 40(sp)\n", $move, " s10, 44(sp)\n",
        $move, " s11, 48(sp)\n",
    ) };
}

/// Saves the registers, and loads those that hold the arguments of a step.
#[rustfmt::skip]
macro_rules! enter {
    () => { concat!(
        // Without these options, the assembler accepts only rv32i in a build with link-time optimisation.
        ".option push\n .option arch, +m, +c\n addi sp, sp, -64\n", saved_registers!("sw"),
        "lw s7, 24(a0)\n lw s8, 28(a0)\n lw s9, 32(a0)\n lw s4, 36(a0)\n lw s5, 40(a0)\n lw s6, 44(a0)\n",
        "lw s10, 56(a0)\n lw s11, 60(a0)\n lw a6, 64(a0)\n",
    ) };
}

/// Computes all units of a step. a0: the [`Frame`]; s0-s3: pre-activations of the input projection; s4: shift; s5:
/// sigmoid; s6: tanh; s7: `c`; s8: `next_h`; s9: end of `c`; s10: biases; s11 and a6: multipliers of the input and the
/// recurrent projection.
///
/// # Safety
/// `frame` must be one that [`step`] has built.
#[unsafe(naked)]
unsafe extern "C" fn run(frame: *mut Frame) {
    naked_asm!(
        enter!(),
        // A unit: its input projection.
        "2:",
        "lw t0, 0(s10)\n lw t1, 4(s10)\n lw t2, 8(s10)\n lw t3, 12(s10)",
        "addi s10, s10, 16",
        sums!("52", "0", "4", "8"),
        requantize!("s11", "s0", "s1", "s2", "s3"),
        // Its recurrent projection.
        "li t0, 0\n li t1, 0\n li t2, 0\n li t3, 0",
        sums!("48", "12", "16", "20"),
        requantize!("a6", "t0", "t1", "t2", "t3"),
        "add t0, t0, s0\n add t1, t1, s1\n add t2, t2, s2\n add t3, t3, s3",
        "sll t0, t0, s4\n sll t1, t1, s4\n sll t2, t2, s4\n sll t3, t3, s4",
        // The gates.
        "li a3, 256",
        activate!("t0", "s5"),
        activate!("t1", "s5"),
        activate!("t2", "s6"),
        activate!("t3", "s5"),
        "srai t0, t0, 16",
        "srai t2, t2, 16",
        "mul t0, t0, t2",
        "addi t0, t0, 1024", // rounds the shift
        "srai t0, t0, 11",
        "lw a1, 0(s7)",
        "and t1, t1, a5",
        "mulh a1, a1, t1",
        "add a1, a1, t0",
        "slli t0, a1, 1",
        "srai a2, t0, 1",
        "bne a1, a2, 8f",
        "7:",
        "sw t0, 0(s7)",
        "addi s7, s7, 4",
        activate!("t0", "s6"),
        "srai t3, t3, 16",
        "srai t0, t0, 16",
        "mul t0, t0, t3",
        "lui a1, 4", // 2^14, rounds the shift
        "add t0, t0, a1",
        "srai t0, t0, 15",
        "sh t0, 0(s8)",
        "addi s8, s8, 2",
        "bne s7, s9, 2b",
        saved_registers!("lw"),
        "addi sp, sp, 64",
        "ret",
        // Doubling has overflowed: saturates on the side of the sum.
        "8:",
        "srai a1, a1, 31",
        "lui t0, 0x80000",
        "not t0, t0",
        "xor t0, t0, a1",
        "j 7b",
        // The sums of a projection: whole turns from a2 to a3, then single columns to a4.
        "6:",
        "beq a2, a3, 4f",
        "3:",
        columns!([0 0 1 2 3] [2 4 5 6 7] [4 8 9 10 11] [6 12 13 14 15]),
        columns!([8 16 17 18 19] [10 20 21 22 23] [12 24 25 26 27] [14 28 29 30 31]),
        "addi a1, a1, 32",
        "addi a2, a2, 16",
        "bne a2, a3, 3b",
        "4:",
        "beq a2, a4, 9f",
        "5:",
        columns!([0 0 1 2 3]),
        "addi a1, a1, 4",
        "addi a2, a2, 2",
        "bne a2, a4, 5b",
        "9:",
        "ret",
        ".option pop",
    )
}

/// Computes all units of a GRU's step, with the same registers as [`run`].
///
/// # Safety
/// `frame` must be one that [`gru_step`] has built.
#[unsafe(naked)]
unsafe extern "C" fn run_gru(frame: *mut Frame) {
    naked_asm!(
        enter!(),
        // A unit: its input projection. The fourth bias is that of the recurrent projection of n.
        "2:",
        "lw t0, 0(s10)\n lw t1, 4(s10)\n lw t2, 8(s10)\n lw s3, 12(s10)",
        "addi s10, s10, 16",
        sums!("52", "0", "4", "8"),
        requantize_three!("s11", "s0", "s1", "s2"),
        // Its recurrent projection.
        "li t0, 0\n li t1, 0\n mv t2, s3",
        sums!("48", "12", "16", "20"),
        requantize_three!("a6", "t0", "t1", "t2"),
        "add t0, t0, s0\n add t1, t1, s1",
        "sll t0, t0, s4\n sll t1, t1, s4",
        // The gates, n in Q30 in t2.
        "li a3, 256",
        "lui a5, 0xffff0",
        activate!("t0", "s5"),
        activate!("t1", "s5"),
        "and t0, t0, a5",
        "mulh t2, t2, t0",
        "add t2, t2, s2",
        "sll t2, t2, s4",
        activate!("t2", "s6"),
        "srai t2, t2, 16",
        "slli t2, t2, 15",
        "lw a1, 0(s7)",
        "sub a1, a1, t2",
        "and t1, t1, a5",
        "mulh a1, a1, t1",
        "slli a1, a1, 1",
        "add t0, a1, t2",
        "sw t0, 0(s7)",
        "addi s7, s7, 4",
        "lui a1, 4", // 2^14, rounds the shift
        "add t0, t0, a1",
        "srai t0, t0, 15",
        "sh t0, 0(s8)",
        "addi s8, s8, 2",
        "bne s7, s9, 2b",
        saved_registers!("lw"),
        "addi sp, sp, 64",
        "ret",
        // The sums of a projection: whole turns from a2 to a3, then single columns to a4.
        "6:",
        "beq a2, a3, 4f",
        "3:",
        columns_of_three!([0 0 1 2] [2 3 4 5] [4 6 7 8] [6 9 10 11] [8 12 13 14] [10 15 16 17] [12 18 19 20] [14 21 22 23]),
        "addi a1, a1, 24",
        "addi a2, a2, 16",
        "bne a2, a3, 3b",
        "4:",
        "beq a2, a4, 9f",
        "5:",
        columns_of_three!([0 0 1 2]),
        "addi a1, a1, 3",
        "addi a2, a2, 2",
        "bne a2, a4, 5b",
        "9:",
        "ret",
        ".option pop",
    )
}

/// Enters the loop over turns of eight columns. If the number of columns is not a multiple of 8, the first turn is
/// entered in the middle: `$bytes` of code are skipped for each missing column. t4: the number of missing columns; t5
/// and t6 are clobbered.
#[rustfmt::skip]
macro_rules! enter_turn {
    ($bytes:literal) => { concat!(
        "li t5, ", $bytes, "\n mul t5, t5, t4\n lla t6, 3f\n add t5, t5, t6\n jr t5\n",
        // From here on all instructions have four bytes.
        ".option norvc\n 3:\n",
    ) };
}

/// Adds the dot products of four consecutive rows to four sums.
///
/// # Safety
/// There is at least one column; `v` has `columns`, and so has each of the four rows of `weights`.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn four(weights: *const i8, v: *const i16, columns: usize, acc: *mut [i32; 4]) {
    macro_rules! columns {
        ($([$v:literal $w:literal])*) => {
            concat!($(
                "lh a2, ", $v, "(a1)\n lb t4, ", $w, "(a0)\n lb t5, ", $w, "(a5)\n lb t6, ", $w, "(a6)\n",
                "mul t4, t4, a2\n mul t5, t5, a2\n mul t6, t6, a2\n add t0, t0, t4\n add t1, t1, t5\n add t2, t2, t6\n",
                "lb t4, ", $w, "(a7)\n mul t4, t4, a2\n add t3, t3, t4\n",
            )*)
        };
    }
    naked_asm!(
        ".option push",
        ".option arch, +m, +c",
        "lw t0, 0(a3)\n lw t1, 4(a3)\n lw t2, 8(a3)\n lw t3, 12(a3)",
        "slli t5, a2, 1\n add a4, a1, t5",
        "neg t4, a2\n andi t4, t4, 7",
        "slli t5, t4, 1\n sub a1, a1, t5\n sub a0, a0, t4",
        "add a5, a0, a2\n add a6, a5, a2\n add a7, a6, a2",
        enter_turn!("52"),
        columns!([0 0] [2 1] [4 2] [6 3] [8 4] [10 5] [12 6] [14 7]),
        "addi a0, a0, 8\n addi a5, a5, 8\n addi a6, a6, 8\n addi a7, a7, 8",
        "addi a1, a1, 16",
        "bne a1, a4, 3b",
        "sw t0, 0(a3)\n sw t1, 4(a3)\n sw t2, 8(a3)\n sw t3, 12(a3)",
        "ret",
        ".option pop",
    )
}
