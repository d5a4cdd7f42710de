//! An LSTM step over `paired16` records, for cores with the DSP instructions of Armv7E-M: Cortex-M4, M7, and M33
//! with the DSP extension.
//!
//! A word of weights holds two columns of a pair of rows, each as 256·a + b: a is the weight of the first row, b that
//! of the second. Three instructions do four multiply-accumulates: SMLALD adds both columns of 256·a + b to a 64-bit
//! sum, SXTB16 extracts b, and SMLAD adds b to a 32-bit sum B. The 64-bit sum shifted right by 8 is Σ a·v + (B >> 8),
//! which is by definition the sum of the first row (`docs/arithmetic.md`, "LSTM step").
//!
//! Four columns make a block, and four blocks a turn, which is an iteration of the unrolled loop. If the columns are
//! not a multiple of 16, the first turn is entered in the middle. All registers are in use, so the values that a unit
//! needs before and after its sums are on the stack. One LDM loads them together with the address at which to continue.
//! The turns of the recurrent projection are counted in the upper half of the upper word of a 64-bit sum, whose
//! magnitude is below 2^40; [`Plan::turns_hh`] explains why a negative sum does not disturb the count.
//!
//! `PairedLstm::plain_step` defines the result.
#![allow(unsafe_code)]

#[macro_use]
mod turns;

pub(super) mod dot;
mod four_rows;
#[cfg(helium)]
#[macro_use]
mod helium;

use core::arch::{asm, naked_asm};

pub(crate) use four_rows::{FourRows, Halves, Turns, Vectors, gru_unit};

use super::arguments::{PairedLstm, Plan, State};
use crate::activation::{SIGMOID, TANH};
use turns::{BLOCK, BLOCK_BYTES, TURN};

/// The `enter_ih` of a plan for a precomputed input projection. Its code, `precomputed_sums`, is 24 bytes long and ends
/// where the loop of the input projection begins. The 1 is the bit that marks the address of Thumb code.
const FOLDED_ENTRY: usize = 1usize.wrapping_sub(24);
/// The `gates` of a plan with a shift. The code that shifts the pre-activations, from the label 5 on, is 20 bytes long
/// and ends where the gates begin. The 1 is the Thumb bit again.
const SHIFT_ENTRY: usize = 1usize.wrapping_sub(20);

/// Returns the initial count of turns: −2^16 for each turn, plus 2^15 so that no sum changes the sign of the word (see
/// [`Plan::turns_hh`]). Helium counts vectors instead.
fn turns_hh(hidden_size: usize) -> usize {
    if cfg!(helium) { 0 } else { 0x8000usize.wrapping_sub((hidden_size / BLOCK).div_ceil(TURN) << 16) }
}

/// Returns the distance from the beginning of a loop to its entry point, plus 1, the Thumb bit. The entry point is
/// after the blocks that the first turn does not need. With Helium one block precedes the loop over vectors of two
/// blocks; the entry point is after it if the number of blocks is even.
fn enter(columns: usize) -> usize {
    let blocks = columns / BLOCK;
    let skipped = if cfg!(helium) { usize::from(blocks.is_multiple_of(2)) } else { blocks.wrapping_neg() % TURN };
    skipped * BLOCK_BYTES + 1
}

/// Returns the plan of a layer. `input_size`, `hidden_size`: multiples of [`BLOCK`].
pub(crate) fn plan(input_size: usize, hidden_size: usize, shift: u32) -> Plan {
    Plan {
        turns_hh: turns_hh(hidden_size),
        negative_units: (hidden_size as isize).wrapping_neg(),
        x_bytes: 2 * input_size,
        enter_ih: enter(input_size),
        shift,
        enter_hh: enter(hidden_size),
        // 1: the gates themselves, with the Thumb bit.
        gates: if shift == 0 { 1 } else { SHIFT_ENTRY },
        #[cfg(helium)]
        vectors: [input_size, hidden_size].map(|columns| (columns / helium::VECTOR) as u16),
    }
}

/// Computes one step: see `PairedLstm::step`.
#[inline]
pub(crate) fn step(layer: &PairedLstm<'_>, x: &[i16], state: &mut State<'_>) {
    debug_assert!(x.len() == layer.input_size.get(), "the input has the size that the layer reads");
    if x.len() == layer.input_size.get() {
        step_by(&layer.plan, layer, x.as_ptr(), state);
    }
}

/// Computes one step with a precomputed input projection: see `PairedLstm::step_folded`.
pub(crate) fn step_folded(layer: &PairedLstm<'_>, input_sums: &[i32], state: &mut State<'_>) {
    if cfg!(feature = "folding") && input_sums.len() == 4 * layer.hidden_size.get() {
        // The kernel adds the address of `x`, which is `input_sums` here, to `x_bytes`. So the address is subtracted
        // now: the result is the number of bytes of a unit's input weights, which `precomputed_sums` skips.
        let x_bytes = (4 * layer.input_size.get()).wrapping_sub(input_sums.as_ptr().addr());
        step_by(&Plan { x_bytes, enter_ih: FOLDED_ENTRY, ..layer.plan }, layer, input_sums.as_ptr().cast(), state);
    }
}

/// Computes one step. `x` points to what the plan makes the kernel read: the inputs or a precomputed input projection.
#[inline(always)]
fn step_by(plan: &Plan, layer: &PairedLstm<'_>, x: *const i16, state: &mut State<'_>) {
    let units = layer.hidden_size.get();
    // 0 only if all lengths equal the number of units.
    let differences = (state.h.len() ^ units) | (state.next_h.len() ^ units) | (state.c.len() ^ units);
    // The scratch of a session is always aligned. This is checked because `run` loads whole words.
    let addresses = x.addr() | state.h.as_ptr().addr();
    if !addresses.is_multiple_of(4) || differences != 0 {
        debug_assert!(false, "after load the sizes match and the scratch is aligned");
        return;
    }
    // The swap comes before the step, so that no register must be saved for it. From here on `state.next_h` is the old
    // hidden state, which the step reads, and `state.h` is written.
    core::mem::swap(&mut state.h, &mut state.next_h);
    let (h, c, next_h) = (state.next_h.as_ptr(), state.c.as_mut_ptr(), state.h.as_mut_ptr());
    // SAFETY: by `PairedLstm::new`, `record_words` holds one whole record for each unit, and both sizes are multiples
    // of a block and not zero. The lengths of the state equal the hidden size, and `x` has one value for each input, or
    // in its place four sums for each unit. The addresses that are read by words are aligned. Nothing else refers to
    // `c` and `next_h`.
    unsafe { run(plan, x, h, layer.record_words.as_ptr(), c, next_h) };
}

/// Embeds one token: see [`Embedding::embed`](crate::layers::embedding::Embedding::embed). Returns false and does
/// nothing unless whole words can be written. With the multiplier m · 2^9, one instruction computes `(w · m) >> 7`: it
/// is the upper part of a product of 32 and 16 bits.
#[inline(always)]
pub(crate) fn embed(weights: &[i8], multiplier: i16, x: &mut [i16]) -> bool {
    let end = x.as_ptr_range().end;
    // The loop embeds four values at a time. LDR reads weights from any address; STRD writes only to word boundaries.
    let length_and_address = weights.len() | x.as_ptr().addr();
    if weights.len() != x.len() || x.is_empty() || !length_and_address.is_multiple_of(4) {
        return false;
    }
    // SAFETY: reads all of `weights` and writes all of `x`, four values at a time. Both have the same length, a
    // multiple of 4 that is not zero, and `x` is at a word boundary.
    unsafe {
        asm!(
            // The directive that lets the assembler accept DSP instructions: `turns.rs`.
            cpu!(),
            // At the end of an iteration `low` holds the first and the second value, `even` the third and the fourth.
            "2:",
            "ldr {even}, [{weights}], #4",
            "sxtb16 {odd}, {even}, ror #8",
            "sxtb16 {even}, {even}",
            "smulwb {low}, {m}, {even}",
            "smulwb {t}, {m}, {odd}",
            "pkhbt {low}, {low}, {t}, lsl #16",
            "smulwt {even}, {m}, {even}",
            "smulwt {odd}, {m}, {odd}",
            "pkhbt {even}, {even}, {odd}, lsl #16",
            "strd {low}, {even}, [{x}], #8",
            "cmp {x}, {end}",
            "bne 2b",
            weights = inout(reg) weights.as_ptr() => _,
            x = inout(reg) x.as_mut_ptr() => _,
            end = in(reg) end,
            m = in(reg) i32::from(multiplier) << 9,
            even = out(reg) _,
            odd = out(reg) _,
            low = out(reg) _,
            t = out(reg) _,
            options(nostack)
        );
    }
    true
}

// Each of the macros up to `pop_vectors` has a counterpart of the same name for Helium, in `dsp/helium.rs`.

/// The registers of the sums, as a list.
#[cfg(not(helium))]
macro_rules! sums {
    () => {
        "r2-r7"
    };
}
/// The loop over the columns of the recurrent projection.
#[cfg(not(helium))]
macro_rules! recurrent_columns {
    () => {
        concat!("3:\n", turn!(), "adds r3, r3, #0x10000\n bmi 3b\n")
    };
}
/// The loop over the columns of the input projection.
#[cfg(not(helium))]
macro_rules! input_columns {
    () => {
        concat!("4:\n", turn!(), "ldr r8, [sp, #96]\n cmp r1, r8\n bne 4b\n")
    };
}
/// Computes the sum of the first row of each pair from the pair's 64-bit sum.
#[cfg(not(helium))]
macro_rules! lstm_first_rows {
    () => {
        first_rows!()
    };
}
/// Pushes the plan's numbers of vectors in the variant for Helium; here it is empty, because there are none.
#[cfg(not(helium))]
macro_rules! push_vectors {
    () => {
        ""
    };
}
/// Undoes `push_vectors`.
#[cfg(not(helium))]
macro_rules! pop_vectors {
    () => {
        ""
    };
}
/// Loads the precomputed input projection of a unit and skips its input weights: 24 bytes of code, as [`FOLDED_ENTRY`]
/// requires. STR stores the address of the next unit's sums in the place of `x` on the stack. `add … asr #8` adds
/// B >> 8 to the sum of the first row of each pair, as `docs/arithmetic.md`, "Folding", specifies.
#[cfg(feature = "folding")]
macro_rules! precomputed_sums {
    () => {
        concat!(
            "ldmia r1!, {{r2, r4, r5, r7}}\n str r1, [sp, #92]\n ldr.w r8, [sp, #96]\n add r0, r8\n nop\n",
            "add.w r2, r2, r4, asr #8\n add.w r5, r5, r7, asr #8\n b.w 8f\n",
        )
    };
}
#[cfg(not(feature = "folding"))]
macro_rules! precomputed_sums {
    () => {
        ""
    };
}
/// Replaces a pre-activation by its activation, in the upper half. lr is clobbered: it is the index of the table's
/// cell, −128 to 127, then the cell, whose upper half is a value and lower half a slope. SMLABB adds to the whole cell
/// the slope times the lower half of the pre-activation (`docs/arithmetic.md`, "Activations").
#[rustfmt::skip]
macro_rules! activate {
    ($z:literal, $table:literal) => { concat!(
        "ssat lr, #8, ", $z, ", asr #15\n ldr lr, [", $table, ", lr, lsl #2]\n",
        "smlabb ", $z, ", lr, ", $z, ", lr\n",
    ) };
}

/// Computes all units of a step. These values are on the stack, in the order in which they are loaded. The offsets from
/// `sp` are 24 larger during the input projection, because the recurrent half has pushed six words:
///
/// - from 0, for the gates, in r1, r3, r6, r8-r12 and pc: the constant that rounds `h`, `sp + 36`, the remaining units
///   (negative), sigmoid, tanh, ends of `c` and `next_h`, the constant that rounds `t`, where to continue;
/// - from 36, for the recurrent half, in r1, the registers of `sums` and pc: `h`, six initial sums (zeros, but the
///   second, in r3, counts turns), the entry point of the loop;
/// - from 68, for the input half: `x`, its end, the entry point of the loop, the shift.
///
/// # Safety
/// `plan` and `records` belong to one layer, `x` is its input, and `h`, `c` and `next_h` have one value for each unit.
/// If the plan enters at [`FOLDED_ENTRY`], `x` holds four sums for each unit instead.
#[unsafe(naked)]
unsafe extern "C" fn run(
    plan: *const Plan,
    x: *const i16,
    h: *const i16,
    records: *const i32,
    c: *mut i32,
    next_h: *mut i16,
) {
    naked_asm!(
        cpu!(),
        "push {{r4-r11, lr}}",
        push_vectors!(),
        // The fields of `Plan`: r4 turns_hh, r5 negative_units, r6 x_bytes, r7 enter_ih, r8 shift, r11 enter_hh, r12
        // gates. r0 becomes the address of the records.
        "ldm r0, {{r4-r8, r11, r12}}",
        "mov r0, r3",
        // The distances of the plan become addresses: the end of the input, the entry points of both loops, and the
        // code that follows the sums.
        "adr lr, 9f",
        "ldm lr!, {{r3, r9, r10}}",
        "add r6, r1",
        "add r7, r3",
        "add r11, r9",
        "add r12, r10",
        "push {{r1, r6-r8}}",
        "ldm lr!, {{r3, r6-r9}}",
        "push {{r2-r4, r6-r9, r11}}",
        "mov r4, sp",
        "ldrd r8, r9, [sp, #{arguments}]",
        // The ends of `c` and `next_h`; r5 is −H.
        "sub r8, r8, r5, lsl #2",
        "sub r9, r9, r5, lsl #1",
        "ldm lr, {{r3, r6, r7, r10}}",
        "push {{r3-r10, r12}}",
        "mov r3, r4",
        // A unit: its recurrent projection.
        "2:",
        concat!("ldm r3, {{r1, ", sums!(), ", pc}}"),
        ".p2align 2",
        recurrent_columns!(),
        lstm_first_rows!(),
        "ldmia r0!, {{r8-r11}}",
        "smulwb r2, r2, r8",
        "smulwt r4, r4, r8",
        "smulwb r5, r5, r9",
        "smulwt r7, r7, r9",
        "push {{r2, r4, r5, r7, r10, r11}}",
        // Its input projection.
        "ldr r1, [sp, #92]",
        concat!("ldmia r0!, {{", sums!(), "}}"),
        "ldr pc, [sp, #100]",
        ".p2align 2",
        precomputed_sums!(),
        input_columns!(),
        lstm_first_rows!(),
        "8:",
        "pop {{r3, r6, r8, r9, r12, lr}}",
        "smlawb r2, r2, r12, r3",
        "smlawt r4, r4, r12, r6",
        "smlawb r5, r5, lr, r8",
        "smlawt r7, r7, lr, r9",
        "ldm sp, {{r1, r3, r6, r8-r12, pc}}",
        // The gates, with the pre-activations of i, f, g and o in r2, r4, r5 and r7. If the layer has a shift, `pc` was
        // loaded with the address of this code, which shifts them first; no instruction jumps to the label 5.
        ".p2align 2",
        "5:",
        "ldr lr, [sp, #80]",
        "lsl r2, lr\n lsl r4, lr\n lsl r5, lr\n lsl r7, lr",
        ".p2align 2",
        "6:",
        activate!("r2", "r8"),
        activate!("r4", "r8"),
        activate!("r5", "r9"),
        activate!("r7", "r8"),
        // The activations are Q15, in the upper halves. t = (i·g + 2^10) >> 11, Q19, and then
        // c = 2·(((c·f) >> 16) + t), Q20: QADD doubles and saturates.
        "ldr lr, [r10, r6, lsl #2]",
        "smlatt r2, r2, r5, r12",
        "asrs r2, r2, #11",
        "smlawt r2, lr, r4, r2",
        "qadd r2, r2, r2",
        "str r2, [r10, r6, lsl #2]",
        // h = (o·tanh(c) + 2^14) >> 15, Q15.
        activate!("r2", "r9"),
        "smlatt r7, r7, r2, r1",
        "asrs r7, r7, #15",
        "strh r7, [r11, r6, lsl #1]",
        "adds r6, #1",
        "str r6, [sp, #8]",
        "bmi 2b",
        "add sp, #84",
        pop_vectors!(),
        "pop {{r4-r11, pc}}",
        // The addresses of the loops and of the gates, the initial sums of the recurrent projection, and the constants
        // of the gates. An index into the tables of 4-byte cells is −128 to 127, so their addresses are those of cell
        // 128.
        ".p2align 2",
        "9:",
        ".word 4b, 3b, 6b",
        ".word 0, 0, 0, 0, 0",
        ".word {half_of_h}, {sigmoid} + 512, {tanh} + 512, {half_of_t}",
        // The offset of the arguments `c` and `next_h`, which the caller has put on the stack.
        arguments = const if cfg!(helium) { 88 } else { 84 },
        half_of_h = const 1 << 14,
        half_of_t = const 1 << 10,
        sigmoid = sym SIGMOID,
        tanh = sym TANH,
    )
}
