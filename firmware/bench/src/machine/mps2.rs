//! `mps2-an385` and `mps2-an386`: vectors, and TIMER0 as a counter of instructions.
//!
//! The emulator runs with `-icount shift=6`: an instruction takes 64 ns, a tick of the 25 MHz timer 40 ns.

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
    write(TIMER_RELOAD, u32::MAX);
    write(TIMER_VALUE, u32::MAX);
    write(TIMER_CONTROL, 1);
    crate::main()
}

extern "C" fn fault() -> ! {
    panic!("the processor faulted")
}

const TIMER_CONTROL: usize = 0x4000_0000;
const TIMER_VALUE: usize = 0x4000_0004;
const TIMER_RELOAD: usize = 0x4000_0008;

fn write(register: usize, value: u32) {
    // SAFETY: the callers name 32-bit registers of this board; none of them writes to memory.
    unsafe { with_exposed_provenance_mut::<u32>(register).write_volatile(value) }
}

/// A reading of the counter, for [`instructions_since`].
pub struct Moment(u32);

/// Reads the counter.
pub fn instructions() -> Moment {
    // SAFETY: reading the timer changes nothing.
    Moment(unsafe { with_exposed_provenance_mut::<u32>(TIMER_VALUE).read_volatile() })
}

/// The number of instructions since then, at most about 2^31.
pub fn instructions_since(Moment(before): Moment) -> u32 {
    let Moment(now) = instructions();
    (u64::from(before.wrapping_sub(now)) * 40 / 64) as u32
}
