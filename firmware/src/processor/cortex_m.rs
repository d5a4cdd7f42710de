//! Cortex-M: entry, sleep, reset, faults.

pub use cortex_m::asm::wfi as sleep;
pub use cortex_m::interrupt::disable as mask_interrupts;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{DCB, DWT, SCB, SYST};
pub use cortex_m_rt::entry;
use cortex_m_rt::{ExceptionFrame, exception};

/// SysTick counts 24 bits.
const LONGEST: u32 = (1 << 24) - 1;

/// Sleeps as [`sleep`] does, and no longer than 2^24 cycles. For a watchdog that runs on while the processor sleeps.
///
/// The timer runs here only: an interrupt of it elsewhere would be counted as work.
#[allow(dead_code, reason = "not every board has such a watchdog")]
pub fn sleep_for_a_while(timer: &mut SYST) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(LONGEST);
    timer.clear_current();
    timer.enable_interrupt();
    timer.enable_counter();
    sleep();
    timer.disable_counter();
    timer.disable_interrupt();
}

/// Lets the cycle counter run, for [`cycles`].
#[allow(dead_code, reason = "QEMU has no such counter")]
pub fn start_cycle_counter(debug: &mut DCB, counter: &mut DWT) {
    debug.enable_trace();
    counter.enable_cycle_counter();
}

/// The processor's cycles, without those that it slept.
#[allow(dead_code, reason = "QEMU has no such counter")]
pub fn cycles() -> u32 {
    DWT::cycle_count()
}

/// Resets the processor and the peripherals.
pub fn reset() -> ! {
    SCB::sys_reset()
}

#[exception]
fn SysTick() {}

// SAFETY: it touches nothing that the faulting code may have left half done but the serial ports, and never returns.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    crate::stop(format_args!("hard fault at {:#010x}", frame.pc()))
}
