//! QEMU's `virt` machine with a 32-bit RISC-V processor: RAM only, of which a piece stands for flash.
//!
//! ```memory.x
//! MEMORY
//! {
//!   FLASH  : ORIGIN = 0x80000000, LENGTH = 512K
//!   SLOT_B : ORIGIN = 0x80080000, LENGTH = 1536K
//!   SLOT_A : ORIGIN = 0x80200000, LENGTH = 1536K
//!   RECORD : ORIGIN = 0x80380000, LENGTH = 64K
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
//! * The 16550 UART is the console, its receiver's interrupt 10 of the PLIC. There is no second port: logs are dropped.
//! * The machine timer counts the clock, 10 MHz.
//! * There is no watchdog, and no register that tells of a reset.

use riscv_rt::core_interrupt;
use tern_firmware::hardware::ResetReason;
use tern_firmware::queue::Feeder;
use tern_firmware::{Hardware, Partitions, RamFlash};

use crate::register::Register;
use crate::{INLET, partition, processor};

// ---- registers ----

const fn byte(address: usize) -> Register<u8> {
    // SAFETY: every address below is that of a register of the UART, always mapped, which writes no memory.
    unsafe { Register::at(address) }
}

const fn word(address: usize) -> Register<u32> {
    // SAFETY: every address below is that of a 32-bit register of this machine, always mapped; none of them writes memory.
    unsafe { Register::at(address) }
}

/// The UART: bytes, and whose interrupt is on.
const DATA: Register<u8> = byte(0x1000_0000);
const INTERRUPT_ENABLE: Register<u8> = byte(0x1000_0001);
const FIFO_CONTROL: Register<u8> = byte(0x1000_0002);
const LINE_CONTROL: Register<u8> = byte(0x1000_0003);
const LINE_STATUS: Register<u8> = byte(0x1000_0005);
const RX_READY: u8 = 1 << 0;
const RX_OVERRUN: u8 = 1 << 1;
const TX_READY: u8 = 1 << 5;
const TX_EMPTY: u8 = 1 << 6;

/// The interrupt controller: the UART's source, and this processor's context in machine mode.
const UART_SOURCE: u32 = 10;
const PRIORITY: Register<u32> = word(0x0c00_0000 + 4 * UART_SOURCE as usize);
const ENABLE: Register<u32> = word(0x0c00_2000);
const THRESHOLD: Register<u32> = word(0x0c20_0000);
const CLAIM: Register<u32> = word(0x0c20_0004);

/// The lower half of the machine timer.
const TIME: Register<u32> = word(0x0200_bff8);

const TEST_DEVICE: Register<u32> = word(0x0010_0000);
const TEST_DEVICE_RESET: u32 = 0x7777;

fn receive(feeder: &mut Feeder<'_>) {
    loop {
        let status = LINE_STATUS.read();
        if status & RX_READY == 0 {
            break;
        }
        let byte = DATA.read();
        if status & RX_OVERRUN != 0 { feeder.overrun(byte) } else { feeder.push(byte) }
    }
}

#[core_interrupt(riscv::interrupt::Interrupt::MachineExternal)]
fn external() {
    let source = CLAIM.read();
    if source == UART_SOURCE {
        INLET.with(receive);
    }
    CLAIM.write(source);
}

// ---- the board ----

/// The board, started.
pub struct Board;

impl Hardware for Board {
    const NAME: &'static str = "riscv32-virt";
    const SCRATCH_BYTES: usize = 64 * 1024;

    /// Blocks of 4 KB, words of 4 bytes, as on many a chip.
    type Flash = RamFlash<'static, 4, 4096>;

    fn start() -> Self {
        const EIGHT_BITS: u8 = 0b11;
        LINE_CONTROL.write(EIGHT_BITS);
        FIFO_CONTROL.write(1);
        INTERRUPT_ENABLE.write(RX_READY);
        PRIORITY.write(1);
        ENABLE.write(1 << UART_SOURCE);
        THRESHOLD.write(0);
        // SAFETY: the handler and all that it needs are in place, and no critical section has begun.
        unsafe {
            riscv::register::mie::set_mext();
            riscv::interrupt::enable();
        }
        Board
    }

    fn clock_hz(&self) -> u32 {
        10_000_000
    }

    fn ticks(&mut self) -> u32 {
        TIME.read()
    }

    fn send(bytes: &[u8]) {
        for &byte in bytes {
            while LINE_STATUS.read() & TX_READY == 0 {}
            DATA.write(byte);
        }
    }

    fn flush() {
        while LINE_STATUS.read() & TX_EMPTY == 0 {}
    }

    fn partitions(&mut self) -> Partitions<Self::Flash> {
        // SAFETY: on this board it is RAM, and this is called once.
        partition::divide(|span| RamFlash::new(unsafe { span.memory() }))
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
