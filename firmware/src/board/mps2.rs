//! ARM's MPS2 board: a Cortex-M4F with the AN386 image, a Cortex-M3 with AN385. QEMU's `mps2-an386` and `mps2-an385`.
//!
//! 25 MHz, 4 MB of code memory and 4 MB of RAM. The code memory takes the place of flash: models are written there
//! separately from the program.
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
//! * UART0 is the console, and UART1 carries the log.
//! * TIMER0 counts the clock: 32 bits, which wrap after 172 s. It has no interrupt, which would disturb the
//!   measurements.
//! * The watchdog first raises the NMI, whose handler resets the device.

use cortex_m_rt::exception;
use tern_firmware::hardware::{Note, ResetReason};
use tern_firmware::queue::Received;
use tern_firmware::{Hardware, RamFlash};

use crate::memory_map::{FlashRegion, FromRegion};
use crate::register::Register;
use crate::{RECEIVE_QUEUE, processor, reset};

const BAUD: u32 = 115_200;
const WATCHDOG_SECONDS: u32 = 8;

// ---- registers ----

const fn register(address: usize) -> Register<u32> {
    // SAFETY: every address below is that of a 32-bit peripheral register of this board; none of these peripherals
    // writes memory.
    unsafe { Register::at(address) }
}

/// A UART of ARM's Cortex-M System Design Kit, with a buffer of one byte in each direction.
struct Uart {
    data: Register<u32>,
    state: Register<u32>,
    control: Register<u32>,
    interrupt: Register<u32>,
    divider: Register<u32>,
}

impl Uart {
    const TX_FULL: u32 = 1 << 0;
    const RX_FULL: u32 = 1 << 1;
    const RX_OVERRUN: u32 = 1 << 3;
    const TX_ENABLE: u32 = 1 << 0;
    const RX_ENABLE: u32 = 1 << 1;
    const RX_INTERRUPT: u32 = 1 << 3;

    const fn at(base: usize) -> Self {
        Uart {
            data: register(base),
            state: register(base + 0x4),
            control: register(base + 0x8),
            interrupt: register(base + 0xc),
            divider: register(base + 0x10),
        }
    }

    fn send(&self, byte: u8) {
        while self.state.read() & Self::TX_FULL != 0 {}
        self.data.write(byte.into());
    }

    fn receive(&self) -> Option<Received> {
        let state = self.state.read();
        if state & Self::RX_FULL == 0 {
            return None;
        }
        let byte = self.data.read() as u8;
        let is_overrun = state & Self::RX_OVERRUN != 0;
        if is_overrun {
            self.state.write(Self::RX_OVERRUN);
        }
        Some(Received { byte, is_overrun })
    }
}

const CONSOLE: Uart = Uart::at(0x4000_4000);
const LOG: Uart = Uart::at(0x4000_5000);

/// TIMER0 counts down from `RELOAD` to 0, and repeats.
const TIMER_CONTROL: Register<u32> = register(0x4000_0000);
const TIMER_VALUE: Register<u32> = register(0x4000_0004);
const TIMER_RELOAD: Register<u32> = register(0x4000_0008);

/// The watchdog counts down from `LOAD` twice: first to its interrupt, then to the reset.
const WATCHDOG_LOAD: Register<u32> = register(0x4000_8000);
const WATCHDOG_CONTROL: Register<u32> = register(0x4000_8008);
const WATCHDOG_CLEAR: Register<u32> = register(0x4000_800c);
const WATCHDOG_INTERRUPT_AND_RESET: u32 = 0b11;

// ---- interrupts ----

/// The interrupt of UART0's receiver.
const UART0_RECEIVE: processor::Interrupt = processor::Interrupt(0);

/// The vectors of the peripherals' interrupts. No interrupt beyond the last of them is ever unmasked.
// SAFETY: this is the section in which cortex-m-rt's linker script expects these vectors, under the name that it
// expects.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
pub static __INTERRUPTS: [extern "C" fn(); 1] = [uart0_receive];

extern "C" fn uart0_receive() {
    CONSOLE.interrupt.write(Uart::RX_FULL);
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
    const NAME: &'static str = if cfg!(feature = "mps2-an385") { "mps2-an385" } else { "mps2-an386" };
    const SCRATCH_BYTES: usize = 64 * 1024;
    const CLOCK_HZ: u32 = 25_000_000;

    type Flash = Flash;

    fn start() -> Self {
        TIMER_RELOAD.write(u32::MAX);
        TIMER_VALUE.write(u32::MAX);
        TIMER_CONTROL.write(1);

        // The highest rate: interrupts are off while a log frame is sent, and the console must not lose a byte
        // meanwhile.
        LOG.divider.write(16);
        LOG.control.write(Uart::TX_ENABLE);

        CONSOLE.divider.write(Self::CLOCK_HZ / BAUD);
        CONSOLE.control.write(Uart::TX_ENABLE | Uart::RX_ENABLE | Uart::RX_INTERRUPT);
        processor::unmask(UART0_RECEIVE);

        WATCHDOG_LOAD.write(WATCHDOG_SECONDS * Self::CLOCK_HZ);
        WATCHDOG_CONTROL.write(WATCHDOG_INTERRUPT_AND_RESET);
        Board
    }

    fn ticks(&mut self) -> u32 {
        // The timer counts down.
        !TIMER_VALUE.read()
    }

    /// In QEMU with `-icount shift=6` an instruction takes 64 ns.
    fn instructions(&self, ticks: u64) -> Option<u64> {
        Some(ticks * (1_000_000_000 / u64::from(Self::CLOCK_HZ)) / 64)
    }

    fn send_byte(byte: u8) {
        CONSOLE.send(byte);
    }

    fn flush() {
        while CONSOLE.state.read() & Uart::TX_FULL != 0 {}
    }

    fn log_byte(byte: u8) {
        LOG.send(byte);
    }

    fn sleep(&mut self) {
        processor::sleep_for_a_while();
    }

    fn feed_watchdog(&mut self) {
        WATCHDOG_CLEAR.write(1);
    }

    /// The board has no such register; the note in memory is used instead.
    fn reset_cause(&mut self) -> Option<ResetReason> {
        None
    }

    fn reset() -> ! {
        processor::reset()
    }
}
