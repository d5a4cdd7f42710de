//! QEMU's Arm boards `mps2-an385`, `mps2-an386`, `mps2-an500`, `mps2-an505` and `mps3-an547`: the start, and a counter
//! of instructions made from a timer.
//!
//! The emulator runs with `-icount`, so that each instruction takes the same time, and the ticks of a timer give the
//! number of instructions. The board's linker script (`mps2.x`, `an505.x` or `an547.x`) defines the time of an
//! instruction and of a tick, and the timer's registers.

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

/// The entry point: the processor jumps here, with the stack pointer set from the first vector.
#[unsafe(no_mangle)]
extern "C" fn reset() -> ! {
    /// The register CPACR, which permits access to coprocessors.
    const COPROCESSOR_ACCESS: usize = 0xe000_ed88;
    /// Full access to the coprocessors 10 and 11, which are the floating-point unit.
    const FLOATING_POINT: u32 = 0b1111 << 20;
    // The hard-float target may keep values in floating-point registers. A core without such registers ignores this.
    write(COPROCESSOR_ACCESS, FLOATING_POINT);
    // The timer counts down, and begins again with its largest value after 0.
    write((&raw const __timer_reload).addr(), timer_largest());
    write((&raw const __timer_value).addr(), timer_largest());
    write((&raw const __timer_control).addr(), (&raw const __timer_on).addr() as u32);
    crate::main()
}

extern "C" fn fault() -> ! {
    panic!("the processor faulted")
}

// Symbols of the linker script. Each stands for a number, which is its address: the address of a register
// (`control`, `value`, `reload`), the value that switches the timer on, the timer's largest value, and two times in
// picoseconds.
unsafe extern "C" {
    static __timer_control: u8;
    static __timer_value: u8;
    static __timer_reload: u8;
    static __timer_on: u8;
    static __timer_largest: u8;
    static __timer_tick_ps: u8;
    static __instruction_ps: u8;
}

/// Returns the largest value of the timer, 2^n − 1 for a timer of n bits.
fn timer_largest() -> u32 {
    (&raw const __timer_largest).addr() as u32
}

/// Writes a 32-bit register of the board.
fn write(register: usize, value: u32) {
    // SAFETY: the callers pass addresses of 32-bit registers of this board, and none of these changes memory.
    unsafe { with_exposed_provenance_mut::<u32>(register).write_volatile(value) }
}

/// A value of the timer, for [`instructions_since`].
pub struct CounterReading(u32);

/// Reads the timer.
pub fn read_counter() -> CounterReading {
    // SAFETY: reading the timer changes nothing.
    CounterReading(unsafe { with_exposed_provenance_mut::<u32>((&raw const __timer_value).addr()).read_volatile() })
}

/// Returns the number of instructions since a reading, exact to one tick of the timer. The result is wrong after the
/// timer has wrapped: after about 2^31 instructions, on `mps3-an547` 2^29.
pub fn instructions_since(CounterReading(before): CounterReading) -> u32 {
    let CounterReading(now) = read_counter();
    let [tick_ps, instruction_ps] =
        [(&raw const __timer_tick_ps).addr() as u64, (&raw const __instruction_ps).addr() as u64];
    // The mask makes the difference right for a timer of fewer than 32 bits.
    (u64::from(before.wrapping_sub(now) & timer_largest()) * tick_ps / instruction_ps) as u32
}
