//! `mps2-an385`, `an386`, `an500` and `an505`: vectors, and TIMER0 as a counter of instructions.
//!
//! The emulator runs with `-icount shift=6`: an instruction takes 64 ns. A timer tick is 40 ns, on `an505` 50 ns.

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
    // The hard-float target may keep values in floating-point registers: switch them on. A core without any ignores it.
    write(0xe000_ed88, 0xf << 20);
    // TIMER0: count down from the largest value.
    write(timer() + TIMER_RELOAD, u32::MAX);
    write(timer() + TIMER_VALUE, u32::MAX);
    write(timer() + TIMER_CONTROL, 1);
    crate::main()
}

extern "C" fn fault() -> ! {
    panic!("the processor faulted")
}

unsafe extern "C" {
    static __timer: u8;
    static __timer_tick_ns: u8;
}

/// The offsets of the timer's registers.
const TIMER_CONTROL: usize = 0;
const TIMER_VALUE: usize = 4;
const TIMER_RELOAD: usize = 8;

/// The address of TIMER0, from the linker script.
fn timer() -> usize {
    (&raw const __timer).addr()
}

fn write(register: usize, value: u32) {
    // SAFETY: the callers name 32-bit registers of this board; none of them writes to memory.
    unsafe { with_exposed_provenance_mut::<u32>(register).write_volatile(value) }
}

/// A reading of the counter, for [`instructions_since`].
pub struct Moment(u32);

/// Reads the counter.
pub fn instructions() -> Moment {
    // SAFETY: reading the timer changes nothing.
    Moment(unsafe { with_exposed_provenance_mut::<u32>(timer() + TIMER_VALUE).read_volatile() })
}

/// The number of instructions since then, at most about 2^31.
pub fn instructions_since(Moment(before): Moment) -> u32 {
    let Moment(now) = instructions();
    let tick_ns = (&raw const __timer_tick_ns).addr() as u64;
    (u64::from(before.wrapping_sub(now)) * tick_ns / 64) as u32
}
