//! An LSTM step over `interleaved4` for 32-bit RISC-V with multiplication: rv32imc, rv32imac.
//!
//! A column takes 13 instructions: one loads its activation, and each of four rows loads a weight, multiplies and adds.
//! Compiled code takes 13, too, but it moves registers to the stack between the columns and checks bounds. Here the
//! registers suffice, and one subroutine serves the columns of both projections. MULH multiplies two signed 16-bit
//! numbers that are in the upper halves of their registers. `Lstm::plain_step` defines the result.
#![allow(unsafe_code)]

use core::arch::naked_asm;

use super::arguments::{Lstm, State};
use super::frame::{Frame, sizes_match};

/// The columns of one turn of the loop.
const TURN: usize = 8;

/// Computes one step: see `Lstm::step`. It does not exchange `h` and `next_h`.
#[inline]
pub(crate) fn step(layer: &Lstm<'_>, x: &[i16], state: &mut State<'_>) {
    if !sizes_match(layer, x, state) {
        return;
    }
    let mut frame = Frame::new::<TURN>(layer, x, state, 0);
    // SAFETY: by `sizes_match`, every parameter and the state have the same number of units, at least 1, and the
    // weights have one column for each value of `x` and of `h`.
    unsafe { run(&mut frame) };
}

/// The columns of four rows. a1: weights, a2: activations; sums of i f g o in t0-t3. t4-t6, a5 and a7 are clobbered.
/// `$v`: the offset of the activation; `$a` to `$d`: the offsets of the weights.
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
/// The sums of one projection. The arguments are the offsets in the frame of the weights and of the activations.
#[rustfmt::skip]
macro_rules! sums {
    ($weights:literal, $begin:literal, $turns_end:literal, $end:literal) => { concat!(
        "lw a1, ", $weights, "(a0)\n lw a2, ", $begin, "(a0)\n",
        "lw a3, ", $turns_end, "(a0)\n lw a4, ", $end, "(a0)\n",
        "jal 6f\n sw a1, ", $weights, "(a0)\n",
    ) };
}
/// Completes the first rows of pairs, then multiplies t0-t3 by the multipliers at `$m`. a1-a4 are clobbered; a5 is left
/// as 0xffff0000, which the gates use.
#[rustfmt::skip]
macro_rules! requantize {
    ($m:literal, $i:literal, $f:literal, $g:literal, $o:literal) => { concat!(
        "srai a1, t1, 8\n add t0, t0, a1\n srai a1, t3, 8\n add t2, t2, a1\n",
        "lw a1, 0(", $m, ")\n lw a2, 4(", $m, ")\n addi ", $m, ", ", $m, ", 8\n",
        "lui a5, 0xffff0\n slli a3, a1, 16\n and a1, a1, a5\n slli a4, a2, 16\n and a2, a2, a5\n",
        "mulh ", $i, ", t0, a3\n mulh ", $f, ", t1, a1\n mulh ", $g, ", t2, a4\n mulh ", $o, ", t3, a2\n",
    ) };
}
/// Replaces a pre-activation by its activation, in the upper half. a1 and a2 are clobbered; a3 is 256.
#[rustfmt::skip]
macro_rules! activate {
    ($z:literal, $table:literal) => { concat!(
        "srai a1, ", $z, ", 15\n addi a1, a1, 128\n bltu a1, a3, 3f\n",
        // Beyond the table: its first or last cell.
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

/// Computes all units of a step. s0-s3: pre-activations of the input projection; s4: shift; s5: sigmoid; s6: tanh; s7:
/// `c`; s8: `next_h`; s9: end of `c`; s10: biases; s11 and a6: multipliers of the input and the recurrent projection.
///
/// # Safety
/// `frame` is as [`step`] makes it.
#[unsafe(naked)]
unsafe extern "C" fn run(frame: *mut Frame) {
    naked_asm!(
        // With link-time optimisation the assembler accepts rv32i only.
        ".option push",
        ".option arch, +m, +c",
        "addi sp, sp, -64",
        saved_registers!("sw"),
        "lw s7, 24(a0)",
        "lw s8, 28(a0)",
        "lw s9, 32(a0)",
        "lw s4, 36(a0)",
        "lw s5, 40(a0)",
        "lw s6, 44(a0)",
        "lw s10, 56(a0)",
        "lw s11, 60(a0)",
        "lw a6, 64(a0)",
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
        // Doubling has overflowed: to the end of the range on the side of the sum.
        "8:",
        "srai a1, a1, 31",
        "lui t0, 0x80000",
        "not t0, t0",
        "xor t0, t0, a1",
        "j 7b",
        // The sums of a projection: from a2 to a3 by turns, then by columns to a4.
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
