//! The code that is specific to the board, here QEMU's mps2-an386: its serial port, which is a UART of Arm's Cortex-M
//! System Design Kit, and the end of the emulation. For a real board, implement the same functions with the HAL of its
//! chip.

use core::fmt::{self, Write};
use core::panic::PanicInfo;

use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};

/// Register of the UART: a byte to send, or a received one.
const DATA: *mut u32 = 0x4000_4000 as *mut u32;
/// Register of the UART: the state of its buffers.
const STATE: *mut u32 = 0x4000_4004 as *mut u32;
/// Register of the UART: what is enabled.
const CONTROL: *mut u32 = 0x4000_4008 as *mut u32;
/// Register of the UART: the clock cycles of a bit.
const DIVIDER: *mut u32 = 0x4000_4010 as *mut u32;

/// Bit of `STATE`: the transmit buffer is full.
const TX_FULL: u32 = 1;
/// Bit of `STATE`: the receive buffer holds a byte.
const RX_FULL: u32 = 2;
/// Bit of `CONTROL`: enables the transmitter.
const TX_ENABLE: u32 = 1;
/// Bit of `CONTROL`: enables the receiver.
const RX_ENABLE: u32 = 2;

/// The serial port.
pub struct Serial;

impl Serial {
    /// Enables the port.
    pub fn start() -> Self {
        // SAFETY: these are addresses of UART registers, and the UART does not write to memory.
        unsafe {
            // The smallest divider that the UART allows; QEMU ignores the baud rate.
            DIVIDER.write_volatile(16);
            CONTROL.write_volatile(TX_ENABLE | RX_ENABLE);
        }
        Serial
    }

    /// Waits for a byte and returns it.
    pub fn read(&mut self) -> u8 {
        // SAFETY: as in `start`.
        unsafe {
            while STATE.read_volatile() & RX_FULL == 0 {}
            DATA.read_volatile() as u8
        }
    }

    /// Sends a byte, after waiting for room in the transmit buffer.
    pub fn write(&mut self, byte: u8) {
        // SAFETY: as in `start`.
        unsafe {
            while STATE.read_volatile() & TX_FULL != 0 {}
            DATA.write_volatile(byte.into());
        }
    }
}

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.write(byte);
        }
        Ok(())
    }
}

/// Ends the emulator, with exit status 0 if `is_success` is true and 1 otherwise.
pub fn stop(is_success: bool) -> ! {
    debug::exit(if is_success { EXIT_SUCCESS } else { EXIT_FAILURE });
    loop {
        cortex_m::asm::wfi();
    }
}

/// Prints the message of a panic, and ends the emulator.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Serial::start(), "{info}");
    stop(false)
}
