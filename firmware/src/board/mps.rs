//! ARM's MPS boards, as QEMU emulates them: MPS2 with the images AN385 (Cortex-M3), AN386 (Cortex-M4F), AN500
//! (Cortex-M7) and AN505 (Cortex-M33, in the secure state), and MPS3 with AN547 (Cortex-M55 with Helium, in the secure
//! state).
//!
//! An image is the contents of the board's FPGA, with the processor and its peripherals. The firmware calls the
//! boards `mps2-an385` to `mps2-an505` and `mps3-an547`. Memory that the program can write takes the place of flash.
//!
//! AN385, AN386 and AN500: 25 MHz, 4 MB of code memory, which has the program and the models, and 4 MB of RAM.
//!
//! ```memory.x
//! MEMORY
//! {
//!   FLASH  : ORIGIN = 0x00000000, LENGTH = 512K
//!   SLOT_B : ORIGIN = 0x00080000, LENGTH = 1536K
//!   SLOT_A : ORIGIN = 0x00200000, LENGTH = 1536K
//!   RECORD : ORIGIN = 0x00380000, LENGTH = 64K
//!   RAM    : ORIGIN = 0x20000000, LENGTH = 4M
//! }
//! ```
//!
//! `mps2-an385-64k` is AN385 with only the memory of a small chip, an STM32F103C8: 64 KB of flash and 20 KB of RAM. The
//! firmware then has no updates, and no second slot:
//!
//! ```memory.x mps2-an385-64k
//! MEMORY
//! {
//!   FLASH  : ORIGIN = 0x00000000, LENGTH = 40K
//!   SLOT_A : ORIGIN = 0x0000a000, LENGTH = 24K
//!   SLOT_B : ORIGIN = 0x00010000, LENGTH = 0
//!   RECORD : ORIGIN = 0x00010000, LENGTH = 0
//!   RAM    : ORIGIN = 0x20000000, LENGTH = 20K
//! }
//! ```
//!
//! AN505: 20 MHz, with memories of the same sizes as AN385, at other addresses:
//!
//! ```memory.x mps2-an505
//! MEMORY
//! {
//!   FLASH  : ORIGIN = 0x10000000, LENGTH = 512K
//!   SLOT_B : ORIGIN = 0x10080000, LENGTH = 1536K
//!   SLOT_A : ORIGIN = 0x10200000, LENGTH = 1536K
//!   RECORD : ORIGIN = 0x10380000, LENGTH = 64K
//!   RAM    : ORIGIN = 0x38000000, LENGTH = 4M
//! }
//! ```
//!
//! AN547: 32 MHz, 512 KB of tightly coupled memory for code, 512 KB for data, and 4 MB of SRAM for the models:
//!
//! ```memory.x mps3-an547
//! MEMORY
//! {
//!   FLASH  : ORIGIN = 0x00000000, LENGTH = 512K
//!   SLOT_A : ORIGIN = 0x21000000, LENGTH = 1536K
//!   SLOT_B : ORIGIN = 0x21180000, LENGTH = 1536K
//!   RECORD : ORIGIN = 0x21300000, LENGTH = 64K
//!   RAM    : ORIGIN = 0x20000000, LENGTH = 512K
//! }
//! ```
//!
//! * UART0 is the console, and UART1 carries the log.
//! * A counter of 32 bits is the clock; it wraps after 134 s or more. Its interrupt is not used, since it would disturb
//!   the measurements.
//! * The watchdog first raises the NMI, whose handler resets the device.

use cortex_m_rt::exception;
use tern_firmware::hardware::{Note, ResetReason};
use tern_firmware::{Hardware, RamFlash};

use crate::cmsdk::{Uart, Watchdog};
use crate::memory_map::{FlashRegion, FromRegion};
use crate::processor::Handler;
use crate::register::Register;
use crate::{RECEIVE_WRITER, processor, reset};

/// Bits per second of the console.
const BAUD: u32 = 115_200;
/// The time after which the watchdog raises the NMI.
const WATCHDOG_SECONDS: u32 = 8;

// ---- what differs between the boards ----

/// The clock, the addresses of the peripherals, and the interrupt of a board.
struct Parts {
    /// The frequency of the processor, of the UARTs and of the counter.
    clock_hz: u32,
    /// Address of UART0.
    console: usize,
    /// Address of UART1.
    log: usize,
    /// Address of the watchdog.
    watchdog: usize,
    /// The frequency at which the watchdog counts.
    watchdog_hz: u32,
    /// Address of the counter, which is the clock of the firmware.
    counter: usize,
    /// True if the counter is the system counter, which counts up; false if it is TIMER0, which counts down.
    counts_up: bool,
    /// The number of the interrupt of UART0's receiver.
    receive_interrupt: u16,
}

/// The parts of the board that a Cargo feature selects.
const PARTS: Parts = if cfg!(feature = "mps2-an505") {
    Parts {
        clock_hz: 20_000_000,
        console: 0x5020_0000,
        log: 0x5020_1000,
        watchdog: 0x5002_e000,
        watchdog_hz: 32_768,
        counter: 0x5000_0000,
        counts_up: false,
        receive_interrupt: 32,
    }
} else if cfg!(feature = "mps3-an547") {
    Parts {
        clock_hz: 32_000_000,
        console: 0x5930_3000,
        log: 0x5930_4000,
        watchdog: 0x5802_e000,
        watchdog_hz: 32_768,
        counter: 0x5810_0000,
        counts_up: true,
        receive_interrupt: 33,
    }
} else {
    Parts {
        clock_hz: 25_000_000,
        console: 0x4000_4000,
        log: 0x4000_5000,
        watchdog: 0x4000_8000,
        watchdog_hz: 25_000_000,
        counter: 0x4000_0000,
        counts_up: false,
        receive_interrupt: 0,
    }
};

// ---- registers ----

// SAFETY: these peripherals are always mapped.
const CONSOLE: Uart = unsafe { Uart::at(PARTS.console) };
// SAFETY: as above.
const LOG: Uart = unsafe { Uart::at(PARTS.log) };
// SAFETY: as above.
const WATCHDOG: Watchdog = unsafe { Watchdog::at(PARTS.watchdog) };

/// The register of the counter at `offset`.
const fn counter(offset: usize) -> Register<u32> {
    // SAFETY: every offset below is that of a register of the counter, which is always mapped and writes no memory.
    unsafe { Register::at(PARTS.counter + offset) }
}

const COUNTER_CONTROL: Register<u32> = counter(0);
/// The lower half of the system counter, or the value of TIMER0.
const COUNTER_VALUE: Register<u32> = counter(if PARTS.counts_up { 8 } else { 4 });
/// The value with which TIMER0 begins again after 0.
const TIMER_RELOAD: Register<u32> = counter(8);

// ---- interrupts ----

const UART0_RECEIVE: processor::Interrupt = processor::Interrupt(PARTS.receive_interrupt);

/// The vectors of the peripherals' interrupts.
// SAFETY: this is the section in which cortex-m-rt's linker script expects these vectors, under the name that it
// expects.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
pub static __INTERRUPTS: [Handler; UART0_RECEIVE.vectors()] = UART0_RECEIVE.handled_by(uart0_receive);

extern "C" fn uart0_receive() {
    CONSOLE.clear_receive_interrupt();
    RECEIVE_WRITER.receive(|| CONSOLE.receive());
}

// SAFETY: the handler uses nothing that the interrupted code may have left inconsistent, and never returns.
#[exception]
unsafe fn NonMaskableInt() -> ! {
    reset::reset(Note::Watchdog)
}

// ---- the board ----

/// RAM that behaves as flash with erase blocks of 4 KB and write units of 4 bytes, as many chips have.
type Flash = RamFlash<'static, 4, 4096>;

impl FromRegion for Flash {
    fn from_region(region: FlashRegion) -> Self {
        // SAFETY: on this board the region is RAM, and `from_region` is called once for each region.
        RamFlash::new(unsafe { region.memory() })
    }
}

/// The board after [`Hardware::start`].
pub struct Board;

impl Hardware for Board {
    const NAME: &'static str = crate::BOARD;
    const SCRATCH_BYTES: usize = if cfg!(feature = "mps2-an385-64k") { 4 * 1024 } else { 64 * 1024 };
    const CLOCK_HZ: u32 = PARTS.clock_hz;

    type Flash = Flash;

    fn start() -> Self {
        if !PARTS.counts_up {
            TIMER_RELOAD.write(u32::MAX);
            COUNTER_VALUE.write(u32::MAX);
        }
        const ENABLE: u32 = 1;
        COUNTER_CONTROL.write(ENABLE);

        // The log is sent at the highest rate, because interrupts are masked while a frame of the log is sent, and the
        // console must not lose a byte in this time.
        LOG.start_log();
        CONSOLE.start_console(Self::CLOCK_HZ / BAUD);
        processor::unmask(UART0_RECEIVE);

        WATCHDOG.start(WATCHDOG_SECONDS * PARTS.watchdog_hz);
        Board
    }

    fn ticks(&mut self) -> u32 {
        // TIMER0 counts down from 2^32 − 1; the complement counts up from 0.
        let value = COUNTER_VALUE.read();
        if PARTS.counts_up { value } else { !value }
    }

    /// Converts ticks to instructions. QEMU runs with `-icount shift=6`, so an instruction takes 2^6 ns.
    fn instructions(&self, ticks: u64) -> Option<u64> {
        // Both times are in quarters of a nanosecond, because a tick of 32 MHz takes 31.25 ns.
        const TICK_TIME: u64 = 4_000_000_000 / PARTS.clock_hz as u64;
        const INSTRUCTION_TIME: u64 = 4 * 64;
        Some(ticks * TICK_TIME / INSTRUCTION_TIME)
    }

    fn send_byte(byte: u8) {
        CONSOLE.send(byte);
    }

    fn flush() {
        CONSOLE.flush();
    }

    fn log_byte(byte: u8) {
        LOG.send(byte);
    }

    fn sleep(&mut self) {
        processor::sleep_for_a_while();
    }

    fn feed_watchdog(&mut self) {
        WATCHDOG.feed();
    }

    /// The boards have no register for the reason; the [`Note`] in memory is used instead.
    fn reset_cause(&mut self) -> Option<ResetReason> {
        None
    }

    fn reset() -> ! {
        processor::reset()
    }
}
