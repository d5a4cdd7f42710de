//! Cortex-M: entry point, sleep, cycle counter, reset and faults.

pub use cortex_m::asm::wfi as sleep;
pub use cortex_m::interrupt::disable as mask_interrupts;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{DCB, DWT, SCB, SYST};
pub use cortex_m_rt::entry;
use cortex_m_rt::{ExceptionFrame, exception};

/// The longest time of SysTick, which has 24 bits, in cycles.
const MAX_SYSTICK: u32 = (1 << 24) - 1;

/// Sleeps as [`sleep`] does, but for at most 2^24 cycles, in time for a watchdog that runs during sleep.
///
/// The timer runs only here, since its interrupt elsewhere would be measured as part of a model's time.
#[allow(dead_code, reason = "only boards with such a watchdog use it")]
pub fn sleep_for_a_while(timer: &mut SYST) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(MAX_SYSTICK);
    timer.clear_current();
    timer.enable_interrupt();
    timer.enable_counter();
    sleep();
    timer.disable_counter();
    timer.disable_interrupt();
}

/// Starts the cycle counter for [`cycles`].
#[allow(dead_code, reason = "QEMU has no such counter")]
pub fn start_cycle_counter(debug: &mut DCB, counter: &mut DWT) {
    debug.enable_trace();
    counter.enable_cycle_counter();
}

/// The processor's cycles, without those during sleep.
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

// SAFETY: it uses only the serial ports of what the faulting code may have left inconsistent, and never returns.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    crate::stop(format_args!("hard fault at {:#010x}", frame.pc()))
}
