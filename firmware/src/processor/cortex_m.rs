//! The functions of the processor on Cortex-M: entry point, sleep, cycle counter, reset, interrupts and faults. The
//! module `riscv.rs` takes the place of this one on RISC-V.

#[path = "memory.rs"]
mod memory;

pub use cortex_m::asm::wfi as sleep;
use cortex_m::interrupt::InterruptNumber;
pub use cortex_m::interrupt::disable as mask_interrupts;
#[cfg(not(armv6m))]
use cortex_m::peripheral::DWT;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{NVIC, SCB};
pub use cortex_m_rt::entry;
use cortex_m_rt::{ExceptionFrame, exception};

/// The largest value that the timer SysTick can count down from, in cycles: it has 24 bits.
const MAX_SYSTICK: u32 = (1 << 24) - 1;

/// Returns true if interrupts are masked: after [`mask_interrupts`], and in a critical section.
#[allow(dead_code, reason = "only boards that send in an interrupt use it")]
pub fn are_interrupts_masked() -> bool {
    // PRIMASK = 1, which masks interrupts, is named `Inactive`, after the interrupts.
    cortex_m::register::primask::read().is_inactive()
}

/// Sleeps as [`sleep`] does, but for at most 2^24 cycles, so that a watchdog that runs during sleep is fed in time.
///
/// The timer runs only during the sleep: at other times its interrupt would count as part of a model's time.
#[allow(dead_code, reason = "only boards with such a watchdog use it")]
pub fn sleep_for_a_while() {
    // SAFETY: nothing else uses this timer.
    let mut timer = unsafe { cortex_m::Peripherals::steal() }.SYST;
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(MAX_SYSTICK);
    timer.clear_current();
    timer.enable_interrupt();
    timer.enable_counter();
    sleep();
    timer.disable_counter();
    timer.disable_interrupt();
}

/// Starts the cycle counter for [`cycles`]. Cortex-M0 and M0+ have none.
#[cfg(not(armv6m))]
#[allow(dead_code, reason = "QEMU has no such counter")]
pub fn start_cycle_counter() {
    // SAFETY: nothing else uses this counter.
    let mut core = unsafe { cortex_m::Peripherals::steal() };
    core.DCB.enable_trace();
    core.DWT.enable_cycle_counter();
}

/// The count of the processor's cycles, without those during sleep. After 2^32 − 1 comes 0.
#[cfg(not(armv6m))]
#[allow(dead_code, reason = "QEMU has no such counter")]
pub fn cycles() -> u32 {
    DWT::cycle_count()
}

/// Resets the processor and the peripherals.
pub fn reset() -> ! {
    SCB::sys_reset()
}

/// A handler of an interrupt, as the vector table holds it.
#[allow(dead_code, reason = "a library has its own table")]
pub type Handler = extern "C" fn();

/// The number of a peripheral's interrupt in the vector table, for boards without a hardware abstraction library.
#[allow(dead_code, reason = "a library has its own numbers")]
#[derive(Clone, Copy)]
pub struct Interrupt(pub u16);

#[allow(dead_code, reason = "a library has its own table")]
impl Interrupt {
    /// The length of a vector table that ends with this interrupt.
    pub const fn vectors(self) -> usize {
        self.0 as usize + 1
    }

    /// Returns the vector table of the peripherals' interrupts for a board that unmasks only this one, which `handler`
    /// handles. `N` must be at least [`vectors`](Self::vectors).
    pub const fn handled_by<const N: usize>(self, handler: Handler) -> [Handler; N] {
        let mut vectors = [unhandled as Handler; N];
        vectors[self.0 as usize] = handler;
        vectors
    }
}

/// The handler of the interrupts that are never unmasked. It is never called.
extern "C" fn unhandled() {
    panic!("an interrupt without a handler")
}

// SAFETY: the number of an `Interrupt` never changes.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self.0
    }
}

/// Unmasks a peripheral's interrupt. Its handler must be in the vector table.
pub fn unmask(interrupt: impl InterruptNumber) {
    // SAFETY: no critical section relies on a single masked interrupt; critical sections mask all interrupts.
    unsafe { NVIC::unmask(interrupt) }
}

/// Handles the timer's interrupt, which only has to end the sleep of [`sleep_for_a_while`].
#[exception]
fn SysTick() {}

// SAFETY: the handler never returns, and of the state that the faulting code may have left inconsistent it uses only
// the serial ports.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    crate::stop(format_args!("hard fault at {:#010x}", frame.pc()))
}
