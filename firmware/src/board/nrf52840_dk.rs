//! Nordic's nRF52840-DK: a Cortex-M4F at 64 MHz with 1 MB of flash and 256 KB of RAM.
//!
//! ```memory.x
//! MEMORY
//! {
//!   FLASH  : ORIGIN = 0x00000000, LENGTH = 256K
//!   SLOT_A : ORIGIN = 0x00040000, LENGTH = 376K
//!   SLOT_B : ORIGIN = 0x0009e000, LENGTH = 376K
//!   RECORD : ORIGIN = 0x000fc000, LENGTH = 16K
//!   RAM    : ORIGIN = 0x20000000, LENGTH = 256K
//! }
//! ```
//!
//! * UART0 is the console, with TX on P0.06 and RX on P0.08, which the board's debugger connects to a serial port over
//!   USB. The firmware uses the UART without DMA, which buffers six received bytes and has an interrupt for each byte.
//!   With DMA the chip would interrupt only when a whole buffer is full.
//! * The processor's cycle counter is the clock.
//! * The watchdog resets after 8 s. It does not count during sleep.
//! * The log goes to the debugger (RTT).

#[cfg(feature = "log")]
use defmt_rtt as _;
use embassy_nrf::config::{Config, HfclkSource};
use embassy_nrf::gpio::{Input, Level, Output, OutputDrive, Pull};
use embassy_nrf::nvmc::{Nvmc, PAGE_SIZE};
use embassy_nrf::pac::{self, interrupt};
use embassy_nrf::peripherals::NVMC;
use embassy_nrf::wdt::{self, Watchdog, WatchdogHandle};
use embedded_storage::nor_flash::{NorFlash, NorFlashError, NorFlashErrorKind};
use tern_firmware::Hardware;
use tern_firmware::hardware::ResetReason;
use tern_firmware::queue::Received;

use crate::memory_map::{ChipFlash, FlashDriver};
use crate::{RECEIVE_WRITER, processor};

/// The watchdog's timeout, 8 s, at 32,768 Hz.
const WATCHDOG_TICKS: u32 = 8 * 32_768;
const CONSOLE: pac::uart::Uart = pac::UART0;
const TX_PIN: u8 = 6;
const RX_PIN: u8 = 8;

/// The interrupt of the console's UART, for a received byte or an error. The UARTs with and without DMA share it.
#[interrupt]
fn UARTE0() {
    // The position of the overrun among the received bytes is not known; it is reported with the first of them.
    let mut is_overrun = CONSOLE.errorsrc().read().overrun();
    if CONSOLE.events_error().read() != 0 {
        CONSOLE.events_error().write_value(0);
        // Writing ones clears the flags.
        CONSOLE.errorsrc().write_value(CONSOLE.errorsrc().read());
    }
    RECEIVE_WRITER.receive(|| {
        if CONSOLE.events_rxdrdy().read() == 0 {
            return None;
        }
        CONSOLE.events_rxdrdy().write_value(0);
        Some(Received { byte: CONSOLE.rxd().read().rxd(), is_overrun: core::mem::take(&mut is_overrun) })
    });
}

/// Starts the console's UART and its receive interrupt.
fn start_uart() {
    CONSOLE.psel().txd().write(|pin| pin.set_pin(TX_PIN));
    CONSOLE.psel().rxd().write(|pin| pin.set_pin(RX_PIN));
    CONSOLE.baudrate().write(|rate| rate.set_baudrate(pac::uart::vals::Baudrate::Baud115200));
    CONSOLE.enable().write(|enable| enable.set_enable(pac::uart::vals::Enable::Enabled));
    CONSOLE.intenset().write(|interrupts| {
        interrupts.set_rxdrdy(true);
        interrupts.set_error(true);
    });
    CONSOLE.tasks_startrx().write_value(1);
    CONSOLE.tasks_starttx().write_value(1);
    processor::unmask(pac::Interrupt::UARTE0);
}

/// The flash, which is erased in pages.
pub struct Pages;

/// The driver of the flash.
fn flash() -> Nvmc<'static> {
    // SAFETY: nothing else uses the flash: there is one thread, and it accesses the flash only here.
    Nvmc::new(unsafe { NVMC::steal() })
}

impl FlashDriver for Pages {
    const ERASE_BYTES: usize = PAGE_SIZE;
    const WRITE_BYTES: usize = Nvmc::WRITE_SIZE;

    fn erase(address: usize) -> Result<(), NorFlashErrorKind> {
        flash().erase(address as u32, (address + PAGE_SIZE) as u32).map_err(|error| error.kind())
    }

    fn write(address: usize, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        flash().write(address as u32, bytes).map_err(|error| error.kind())
    }
}

/// The board after [`Hardware::start`].
pub struct Board {
    /// `None` if a bootloader has started the watchdog with other settings.
    watchdog: Option<WatchdogHandle>,
}

impl Hardware for Board {
    const NAME: &'static str = "nrf52840-dk";
    const SCRATCH_BYTES: usize = 128 * 1024;
    const CLOCK_HZ: u32 = 64_000_000;

    type Flash = ChipFlash<Pages>;

    fn start() -> Self {
        let mut config = Config::default();
        // The clock from the external crystal, because a serial port needs its accuracy.
        config.hfclk_source = HfclkSource::ExternalXtal;
        let chip = embassy_nrf::init(config);
        processor::start_cycle_counter();

        // The pins of the UART. Dropping one would disconnect it.
        core::mem::forget(Output::new(chip.P0_06, Level::High, OutputDrive::Standard));
        core::mem::forget(Input::new(chip.P0_08, Pull::Up));
        start_uart();

        let mut watchdog_config = wdt::Config::default();
        watchdog_config.timeout_ticks = WATCHDOG_TICKS;
        watchdog_config.action_during_sleep = wdt::SleepConfig::Pause;
        watchdog_config.action_during_debug_halt = wdt::HaltConfig::Pause;
        let watchdog = Watchdog::try_new::<_, 1>(chip.WDT, watchdog_config).ok().map(|(_, [handle])| handle);
        Board { watchdog }
    }

    fn ticks(&mut self) -> u32 {
        processor::cycles()
    }

    fn send_byte(byte: u8) {
        CONSOLE.events_txdrdy().write_value(0);
        CONSOLE.txd().write(|data| data.set_txd(byte));
        while CONSOLE.events_txdrdy().read() == 0 {}
    }

    /// Does nothing, because `send_byte` waits until each byte is sent.
    fn flush() {}

    fn sleep(&mut self) {
        processor::sleep();
    }

    fn feed_watchdog(&mut self) {
        if let Some(watchdog) = &mut self.watchdog {
            watchdog.pet();
        }
    }

    fn reset_cause(&mut self) -> Option<ResetReason> {
        let reasons = pac::POWER.resetreas().read();
        // Writing ones clears the flags.
        pac::POWER.resetreas().write_value(reasons);
        ResetReason::first_set(&[
            (reasons.dog(), ResetReason::Watchdog),
            (reasons.sreq(), ResetReason::Command),
            (reasons.resetpin(), ResetReason::Pin),
            // Power-on and brownout set no flag.
            (reasons.0 == 0, ResetReason::PowerOn),
        ])
    }

    fn reset() -> ! {
        processor::reset()
    }
}
