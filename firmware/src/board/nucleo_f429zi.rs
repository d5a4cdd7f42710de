//! ST's NUCLEO-F429ZI: an STM32F429, a Cortex-M4F at 168 MHz with 2 MB of flash and 192 KB of contiguous RAM.
//!
//! ```memory.x
//! MEMORY
//! {
//!   FLASH  : ORIGIN = 0x08000000, LENGTH = 256K
//!   RECORD : ORIGIN = 0x08040000, LENGTH = 256K
//!   SLOT_A : ORIGIN = 0x08080000, LENGTH = 512K
//!   SLOT_B : ORIGIN = 0x08120000, LENGTH = 512K
//!   RAM    : ORIGIN = 0x20000000, LENGTH = 192K
//! }
//! ```
//!
//! build.rs writes this block to the linker script. `RECORD` is the update record, and `SLOT_A` and `SLOT_B` are the
//! model slots (docs/update.md). All three are in sectors of 128 KB. The flash has two banks, at 0x08000000 and
//! 0x08100000, and the first 128 KB of each bank are smaller sectors, so no model slot covers them.
//!
//! * USART3 is the console, with TX on PD8 and RX on PD9: the ST-LINK's serial port over USB.
//! * The processor's cycle counter is the clock.
//! * The independent watchdog resets after 8 s.
//! * The log goes to the debugger (RTT).

mod stm32_flash;

#[cfg(feature = "log")]
use defmt_rtt as _;
use embassy_stm32::pac::{self, interrupt};
use embassy_stm32::peripherals::IWDG;
use embassy_stm32::rcc::{
    AHBPrescaler, APBPrescaler, Hse, HseMode, Pll, PllMul, PllPDiv, PllPreDiv, PllQDiv, PllSource, Sysclk,
};
use embassy_stm32::time::Hertz;
use embassy_stm32::usart::Uart;
use embassy_stm32::wdg::IndependentWatchdog;
use tern_firmware::Hardware;
use tern_firmware::hardware::ResetReason;
use tern_firmware::queue::Received;

use self::stm32_flash::Stm32Flash;
use crate::memory_map::ChipFlash;
use crate::{RECEIVE_WRITER, processor};

const WATCHDOG_MICROSECONDS: u32 = 8_000_000;
const CONSOLE: pac::usart::Usart = pac::USART3;

/// Returns the configuration of the clocks. The ST-LINK supplies 8 MHz, and the PLL makes 8 MHz / 4 · 168 / 2 = 168 MHz
/// of it.
fn clocks() -> embassy_stm32::Config {
    let mut config = embassy_stm32::Config::default();
    config.rcc.hse = Some(Hse { freq: Hertz(8_000_000), mode: HseMode::Bypass });
    config.rcc.pll_src = PllSource::HSE;
    config.rcc.pll = Some(Pll {
        prediv: PllPreDiv::DIV4,
        mul: PllMul::MUL168,
        divp: Some(PllPDiv::DIV2),
        // 48 MHz for USB, which this firmware does not use.
        divq: Some(PllQDiv::DIV7),
        divr: None,
    });
    config.rcc.ahb_pre = AHBPrescaler::DIV1;
    config.rcc.apb1_pre = APBPrescaler::DIV4;
    config.rcc.apb2_pre = APBPrescaler::DIV2;
    config.rcc.sys = Sysclk::PLL1_P;
    config
}

#[interrupt]
fn USART3() {
    RECEIVE_WRITER.receive(|| {
        let state = CONSOLE.sr().read();
        if !state.rxne() && !state.ore() {
            return None;
        }
        // Reading the state and then the byte clears both flags, that of the received byte and that of the overrun.
        Some(Received { byte: CONSOLE.dr().read().dr() as u8, is_overrun: state.ore() })
    });
}

/// The board after [`Hardware::start`].
pub struct Board {
    watchdog: IndependentWatchdog<'static, IWDG>,
}

impl Hardware for Board {
    const NAME: &'static str = "nucleo-f429zi";
    const SCRATCH_BYTES: usize = 96 * 1024;
    const CLOCK_HZ: u32 = 168_000_000;

    /// The driver erases only the record and the slots, which are in sectors of 128 KB.
    type Flash = ChipFlash<Stm32Flash<{ 128 * 1024 }>>;

    fn start() -> Self {
        let chip = embassy_stm32::init(clocks());
        processor::start_cycle_counter();

        // 115,200 baud, 8 data bits, no parity, one stop bit.
        let config = embassy_stm32::usart::Config::default();
        let Ok(uart) = Uart::new_blocking(chip.USART3, chip.PD9, chip.PD8, config) else {
            panic!("USART3 refuses 115,200 baud")
        };
        // Dropping the driver would switch the port off.
        core::mem::forget(uart);
        CONSOLE.cr1().modify(|control| control.set_rxneie(true));
        processor::unmask(pac::Interrupt::USART3);

        let mut watchdog = IndependentWatchdog::new(chip.IWDG, WATCHDOG_MICROSECONDS);
        watchdog.unleash();
        Board { watchdog }
    }

    fn ticks(&mut self) -> u32 {
        processor::cycles()
    }

    fn send_byte(byte: u8) {
        while !CONSOLE.sr().read().txe() {}
        CONSOLE.dr().write(|data| data.set_dr(byte.into()));
    }

    fn flush() {
        while !CONSOLE.sr().read().tc() {}
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
        // Any reset also sets the flag of the reset pin, and power-on also that of the brownout, so the order matters.
        ResetReason::first_set(&[
            (flags.porrstf(), ResetReason::PowerOn),
            (flags.borrstf(), ResetReason::Brownout),
            (flags.wdgrstf() || flags.wwdgrstf(), ResetReason::Watchdog),
            (flags.sftrstf(), ResetReason::Command),
            (flags.padrstf(), ResetReason::Pin),
        ])
    }

    fn reset() -> ! {
        processor::reset()
    }
}
