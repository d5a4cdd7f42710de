//! Computes both halves of the pre-activations of the four rows of a `paired16` record, for GRU and plain cells, and
//! the gates of a GRU.
//!
//! The kernel sums as the LSTM step does, in the same turns, and requantises. The sums A and B of a pair's rows arise
//! as one 64-bit sum, `256·A + B`. Shifted right by 8 it is `A + (B >> 8)`, the sum of the first row of a pair; for
//! ordinary rows the kernel subtracts `B >> 8` again. `layers::paired::Vectors` and `layers::gru` define the results.
#![allow(unsafe_code)]

use core::arch::{asm, naked_asm};
use core::marker::PhantomData;
use core::mem::MaybeUninit;

use super::turns::{BLOCK, BLOCK_BYTES, TURN};
use crate::activation::{SIGMOID, TANH};

/// The number of bytes of the code for a precomputed input projection, which lies before the loop of the input
/// projection.
const PRECOMPUTED_BYTES: usize = 16;

/// The number of turns of the loop over one vector, and the entry point of the first.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Turns {
    /// A number that is added to the upper word of a sum to count turns: see `Plan::turns_hh`.
    count: usize,
    /// The distance in bytes to the entry point of the loop.
    enter: usize,
}

impl Turns {
    /// The turns over the columns of `x` and of `h`, multiples of [`BLOCK`].
    pub(crate) fn over(input_size: usize, hidden_size: usize) -> [Self; 2] {
        // Before the loop over `x` is the code for a precomputed input projection.
        [(input_size, PRECOMPUTED_BYTES), (hidden_size, 0)].map(|(columns, before)| Turns {
            count: 0x8000usize.wrapping_sub((columns / BLOCK).div_ceil(TURN) << 16),
            enter: before + ((columns / BLOCK).wrapping_neg() % TURN) * BLOCK_BYTES,
        })
    }
}

/// The vectors of a step. The assembly reads them in this order; `words` comes after what it reads.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Vectors<'v> {
    h: *const i16,
    turns_hh: Turns,
    x: *const i16,
    turns_ih: Turns,
    /// The number of words of a record; `usize::MAX`, which no record has, if a size or an address does not fit.
    words: usize,
    vectors: PhantomData<&'v [i16]>,
}

/// Four rows, and memory for both halves of their pre-activations. The assembly reads and writes them in this order.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct FourRows {
    /// 0 if the rows form pairs of the cell, 1 if all are independent.
    are_ordinary: u32,
    halves: MaybeUninit<Halves>,
}

/// The requantised recurrent and input halves of the pre-activations of four rows.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Halves {
    pub from_h: [i32; 4],
    pub from_x: [i32; 4],
}

impl FourRows {
    /// Rows that form pairs of the cell.
    pub(crate) fn in_pairs() -> Self {
        FourRows { are_ordinary: 0, halves: MaybeUninit::uninit() }
    }

    /// Independent rows, which form no pairs.
    pub(crate) fn ordinary() -> Self {
        FourRows { are_ordinary: 1, halves: MaybeUninit::uninit() }
    }
}

impl<'v> Vectors<'v> {
    /// The vectors of a step. `x`: `[input_size]`, Q15; none if the input projection is precomputed. `h`:
    /// `[hidden_size]`, Q15. The sizes are those of the layer, multiples of 4; the turns are those over `x` and over
    /// `h`. If `x` or `h` is not aligned to words or has another size, which never happens in a session,
    /// [`halves`](Vectors::halves) returns none.
    #[inline(always)]
    pub(crate) fn new(
        x: Option<&'v [i16]>,
        h: &'v [i16],
        [input_size, hidden_size]: [usize; 2],
        [turns_ih, turns_hh]: [Turns; 2],
    ) -> Self {
        let (x, columns) = x.map_or((h.as_ptr(), input_size), |x| (x.as_ptr(), x.len()));
        let h_at = h.as_ptr();
        // True if the lengths equal the sizes and both addresses are at word boundaries. A word has 4 bytes, as a block
        // has 4 columns.
        let fits = (columns ^ input_size) | (h.len() ^ hidden_size) | ((x.addr() | h_at.addr()) % BLOCK) == 0;
        debug_assert!(fits, "sizes and addresses always match after load");
        let words = if fits { input_size + hidden_size + 10 } else { usize::MAX };
        Vectors { h: h_at, turns_hh, x, turns_ih, words, vectors: PhantomData }
    }

    /// Computes both halves of the pre-activations of four rows. Returns none if the record does not have the number of
    /// words of the layer, or if [`new`](Vectors::new) got a size or an address that does not fit.
    ///
    /// `recurrent_biases`: the initial sums of the recurrent projection, which are not in the record; zeros for all
    /// rows but n of a GRU. `input_sums`: a precomputed input projection, which replaces `x`.
    #[inline(always)]
    pub(crate) fn halves<'r>(
        &mut self,
        record: &[i32],
        recurrent_biases: &[i32; 6],
        input_sums: Option<[i32; 4]>,
        rows: &'r mut FourRows,
    ) -> Option<&'r Halves> {
        if let Some(sums) = &input_sums {
            (self.x, self.turns_ih.enter) = (sums.as_ptr().cast(), 0);
        }
        if record.len() != self.words {
            return None;
        }
        // SAFETY: the record holds weights for every value of `h` and `x`, and 10 words more; both sizes are multiples
        // of a block and not zero, and the addresses that are read by words are aligned. In place of `x` there may be
        // four sums.
        unsafe { run(record.as_ptr(), self, recurrent_biases, rows) };
        // SAFETY: the call has written all of it.
        Some(unsafe { rows.halves.assume_init_ref() })
    }
}

/// Subtracts `B >> 8` from the first rows if all rows are independent, then multiplies by the multipliers in r8 and r9.
/// r1: the address of [`FourRows`]; r3 is clobbered.
macro_rules! requantize {
    () => {
        concat!(
            "ldr r3, [r1]\n cbz r3, 1f\n sub.w r2, r2, r4, asr #8\n sub.w r5, r5, r7, asr #8\n 1:\n",
            "smulwb r2, r2, r8\n smulwt r4, r4, r8\n smulwb r5, r5, r9\n smulwt r7, r7, r9\n",
        )
    };
}

/// Replaces a pre-activation by its activation, in the upper half. `{t}` is clobbered.
macro_rules! activate_from {
    ($z:literal, $table:literal) => {
        concat!(
            "ssat {t}, #8, ",
            $z,
            ", asr #15\n ldr {t}, [",
            $table,
            ", {t}, lsl #2]\n",
            "smlabb ",
            $z,
            ", {t}, ",
            $z,
            ", {t}\n",
        )
    };
}

/// Computes both projections of a record with the loops of `turns`, which it enters by a jump.
///
/// # Safety
/// [`Vectors::halves`] must have checked `record` and `vectors`.
#[unsafe(naked)]
unsafe extern "C" fn run(
    record: *const i32,
    vectors: *const Vectors<'_>,
    recurrent_biases: *const [i32; 6],
    rows: *mut FourRows,
) {
    naked_asm!(
        cpu!(),
        "push {{r1, r3-r11, lr}}",
        "ldm r2, {{r2-r7}}",
        "ldm r1, {{r1, r8, r9}}",
        "add r3, r8",
        // Jumps by the distance in r9 from the instruction after NOP: `pc` reads as the address of this ADD plus 4.
        "add pc, r9",
        "nop",
        "3:",
        turn!(),
        "adds r3, r3, #0x10000",
        "bmi 3b",
        "ldmia r0!, {{r8-r11}}",
        first_rows!(),
        "ldr r1, [sp, #4]",
        requantize!(),
        "strd r2, r4, [r1, #4]",
        "strd r5, r7, [r1, #12]",
        "ldr r1, [sp]",
        "push {{r10, r11}}",
        "ldrd r8, r9, [r1, #16]",
        "ldr r1, [r1, #12]",
        "ldmia r0!, {{r2-r7}}",
        "add r3, r8",
        "add pc, r9",
        "nop",
        // Precomputed sums.
        "ldmia r1!, {{r2, r4, r5, r7}}",
        "nop",
        "add.w r2, r2, r4, asr #8",
        "add.w r5, r5, r7, asr #8",
        "b.w 8f",
        "4:",
        turn!(),
        "adds r3, r3, #0x10000",
        "bmi 4b",
        first_rows!(),
        "8:",
        "pop {{r8, r9}}",
        "ldr r1, [sp, #4]",
        requantize!(),
        "strd r2, r4, [r1, #20]",
        "strd r5, r7, [r1, #28]",
        "pop {{r1, r3-r11, pc}}",
    )
}

/// Returns the new state of a GRU unit, Q30: see `layers::gru::unit`. `r`, `z`: the sum of both halves of each
/// pre-activation; `xn`, `hn`: the halves of that of n; `shift`: the shift of the layer.
#[inline(always)]
pub(crate) fn gru_unit([r, z]: [i32; 2], [xn, hn]: [i32; 2], shift: u32, mut state: i32) -> i32 {
    // SAFETY: reads the tables at an index of −128 to 127 from their middle, and writes only registers.
    unsafe {
        asm!(
            cpu!(),
            "lsl {r}, {r}, {shift}",
            activate_from!("{r}", "{sigmoid}"),
            "lsl {z}, {z}, {shift}",
            activate_from!("{z}", "{sigmoid}"),
            "smlawt {n}, {hn}, {r}, {n}",
            "lsl {n}, {n}, {shift}",
            activate_from!("{n}", "{tanh}"),
            // n + z · (state - n), with n in Q30.
            "asr {n}, {n}, #16",
            "sub {state}, {state}, {n}, lsl #15",
            "smulwt {state}, {state}, {z}",
            "lsl {n}, {n}, #15",
            "add {state}, {n}, {state}, lsl #1",
            r = inout(reg) r => _,
            z = inout(reg) z => _,
            n = inout(reg) xn => _,
            hn = in(reg) hn,
            state = inout(reg) state,
            shift = in(reg) shift,
            sigmoid = in(reg) SIGMOID.as_ptr().wrapping_add(128),
            tanh = in(reg) TANH.as_ptr().wrapping_add(128),
            t = out(reg) _,
            options(pure, readonly, nostack)
        );
    }
    state
}
