//! ARM's MPS3 board with the image AN547: a Cortex-M55 with Helium, which runs in the secure state. QEMU's
//! `mps3-an547`.
//!
//! 32 MHz, 512 KB of tightly coupled memory for code, 512 KB for data, and 4 MB of SRAM. The SRAM takes the place of
//! flash for models.
//!
//! ```memory.x
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
//! * The system counter is the clock: its lower 32 bits, which wrap after 134 s.
//! * The watchdog of the slow clock first raises the NMI, whose handler resets the device.

use cortex_m_rt::exception;
use tern_firmware::hardware::{Note, ResetReason};
use tern_firmware::{Hardware, RamFlash};

use crate::cmsdk::{Uart, Watchdog};
use crate::memory_map::{FlashRegion, FromRegion};
use crate::processor::Handler;
use crate::register::Register;
use crate::{RECEIVE_QUEUE, processor, reset};

const BAUD: u32 = 115_200;
const WATCHDOG_SECONDS: u32 = 8;
/// The clock of the watchdog.
const SLOW_CLOCK_HZ: u32 = 32_768;

// ---- registers ----

// SAFETY: these peripherals are always mapped.
const CONSOLE: Uart = unsafe { Uart::at(0x5930_3000) };
// SAFETY: as above.
const LOG: Uart = unsafe { Uart::at(0x5930_4000) };
// SAFETY: as above.
const WATCHDOG: Watchdog = unsafe { Watchdog::at(0x5802_e000) };

const fn register(address: usize) -> Register<u32> {
    // SAFETY: every address below is that of a register of the system counter, which is always mapped and writes no
    // memory.
    unsafe { Register::at(address) }
}

/// The system counter: its control, and the lower half of its value.
const COUNTER_CONTROL: Register<u32> = register(0x5810_0000);
const COUNTER_VALUE: Register<u32> = register(0x5810_0008);

// ---- interrupts ----

/// The interrupt of UART0's receiver.
const UART0_RECEIVE: processor::Interrupt = processor::Interrupt(33);

/// The vectors of the peripherals' interrupts.
// SAFETY: this is the section in which cortex-m-rt's linker script expects these vectors, under the name that it
// expects.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
pub static __INTERRUPTS: [Handler; UART0_RECEIVE.vectors()] = UART0_RECEIVE.handled_by(uart0_receive);

extern "C" fn uart0_receive() {
    CONSOLE.clear_receive_interrupt();
    RECEIVE_QUEUE.receive(|| CONSOLE.receive());
}

// SAFETY: it uses nothing that the interrupted code may have left inconsistent, and never returns.
#[exception]
unsafe fn NonMaskableInt() -> ! {
    reset::reset(Note::Watchdog)
}

// ---- the board ----

/// RAM with erase blocks of 4 KB and write units of 4 bytes, as many chips have.
type Flash = RamFlash<'static, 4, 4096>;

impl FromRegion for Flash {
    fn from_region(region: FlashRegion) -> Self {
        // SAFETY: on this board the region is RAM, and this is called once for it.
        RamFlash::new(unsafe { region.memory() })
    }
}

/// The board after [`Hardware::start`].
pub struct Board;

impl Hardware for Board {
    const NAME: &'static str = crate::BOARD;
    const SCRATCH_BYTES: usize = 64 * 1024;
    const CLOCK_HZ: u32 = 32_000_000;

    type Flash = Flash;

    fn start() -> Self {
        COUNTER_CONTROL.write(1);

        // Interrupts are off while a log frame is sent, and the console must not lose a byte meanwhile.
        LOG.start_log();
        CONSOLE.start_console(Self::CLOCK_HZ / BAUD);
        processor::unmask(UART0_RECEIVE);

        WATCHDOG.start(WATCHDOG_SECONDS * SLOW_CLOCK_HZ);
        Board
    }

    fn ticks(&mut self) -> u32 {
        COUNTER_VALUE.read()
    }

    /// In QEMU with `-icount shift=6` an instruction takes 64 ns.
    fn instructions(&self, ticks: u64) -> Option<u64> {
        Some(ticks * 1_000_000_000 / u64::from(Self::CLOCK_HZ) / 64)
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

    /// The board has no such register; the note in memory is used instead.
    fn reset_cause(&mut self) -> Option<ResetReason> {
        None
    }

    fn reset() -> ! {
        processor::reset()
    }
}
