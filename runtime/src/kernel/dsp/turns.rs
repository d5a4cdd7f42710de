//! The assembly of a loop over the columns of four rows in the packing `paired16`, as macros for the steps of every
//! cell: `dsp.rs` describes the sums.

/// The number of columns of a block.
pub(super) const BLOCK: usize = 4;
/// The number of blocks of a turn, which is an iteration of the unrolled loop.
pub(super) const TURN: usize = 4;
/// The bytes of code of a block.
pub(super) const BLOCK_BYTES: usize = 56;

/// The directive by which the assembler of Armv8-M accepts DSP instructions. `build.rs` sets the `cfg` only if the chip
/// has them.
#[cfg(helium)]
macro_rules! cpu {
    () => {
        ".cpu cortex-m55"
    };
}
#[cfg(all(cortex_m33, not(helium)))]
macro_rules! cpu {
    () => {
        ".cpu cortex-m33"
    };
}
#[cfg(not(cortex_m33))]
macro_rules! cpu {
    () => {
        ""
    };
}

/// Adds the columns of a turn to the sums. Words of `paired16` are in r8-r11, activations in r12 and lr; the 64-bit sum
/// of the rows `i f` is in r2 and r3, the sum of f in r4; that of the rows `g o` is in r5 and r6, the sum of o in r7.
macro_rules! turn {
    () => {
        concat!(block!(), block!(), block!(), block!())
    };
}
/// Adds one block of columns to the sums, as in `turn`: [`BLOCK_BYTES`] of code.
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
/// Computes the sums of the first rows, in r2 and r5: the lower word of each 64-bit sum shifted right by 8.
macro_rules! first_rows {
    () => {
        "lsrs r2, r2, #8\n orr r2, r2, r3, lsl #24\n lsrs r5, r5, #8\n orr r5, r5, r6, lsl #24\n"
    };
}
