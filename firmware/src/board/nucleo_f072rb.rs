//! ST's NUCLEO-F072RB: an STM32F072, a Cortex-M0 at 48 MHz with 16 KB of RAM. It runs the firmware without updates, in
//! 64 KB of the flash, as much as an STM32F072C8 has.
//!
//! ```memory.x
//! MEMORY
//! {
//!   FLASH  : ORIGIN = 0x08000000, LENGTH = 46K
//!   SLOT_A : ORIGIN = 0x0800b800, LENGTH = 18K
//!   SLOT_B : ORIGIN = 0x08010000, LENGTH = 0
//!   RECORD : ORIGIN = 0x08010000, LENGTH = 0
//!   RAM    : ORIGIN = 0x20000000, LENGTH = 16K
//! }
//! ```
//!
//! * USART2 is the console, with TX on PA2 and RX on PA3, which the board's debugger (ST-LINK) connects to a serial
//!   port over USB.
//! * TIM2 is the clock: 32 bits, wrapping after 89 s. A Cortex-M0 has no cycle counter.
//! * The independent watchdog resets after 8 s.

mod stm32_flash;

use embassy_stm32::pac::{self, interrupt};
use embassy_stm32::peripherals::IWDG;
use embassy_stm32::rcc::Sysclk;
use embassy_stm32::usart::Uart;
use embassy_stm32::wdg::IndependentWatchdog;
use tern_firmware::Hardware;
use tern_firmware::hardware::ResetReason;
use tern_firmware::queue::Received;

use self::stm32_flash::Stm32Flash;
use crate::memory_map::ChipFlash;
use crate::{RECEIVE_WRITER, processor};

const WATCHDOG_MICROSECONDS: u32 = 8_000_000;
const CONSOLE: pac::usart::Usart = pac::USART2;
/// The timer that counts ticks.
const CLOCK: pac::timer::TimGp32 = pac::TIM2;

/// The console's receive interrupt.
#[interrupt]
fn USART2() {
    RECEIVE_WRITER.receive(|| {
        let state = CONSOLE.isr().read();
        let is_overrun = state.ore();
        if is_overrun {
            CONSOLE.icr().write(|clear| clear.set_ore(true));
        }
        let is_received = state.rxne() || is_overrun;
        is_received.then(|| Received { byte: CONSOLE.rdr().read().dr() as u8, is_overrun })
    });
}

/// The board after [`Hardware::start`].
pub struct Board {
    watchdog: IndependentWatchdog<'static, IWDG>,
}

impl Hardware for Board {
    const NAME: &'static str = "nucleo-f072rb";
    const SCRATCH_BYTES: usize = 4 * 1024;
    const CLOCK_HZ: u32 = 48_000_000;

    /// The flash has pages of 2 KB.
    type Flash = ChipFlash<Stm32Flash<2048>>;

    fn start() -> Self {
        let mut config = embassy_stm32::Config::default();
        // The oscillator that is trimmed for USB: 48 MHz without a crystal.
        config.rcc.hsi48 = Some(Default::default());
        config.rcc.sys = Sysclk::HSI48;
        let chip = embassy_stm32::init(config);

        pac::RCC.apb1enr().modify(|enable| enable.set_tim2en(true));
        CLOCK.arr().write_value(u32::MAX);
        CLOCK.cr1().modify(|control| control.set_cen(true));

        // The default is 115,200 baud, 8 data bits, no parity and one stop bit.
        let uart_config = embassy_stm32::usart::Config::default();
        let Ok(uart) = Uart::new_blocking(chip.USART2, chip.PA3, chip.PA2, uart_config) else {
            panic!("USART2 refuses 115,200 baud")
        };
        // Dropping the driver would switch the port off.
        core::mem::forget(uart);
        CONSOLE.cr1().modify(|control| control.set_rxneie(true));
        processor::unmask(pac::Interrupt::USART2);

        let mut watchdog = IndependentWatchdog::new(chip.IWDG, WATCHDOG_MICROSECONDS);
        watchdog.unleash();
        Board { watchdog }
    }

    fn ticks(&mut self) -> u32 {
        CLOCK.cnt().read()
    }

    fn send_byte(byte: u8) {
        while !CONSOLE.isr().read().txe() {}
        CONSOLE.tdr().write(|data| data.set_dr(byte.into()));
    }

    fn flush() {
        while !CONSOLE.isr().read().tc() {}
    }

    fn sleep(&mut self) {
        processor::sleep_for_a_while();
    }

    fn feed_watchdog(&mut self) {
        self.watchdog.pet();
    }

    fn reset_cause(&mut self) -> Option<ResetReason> {
        let flags = pac::RCC.csr().read();
        pac::RCC.csr().modify(|csr| csr.set_rmvf(true));
        // The order matters: every reset also sets the flag of the reset pin.
        ResetReason::first_set(&[
            (flags.porrstf(), ResetReason::PowerOn),
            (flags.iwdgrstf() || flags.wwdgrstf(), ResetReason::Watchdog),
            (flags.sftrstf(), ResetReason::Command),
            (flags.pinrstf(), ResetReason::Pin),
        ])
    }

    fn reset() -> ! {
        processor::reset()
    }
}
