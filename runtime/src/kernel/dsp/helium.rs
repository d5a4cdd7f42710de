//! The columns of an LSTM step for cores with the vector extension Helium: Cortex-M55 and M85.
//!
//! A vector is eight columns. VLD2 loads the words of its rows `i f` into one register and those of its rows `g o` into
//! another, and nine instructions do 32 multiply-accumulates. If the columns are not whole vectors, a block of four
//! columns comes first, in DSP instructions. The rest of the step is the same as on the other cores. VMLADAVA adds only
//! to an even register, and VMLALDAVA only to a pair of an even and an odd register. So the sums are in other registers
//! than on the other cores: the 64-bit sum of `i f` in r2 and r3, f in r4; the 64-bit sum of `g o` in r6 and r7, o in
//! r8.
//!
//! These macros replace those of the same names in `dsp.rs`, whose documentation applies here, too.

/// The number of columns of a vector.
pub(super) const VECTOR: usize = 8;

/// The registers of the sums, as a list.
macro_rules! sums {
    () => {
        "r2-r4, r6-r8"
    };
}
/// Adds a block of columns, unless the loop was entered after it, then the vectors, whose number is at `$vectors`: a
/// place on the stack, where `push_vectors` has put it.
macro_rules! columns {
    ($vectors:literal) => {
        concat!(
            "ldmia r0!, {{r9-r12}}\n ldrd r5, lr, [r1], #8\n",
            "smlald r2, r3, r9, r5\n sxtb16 r9, r9\n smlad r4, r9, r5, r4\n",
            "smlald r6, r7, r10, r5\n sxtb16 r10, r10\n smlad r8, r10, r5, r8\n",
            "smlald r2, r3, r11, lr\n sxtb16 r11, r11\n smlad r4, r11, lr, r4\n",
            "smlald r6, r7, r12, lr\n sxtb16 r12, r12\n smlad r8, r12, lr, r8\n",
            "ldrh lr, ",
            $vectors,
            "\n wls lr, lr, 32f\n",
            "31:\n vld20.32 {{q0, q1}}, [r0]\n vld21.32 {{q0, q1}}, [r0]!\n vldrh.u16 q2, [r1], #16\n",
            "vmlaldava.s16 r2, r3, q0, q2\n vmovlb.s8 q0, q0\n vmladava.s16 r4, q0, q2\n",
            "vmlaldava.s16 r6, r7, q1, q2\n vmovlb.s8 q1, q1\n vmladava.s16 r8, q1, q2\n",
            "le lr, 31b\n 32:\n",
        )
    };
}
// The word that `push_vectors` has pushed is at `sp + 84`: the number of vectors of the input, then of the hidden
// state. While the input projection is summed, six more words are on the stack.
macro_rules! recurrent_columns {
    () => {
        concat!("3:\n", columns!("[sp, #86]"))
    };
}
macro_rules! input_columns {
    () => {
        concat!("4:\n", columns!("[sp, #108]"))
    };
}
macro_rules! lstm_first_rows {
    () => {
        concat!("lsrs r2, r2, #8\n orr r2, r2, r3, lsl #24\n lsrs r5, r6, #8\n orr r5, r5, r7, lsl #24\n mov r7, r8\n")
    };
}
macro_rules! push_vectors {
    () => {
        "ldr r12, [r0, #28]\n push {{r12}}"
    };
}
macro_rules! pop_vectors {
    () => {
        "add sp, #4"
    };
}
