//! An LSTM step over `paired16` records, for cores with the DSP instructions of ARMv7E-M: Cortex-M4, M7.
//!
//! A word of weights holds two columns of a pair of rows, 256·a + b each. Three instructions do four multiply-accumulates: SMLALD adds
//! both columns of 256·a + b to a sum of 64 bits, SXTB16 leaves b, SMLAD adds that to one of 32. Sixteen columns make a turn; a
//! half whose columns are no whole turns enters its first one midway. All registers are taken: what the unit needs before and after
//! its sums lies in a [`Frame`] on the stack and comes by one LDM, with the address to go on from. The turns of the recurrent half
//! are counted in the upper half of a sum's upper word, which the sum, below 2^40, leaves free.
//!
//! Every result is that of [`Paired::plain_step`](crate::lstm::Paired::plain_step), which defines it.
#![allow(unsafe_code)]

use core::arch::{asm, naked_asm};

use crate::activation::{SIGMOID, TANH};
use crate::cell::State;
use crate::lstm::Paired;

/// Columns of one block, and blocks of one turn.
const BLOCK: usize = 4;
const TURN: usize = 4;
/// Bytes of code that a block takes.
const BLOCK_BYTES: usize = 56;
/// How far from the loop of the input half the code for ready-made sums is, and 1 for Thumb: it stands before it.
const FOLDED: usize = 1usize.wrapping_sub(24);

/// What a step works with, in the order in which it is loaded; at the stack pointer while it runs.
#[repr(C)]
struct Frame {
    /// For the gates' arithmetic: r1, r6, r8-r12, then where to go on, which [`run`] fills in.
    half_of_h: i32,
    unit: isize,
    sigmoid: *const i32,
    tanh: *const i32,
    c_end: *mut i32,
    next_h_end: *mut i16,
    half_of_t: i32,
    gates: usize,
    /// For the recurrent half: r1-r7, then how far into its loop to enter, and 1 for Thumb.
    h: *const i16,
    sum_if: [usize; 3],
    sum_go: [usize; 3],
    enter_hh: usize,
    /// For the input half.
    x: *const i16,
    enter_ih: usize,
    x_end: *const i16,
    shift: u32,
}

/// How far into its loop to enter a half of so many columns, and 1 for Thumb: past the blocks that its first turn lacks.
fn enter(columns: usize) -> usize {
    ((columns / BLOCK).wrapping_neg() % TURN) * BLOCK_BYTES + 1
}

/// See [`Paired::step`].
#[inline]
pub(crate) fn step(layer: &Paired<'_>, x: &[i16], state: &mut State<'_>) {
    if x.as_ptr().addr().is_multiple_of(4) && x.len() == layer.input_size() {
        let x = x.as_ptr_range();
        step_from(layer, x.start, x.end, enter(layer.input_size()), state);
    }
}

/// See [`Paired::step_folded`].
pub(crate) fn step_folded(layer: &Paired<'_>, sums: &[i32], state: &mut State<'_>) {
    if sums.len() == 4 * layer.hidden_size() {
        // Where `x` ends there stand the bytes of a unit's weights, which are stepped over.
        let skipped = core::ptr::without_provenance(4 * layer.input_size());
        step_from(layer, sums.as_ptr().cast(), skipped, FOLDED, state);
    }
}

/// A step whose input half reads from `x` to `x_end`, entered so far from its loop.
#[inline(always)]
fn step_from(layer: &Paired<'_>, x: *const i16, x_end: *const i16, enter_ih: usize, state: &mut State<'_>) {
    let units = layer.hidden_size();
    let h_lens = [state.h.len(), state.next_h.len(), state.c.len()];
    // Always so in the scratch as a session divides it; here it is what the block below relies on.
    if !state.h.as_ptr().addr().is_multiple_of(4) || h_lens.iter().any(|&len| len != units) {
        return;
    }
    let turns_hh = (units / BLOCK).div_ceil(TURN);
    let (c, next_h) = (state.c.as_mut_ptr_range(), state.next_h.as_mut_ptr_range());
    let frame = Frame {
        half_of_h: 1 << 14,
        unit: -(units as isize),
        sigmoid: SIGMOID.as_ptr().wrapping_add(128),
        tanh: TANH.as_ptr().wrapping_add(128),
        c_end: c.end,
        next_h_end: next_h.end,
        half_of_t: 1 << 10,
        gates: 0,
        h: state.h.as_ptr(),
        // Below zero until its last turn, whatever the sum carries: half a turn's worth is added.
        sum_if: [0, 0x8000usize.wrapping_sub(turns_hh << 16), 0],
        sum_go: [0; 3],
        enter_hh: enter(units),
        x,
        enter_ih,
        x_end,
        shift: layer.shift(),
    };
    // SAFETY: the records are as many and as long as `units` and the input size ask for, both whole blocks and not zero, by `Paired::new`;
    // `h` and `x` have so many values and are read by words, whose alignment is checked, or in the place of `x` there are four sums a unit;
    // `c` and `next_h` have a place for each unit and nothing else refers to them.
    unsafe { run(&frame, layer.units().as_ptr()) };
}

/// See [`super::embed4`]. With m · 2^9, `(w · m) >> 7` is the upper part of a product of 32 and 16 bits, one instruction.
#[inline(always)]
pub(crate) fn embed4(weights: [i8; 4], multiplier: i16) -> [i16; 4] {
    let (low, high): (u32, u32);
    // SAFETY: arithmetic in registers.
    unsafe {
        asm!(
            "sxtb16 {even}, {w}",
            "sxtb16 {odd}, {w}, ror #8",
            "smulwb {low}, {m}, {even}",
            "smulwb {t}, {m}, {odd}",
            "pkhbt {low}, {low}, {t}, lsl #16",
            "smulwt {even}, {m}, {even}",
            "smulwt {odd}, {m}, {odd}",
            "pkhbt {even}, {even}, {odd}, lsl #16",
            w = in(reg) u32::from_le_bytes(weights.map(i8::cast_unsigned)),
            m = in(reg) i32::from(multiplier) << 9,
            even = out(reg) high,
            odd = out(reg) _,
            low = out(reg) low,
            t = out(reg) _,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    [low as i16, (low >> 16) as i16, high as i16, (high >> 16) as i16]
}

/// Columns: words r8-r11 of `paired16`, activations r12 and lr. Sums: i, f in r2, r3 and f in r4; g, o in r5, r6 and o in r7.
macro_rules! turn {
    () => {
        concat!(block!(), block!(), block!(), block!())
    };
}
macro_rules! block {
    () => {
        concat!(
            "ldmia r0!, {{r8-r11}}\n ldrd r12, lr, [r1], #8\n",
            "smlald r2, r3, r8, r12\n sxtb16 r8, r8\n smlad r4, r8, r12, r4\n",
            "smlald r5, r6, r9, r12\n sxtb16 r9, r9\n smlad r7, r9, r12, r7\n",
            "smlald r2, r3, r10, lr\n sxtb16 r10, r10\n smlad r4, r10, lr, r4\n",
            "smlald r5, r6, r11, lr\n sxtb16 r11, r11\n smlad r7, r11, lr, r7\n",
        )
    };
}
/// The sums of first rows: 64 bits >> 8.
macro_rules! first_rows {
    () => {
        "lsrs r2, r2, #8\n orr r2, r2, r3, lsl #24\n lsrs r5, r5, #8\n orr r5, r5, r6, lsl #24\n"
    };
}
/// Replaces a pre-activation by its activation, whose value is the upper half; r3 is lost.
macro_rules! activate {
    ($z:literal, $table:literal) => {
        concat!(
            "ssat r3, #8, ",
            $z,
            ", asr #15\n",
            "ldr r3, [",
            $table,
            ", r3, lsl #2]\n",
            "smlabb ",
            $z,
            ", r3, ",
            $z,
            ", r3\n"
        )
    };
}

/// All units of a step.
///
/// # Safety
/// `frame` is as [`step`] makes it, `records` are as many `paired16` records as it says.
#[unsafe(naked)]
unsafe extern "C" fn run(frame: *const Frame, records: *const i32) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        // The frame to the stack, from its end.
        "add r0, #80",
        "ldmdb r0!, {{r2-r11}}",
        "push {{r2-r11}}",
        "ldmdb r0!, {{r2-r11}}",
        "push {{r2-r11}}",
        "mov r0, r1",
        // Distances become addresses.
        "adr r1, 3f",
        "ldr r2, [sp, #60]",
        "add r2, r1",
        "str r2, [sp, #60]",
        "adr r1, 4f",
        "ldr r2, [sp, #68]",
        "add r2, r1",
        "str r2, [sp, #68]",
        "adr r1, 5f",
        "ldr r2, [sp, #76]",
        "cbnz r2, 7f",
        "adr r1, 6f",
        "7:",
        "adds r1, #1",
        "str r1, [sp, #28]",
        "add r1, sp, #32",
        // A unit: its recurrent half.
        "2:",
        "ldm r1, {{r1-r7, pc}}",
        ".p2align 2",
        "3:",
        turn!(),
        "adds r3, r3, #0x10000",
        "bmi 3b",
        "ldmia r0!, {{r8-r11}}",
        first_rows!(),
        "smulwb r2, r2, r8",
        "smulwt r4, r4, r8",
        "smulwb r5, r5, r9",
        "smulwt r7, r7, r9",
        "push {{r2, r4, r5, r7, r10, r11}}",
        // Its input half.
        "ldr r1, [sp, #88]",
        "ldmia r0!, {{r2-r7}}",
        "ldr pc, [sp, #92]",
        // Or its sums are ready-made: 24 bytes of code, as `FOLDED` says.
        ".p2align 2",
        "ldmia r1!, {{r2, r4, r5, r7}}",
        "str r1, [sp, #88]",
        "ldr.w r8, [sp, #96]",
        "add r0, r8",
        "nop",
        "add.w r2, r2, r4, asr #8",
        "add.w r5, r5, r7, asr #8",
        "b.w 8f",
        "4:",
        turn!(),
        "ldr r8, [sp, #96]",
        "cmp r1, r8",
        "bne 4b",
        first_rows!(),
        "8:",
        "pop {{r3, r6, r8, r9, r12, lr}}",
        "smlawb r2, r2, r12, r3",
        "smlawt r4, r4, r12, r6",
        "smlawb r5, r5, lr, r8",
        "smlawt r7, r7, lr, r9",
        "ldm sp, {{r1, r6, r8-r12, pc}}",
        // The gates, shifted first where the layer has a shift.
        ".p2align 2",
        "5:",
        "ldr r3, [sp, #76]",
        "lsls r2, r3",
        "lsls r4, r3",
        "lsls r5, r3",
        "lsls r7, r3",
        ".p2align 2",
        "6:",
        activate!("r2", "r8"),
        activate!("r4", "r8"),
        activate!("r5", "r9"),
        activate!("r7", "r8"),
        "ldr r3, [r10, r6, lsl #2]",
        "smlatt r2, r2, r5, r12",
        "asrs r2, r2, #11",
        "smlawt r3, r3, r4, r2",
        "qadd r3, r3, r3",
        "str r3, [r10, r6, lsl #2]",
        "ssat r2, #8, r3, asr #15",
        "ldr r2, [r9, r2, lsl #2]",
        "smlabb r2, r2, r3, r2",
        "smlatt r7, r7, r2, r1",
        "asrs r7, r7, #15",
        "strh r7, [r11, r6, lsl #1]",
        "adds r6, #1",
        "str r6, [sp, #4]",
        "add r1, sp, #32",
        "bmi 2b",
        "add sp, #80",
        "pop {{r4-r11, pc}}",
    )
}
