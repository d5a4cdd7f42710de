//! QEMU's RISC-V board `virt`: the start-up code, and the processor's own counter of instructions, `minstret`.
//!
//! The emulator runs with `-icount shift=0`, which makes this counter exact.

use core::arch::{asm, global_asm};

// The entry point `reset`: sets the stack pointer and the trap handler, and jumps to `start`. The program has no
// `.data`, and the emulator's loader clears `.bss` (`sections.x`).
global_asm!(
    ".section .start, \"ax\"",
    ".globl reset",
    "reset:",
    "la sp, __stack_start",
    "la t0, trap",
    "csrw mtvec, t0",
    "j {start}",
    // The address of a trap handler must be a multiple of 4. That of a Rust function may be only a multiple of 2,
    // because it has compressed instructions.
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

/// The lower 32 bits of the counter, for [`instructions_since`].
pub struct CounterReading(u32);

/// Reads the counter.
pub fn read_counter() -> CounterReading {
    let counter;
    // SAFETY: this only reads a counter. The option `nomem` is left out, so memory accesses stay before or after it.
    unsafe { asm!("csrr {0}, minstret", out(reg) counter, options(nostack, preserves_flags)) }
    CounterReading(counter)
}

/// Returns the number of instructions since a reading, modulo 2^32.
pub fn instructions_since(CounterReading(before): CounterReading) -> u32 {
    let CounterReading(now) = read_counter();
    now.wrapping_sub(before)
}
