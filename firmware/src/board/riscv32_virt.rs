//! QEMU's `virt` machine with a 32-bit RISC-V processor: RAM, and two banks of NOR flash.
//!
//! ```memory.x
//! MEMORY
//! {
//!   FLASH  : ORIGIN = 0x80000000, LENGTH = 512K
//!   RECORD : ORIGIN = 0x22000000, LENGTH = 512K
//!   SLOT_A : ORIGIN = 0x22080000, LENGTH = 1536K
//!   SLOT_B : ORIGIN = 0x22200000, LENGTH = 1536K
//!   RAM    : ORIGIN = 0x80400000, LENGTH = 4M
//! }
//! REGION_ALIAS("REGION_TEXT", FLASH);
//! REGION_ALIAS("REGION_RODATA", FLASH);
//! REGION_ALIAS("REGION_DATA", RAM);
//! REGION_ALIAS("REGION_BSS", RAM);
//! REGION_ALIAS("REGION_HEAP", RAM);
//! REGION_ALIAS("REGION_STACK", RAM);
//! ```
//!
//! * The 16550 UART is the console; its interrupt has number 10 at the interrupt controller (PLIC). There is no second
//!   port, so the log is dropped.
//! * The machine timer is the clock, at 10 MHz.
//! * The program is in RAM, although its region is named `FLASH` as on other boards. The model slots and the update
//!   record (docs/update.md) are in the second bank of flash, which the emulator can keep in a file (`-drive
//!   if=pflash,unit=1,…`). The first bank is not used: the machine would boot from it.
//! * There is no watchdog, and no register with the reason of a reset.

use embedded_storage::nor_flash::NorFlashErrorKind;
use riscv_rt::core_interrupt;
use tern_firmware::Hardware;
use tern_firmware::hardware::ResetReason;
use tern_firmware::queue::Received;

use crate::memory_map::{ChipFlash, FlashDriver};
use crate::register::Register;
use crate::{RECEIVE_WRITER, processor};

// ---- registers ----

/// The 8-bit register at `address`.
const fn byte(address: usize) -> Register<u8> {
    // SAFETY: every address below is that of a register of the UART, which is always mapped and writes no memory.
    unsafe { Register::at(address) }
}

/// The 32-bit register or word of flash at `address`.
const fn word(address: usize) -> Register<u32> {
    // SAFETY: every address below is that of a 32-bit register of this machine, always mapped, or a word of flash that
    // is being written; none of them writes memory.
    unsafe { Register::at(address) }
}

// The UART's registers, and the bits of `LINE_STATUS`. In `INTERRUPT_ENABLE`, the bit `RX_READY` enables the receive
// interrupt.
const DATA: Register<u8> = byte(0x1000_0000);
const INTERRUPT_ENABLE: Register<u8> = byte(0x1000_0001);
const FIFO_CONTROL: Register<u8> = byte(0x1000_0002);
const LINE_CONTROL: Register<u8> = byte(0x1000_0003);
const LINE_STATUS: Register<u8> = byte(0x1000_0005);
const RX_READY: u8 = 1 << 0;
const RX_OVERRUN: u8 = 1 << 1;
const TX_READY: u8 = 1 << 5;
const TX_EMPTY: u8 = 1 << 6;

// The interrupt controller (PLIC): the UART's source, and the registers of this processor in machine mode.
const UART_SOURCE: u32 = 10;
const PRIORITY: Register<u32> = word(0x0c00_0000 + 4 * UART_SOURCE as usize);
const ENABLE: Register<u32> = word(0x0c00_2000);
const THRESHOLD: Register<u32> = word(0x0c20_0000);
const CLAIM: Register<u32> = word(0x0c20_0004);

/// The lower half of the machine timer.
const TIME: Register<u32> = word(0x0200_bff8);

const TEST_DEVICE: Register<u32> = word(0x0010_0000);
const TEST_DEVICE_RESET: u32 = 0x7777;

/// Reads a byte from the UART; `None` if there is none.
fn receive() -> Option<Received> {
    let status = LINE_STATUS.read();
    if status & RX_READY == 0 {
        return None;
    }
    Some(Received { byte: DATA.read(), is_overrun: status & RX_OVERRUN != 0 })
}

#[core_interrupt(riscv::interrupt::Interrupt::MachineExternal)]
fn external() {
    // Reading `CLAIM` takes the pending interrupt, and writing its number back ends it.
    let source = CLAIM.read();
    if source == UART_SOURCE {
        RECEIVE_WRITER.receive(receive);
    }
    CLAIM.write(source);
}

// ---- flash ----

/// The second bank of flash: two 16-bit chips side by side, with Intel's command set. Each 32-bit word has 16 bits of
/// one chip in its lower half and 16 bits of the other in its upper half, so each command is sent to both at once.
pub struct Bank;

impl Bank {
    // Commands.
    const PROGRAM: u32 = 0xe8;
    const ERASE: u32 = 0x20;
    const CONFIRM: u32 = 0xd0;
    const CLEAR: u32 = 0x50;
    const READ: u32 = 0xff;
    // Bits of a chip's status.
    const READY: u32 = 0x80;
    const ERRORS: u32 = 0x7f;
    /// The most bytes that one command programs, in both chips together. They fill half of each chip's buffer.
    const BUFFER: usize = 64;

    /// Sends a command or a count to both chips. `address` is in the block that the command is for.
    fn command(address: usize, value: u32) {
        word(address).write(value << 16 | value);
    }

    /// Waits until both chips are ready. Fails if one of them reports an error. The chips must be in a state in which
    /// reads return their status, as after an erase or program command.
    fn wait(address: usize) -> Result<(), NorFlashErrorKind> {
        let both = |bits: u32| bits << 16 | bits;
        loop {
            let status = word(address).read();
            if status & both(Self::READY) == both(Self::READY) {
                return if status & both(Self::ERRORS) == 0 { Ok(()) } else { Err(NorFlashErrorKind::Other) };
            }
        }
    }

    /// Clears the chips' error bits, calls `send_commands`, and then lets reads return the contents of the flash again.
    fn run(
        address: usize,
        send_commands: impl FnOnce() -> Result<(), NorFlashErrorKind>,
    ) -> Result<(), NorFlashErrorKind> {
        Self::command(address, Self::CLEAR);
        let result = send_commands();
        Self::command(address, Self::READ);
        result
    }
}

impl FlashDriver for Bank {
    const ERASE_BYTES: usize = 256 * 1024;
    const WRITE_BYTES: usize = 4;

    fn erase(address: usize) -> Result<(), NorFlashErrorKind> {
        Self::run(address, || {
            Self::command(address, Self::ERASE);
            Self::command(address, Self::CONFIRM);
            Self::wait(address)
        })
    }

    fn write(mut address: usize, mut bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        Self::run(address, || {
            while !bytes.is_empty() {
                // One program command may not cross an address that is a multiple of the buffer's length.
                let max_bytes = Self::BUFFER - address % Self::BUFFER;
                let (piece, later) = bytes.split_at(bytes.len().min(max_bytes));
                Self::command(address, Self::PROGRAM);
                Self::wait(address)?;
                // The number of 16-bit units for each chip, minus one.
                Self::command(address, piece.len() as u32 / 4 - 1);
                for (word_address, word_bytes) in (address..).step_by(4).zip(piece.as_chunks().0) {
                    word(word_address).write(u32::from_le_bytes(*word_bytes));
                }
                Self::command(address, Self::CONFIRM);
                Self::wait(address)?;
                (address, bytes) = (address + piece.len(), later);
            }
            Ok(())
        })
    }
}

// ---- the board ----

/// The board after [`Hardware::start`].
pub struct Board;

impl Hardware for Board {
    const NAME: &'static str = "riscv32-virt";
    const SCRATCH_BYTES: usize = 64 * 1024;
    const CLOCK_HZ: u32 = 10_000_000;

    type Flash = ChipFlash<Bank>;

    fn start() -> Self {
        // Eight data bits, no parity, one stop bit. The emulator ignores the rate.
        const EIGHT_BITS: u8 = 0b11;
        LINE_CONTROL.write(EIGHT_BITS);
        const ENABLE_BUFFERS: u8 = 1;
        FIFO_CONTROL.write(ENABLE_BUFFERS);
        INTERRUPT_ENABLE.write(RX_READY);
        // The interrupt controller passes on interrupts with a priority above the threshold.
        PRIORITY.write(1);
        ENABLE.write(1 << UART_SOURCE);
        THRESHOLD.write(0);
        // SAFETY: the handler is ready, and no critical section has begun.
        unsafe {
            riscv::register::mie::set_mext();
            riscv::interrupt::enable();
        }
        Board
    }

    fn ticks(&mut self) -> u32 {
        TIME.read()
    }

    fn send_byte(byte: u8) {
        while LINE_STATUS.read() & TX_READY == 0 {}
        DATA.write(byte);
    }

    fn flush() {
        while LINE_STATUS.read() & TX_EMPTY == 0 {}
    }

    fn sleep(&mut self) {
        processor::sleep();
    }

    fn reset_cause(&mut self) -> Option<ResetReason> {
        None
    }

    fn reset() -> ! {
        TEST_DEVICE.write(TEST_DEVICE_RESET);
        loop {
            processor::sleep();
        }
    }
}
