//! QEMU's RISC-V `virt`: the start, and the processor's own counter of instructions.
//!
//! The emulator runs with `-icount shift=0`, which makes the counter exact.

use core::arch::{asm, global_asm};

global_asm!(
    ".section .start, \"ax\"",
    ".globl reset",
    "reset:",
    "la sp, __stack_start",
    "la t0, trap",
    "csrw mtvec, t0",
    "j {start}",
    // The address of a trap handler must be a multiple of 4; that of a function with compressed instructions need not
    // be.
    ".p2align 2",
    "trap:",
    "j {fault}",
    ".text",
    fault = sym fault,
    start = sym start,
);

extern "C" fn start() -> ! {
    crate::main()
}

extern "C" fn fault() -> ! {
    panic!("the processor trapped")
}

/// A reading of the counter, for [`instructions_since`].
pub struct Moment(u32);

/// Reads the counter.
pub fn instructions() -> Moment {
    let counter;
    // SAFETY: only reads a counter. The compiler moves no memory access over it, because `nomem` is not stated.
    unsafe { asm!("csrr {0}, minstret", out(reg) counter, options(nostack, preserves_flags)) }
    Moment(counter)
}

/// Returns the number of instructions since a reading, modulo 2^32.
pub fn instructions_since(Moment(before): Moment) -> u32 {
    let Moment(now) = instructions();
    now.wrapping_sub(before)
}
