//! `mps2-an385`, `an386`, `an500`, `an505` and `mps3-an547`: vectors, and a timer as a counter of instructions.
//!
//! The emulator runs with `-icount`, so that each instruction takes the same time. The linker scripts define this time,
//! the addresses of the timer's registers, and the length of a tick of the timer.

use core::arch::global_asm;
use core::ptr::with_exposed_provenance_mut;

global_asm!(
    ".section .start, \"ax\"",
    ".word __stack_start",
    ".word reset",
    ".word {fault}", // NMI
    ".word {fault}", // hard fault; all others become this one
    ".text",
    fault = sym fault,
);

/// The processor starts here.
#[unsafe(no_mangle)]
extern "C" fn reset() -> ! {
    // The hard-float target may keep values in floating-point registers: switch these on. A core without such registers
    // ignores the write.
    write(0xe000_ed88, 0xf << 20);
    // Count down from the largest value.
    write((&raw const __timer_reload).addr(), largest());
    write((&raw const __timer_value).addr(), largest());
    write((&raw const __timer_control).addr(), (&raw const __timer_on).addr() as u32);
    crate::main()
}

extern "C" fn fault() -> ! {
    panic!("the processor faulted")
}

// Symbols whose addresses are numbers of the linker script.
unsafe extern "C" {
    static __timer_control: u8;
    static __timer_value: u8;
    static __timer_reload: u8;
    static __timer_on: u8;
    static __timer_largest: u8;
    static __timer_tick_ps: u8;
    static __instruction_ps: u8;
}

/// The largest value of the timer, 2^n − 1.
fn largest() -> u32 {
    (&raw const __timer_largest).addr() as u32
}

fn write(register: usize, value: u32) {
    // SAFETY: the callers pass addresses of 32-bit registers of this board, none of which writes to memory.
    unsafe { with_exposed_provenance_mut::<u32>(register).write_volatile(value) }
}

/// A reading of the counter, for [`instructions_since`].
pub struct Moment(u32);

/// Reads the counter.
pub fn instructions() -> Moment {
    // SAFETY: reading the timer changes nothing.
    Moment(unsafe { with_exposed_provenance_mut::<u32>((&raw const __timer_value).addr()).read_volatile() })
}

/// Returns the number of instructions since a reading. At most about 2^31 can be counted, on `an547` 2^29.
pub fn instructions_since(Moment(before): Moment) -> u32 {
    let Moment(now) = instructions();
    let [tick_ps, instruction_ps] =
        [(&raw const __timer_tick_ps).addr() as u64, (&raw const __instruction_ps).addr() as u64];
    (u64::from(before.wrapping_sub(now) & largest()) * tick_ps / instruction_ps) as u32
}
