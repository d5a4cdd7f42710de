//! Raspberry Pi Pico, with an RP2040, and Pico 2, with an RP2350. The features `pico` and `pico2` select the board.
//!
//! build.rs writes the board's `memory.x` block to the linker script. `RECORD` is the update record, and `SLOT_A` and
//! `SLOT_B` are the model slots (docs/update.md).
//!
//! `pico`: one of the Cortex-M0+ runs at 125 MHz, with 2 MB of flash and 264 KB of RAM.
//!
//! ```memory.x pico
//! MEMORY
//! {
//!   BOOT2  : ORIGIN = 0x10000000, LENGTH = 0x100
//!   FLASH  : ORIGIN = 0x10000100, LENGTH = 256K - 0x100
//!   SLOT_A : ORIGIN = 0x10040000, LENGTH = 864K
//!   SLOT_B : ORIGIN = 0x10118000, LENGTH = 864K
//!   RECORD : ORIGIN = 0x101f0000, LENGTH = 64K
//!   RAM    : ORIGIN = 0x20000000, LENGTH = 256K
//! }
//! /* The boot ROM runs these 256 bytes, which set up the flash chip and start the program behind them. */
//! SECTIONS
//! {
//!   .boot2 ORIGIN(BOOT2) : { KEEP(*(.boot2)); } > BOOT2
//! } INSERT BEFORE .text;
//! ```
//!
//! `pico2`: one of the Cortex-M33 runs at 150 MHz, with 4 MB of flash and 520 KB of RAM.
//!
//! ```memory.x pico2
//! MEMORY
//! {
//!   FLASH  : ORIGIN = 0x10000000, LENGTH = 1M
//!   SLOT_A : ORIGIN = 0x10100000, LENGTH = 1M
//!   SLOT_B : ORIGIN = 0x10200000, LENGTH = 1M
//!   RECORD : ORIGIN = 0x10300000, LENGTH = 64K
//!   RAM    : ORIGIN = 0x20000000, LENGTH = 512K
//! }
//! /* The chip's boot code expects the block that describes the image within the first 4 KB. */
//! SECTIONS
//! {
//!   .start_block : ALIGN(4) { KEEP(*(.start_block)); } > FLASH
//! } INSERT AFTER .vector_table;
//! _stext = ADDR(.start_block) + SIZEOF(.start_block);
//! ```
//!
//! * UART0 and the USB port are the console. UART0 has TX on GP0 and RX on GP1. Output goes to USB while a program of
//!   the host has the port open, otherwise to UART0; input is read from both.
//! * The clock of `pico` is its timer, which counts microseconds; that of `pico2` is the processor's cycle counter.
//! * The watchdog resets after 8 s.
//! * The log goes to the debugger (RTT).

mod rp_usb;

#[cfg(feature = "log")]
use defmt_rtt as _;
use embassy_rp::flash::{Blocking, ERASE_SIZE, FLASH_BASE, Flash, PAGE_SIZE};
use embassy_rp::pac::{self, interrupt};
use embassy_rp::peripherals::FLASH;
use embassy_rp::uart::Uart;
use embassy_rp::watchdog::Watchdog;
use embassy_time::Duration;
use embedded_storage::nor_flash::{NorFlashError, NorFlashErrorKind};
use tern_firmware::Hardware;
use tern_firmware::hardware::ResetReason;
use tern_firmware::queue::Received;

use crate::memory_map::{ChipFlash, FlashDriver};
use crate::{RECEIVE_WRITER, processor};

const IS_PICO2: bool = cfg!(feature = "pico2");
const WATCHDOG_TIME: Duration = Duration::from_secs(8);
const CONSOLE: pac::uart::Uart = pac::UART0;
const FLASH_BYTES: usize = if IS_PICO2 { 4 * 1024 * 1024 } else { 2 * 1024 * 1024 };

#[interrupt]
fn UART0_IRQ() {
    RECEIVE_WRITER.receive(|| {
        if CONSOLE.uartfr().read().rxfe() {
            return None;
        }
        let received = CONSOLE.uartdr().read();
        Some(Received { byte: received.data(), is_overrun: received.oe() })
    });
}

/// The flash chip. It cannot be read while it is erased or written, so embassy's code for this runs from RAM with
/// interrupts masked.
pub struct Sectors;

fn flash() -> Flash<'static, FLASH, Blocking, FLASH_BYTES> {
    // SAFETY: nothing else uses the flash: there is one thread, and it accesses the flash only here.
    Flash::new_blocking(unsafe { FLASH::steal() })
}

/// The offset of an address from the beginning of the chip.
fn offset(address: usize) -> u32 {
    (address - FLASH_BASE.addr()) as u32
}

impl FlashDriver for Sectors {
    const ERASE_BYTES: usize = ERASE_SIZE;
    /// The chip writes pages of 256 bytes. A shorter write is padded with ones, which change nothing.
    const WRITE_BYTES: usize = 4;

    fn erase(address: usize) -> Result<(), NorFlashErrorKind> {
        let from = offset(address);
        flash().blocking_erase(from, from + ERASE_SIZE as u32).map_err(|error| error.kind())
    }

    fn write(address: usize, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        const { assert!(PAGE_SIZE.is_multiple_of(Self::WRITE_BYTES)) };
        flash().blocking_write(offset(address), bytes).map_err(|error| error.kind())
    }
}

/// The board after [`Hardware::start`].
pub struct Board {
    watchdog: Watchdog,
}

impl Hardware for Board {
    const NAME: &'static str = crate::BOARD;
    const SCRATCH_BYTES: usize = if IS_PICO2 { 256 * 1024 } else { 128 * 1024 };
    const CLOCK_HZ: u32 = if IS_PICO2 { 150_000_000 } else { 1_000_000 };

    type Flash = ChipFlash<Sectors>;

    fn start() -> Self {
        // The default configuration is 125 or 150 MHz from the crystal.
        let chip = embassy_rp::init(embassy_rp::config::Config::default());
        #[cfg(feature = "pico2")]
        processor::start_cycle_counter();

        // The default is 115,200 baud, 8 data bits, no parity and one stop bit. Dropping the UART would switch it off.
        core::mem::forget(Uart::new_blocking(chip.UART0, chip.PIN_0, chip.PIN_1, embassy_rp::uart::Config::default()));
        // The first interrupt comes when the receive buffer is filled to its level, the second when fewer bytes wait.
        CONSOLE.uartimsc().modify(|interrupts| {
            interrupts.set_rxim(true);
            interrupts.set_rtim(true);
        });
        processor::unmask(pac::Interrupt::UART0_IRQ);

        rp_usb::start(chip.USB);

        let mut watchdog = Watchdog::new(chip.WATCHDOG);
        watchdog.start(WATCHDOG_TIME);
        Board { watchdog }
    }

    fn ticks(&mut self) -> u32 {
        #[cfg(feature = "pico2")]
        return processor::cycles();
        #[cfg(feature = "pico")]
        return pac::TIMER.timerawl().read();
    }

    fn send_byte(byte: u8) {
        if rp_usb::send_byte(byte) {
            return;
        }
        while CONSOLE.uartfr().read().txff() {}
        CONSOLE.uartdr().write(|data| data.set_data(byte));
    }

    fn flush() {
        rp_usb::flush();
        while CONSOLE.uartfr().read().busy() {}
    }

    fn sleep(&mut self) {
        processor::sleep_for_a_while();
    }

    fn feed_watchdog(&mut self) {
        self.watchdog.feed(WATCHDOG_TIME);
    }

    fn reset_cause(&mut self) -> Option<ResetReason> {
        if let Some(reason) = self.watchdog.reset_reason() {
            return Some(match reason {
                embassy_rp::watchdog::ResetReason::Forced => ResetReason::Command,
                embassy_rp::watchdog::ResetReason::TimedOut => ResetReason::Watchdog,
            });
        }
        // Of the chip's own resets only that of the pin is read: after power-on, the note in RAM (see `Note`) is
        // invalid, and `ResetReason::determine` needs no flag. The pin's flag stays set until the chip's next reset,
        // so it may be old; a note of a reset by the firmware takes precedence over it.
        #[cfg(feature = "pico2")]
        let is_pin = pac::POWMAN.chip_reset().read().had_run_low();
        #[cfg(feature = "pico")]
        let is_pin = {
            let flags = pac::VREG_AND_CHIP_RESET.chip_reset().read();
            flags.had_run() && !flags.had_por()
        };
        is_pin.then_some(ResetReason::Pin)
    }

    fn reset() -> ! {
        processor::reset()
    }
}
