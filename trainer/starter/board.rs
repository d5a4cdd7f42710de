//! Everything about QEMU's mps2-an386: its serial port, a UART of ARM's Cortex-M System Design Kit, and its end. For a
//! board, write these functions with the library of its chip.

use core::fmt::{self, Write};
use core::panic::PanicInfo;

use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};

const DATA: *mut u32 = 0x4000_4000 as *mut u32;
const STATE: *mut u32 = 0x4000_4004 as *mut u32;
const CONTROL: *mut u32 = 0x4000_4008 as *mut u32;
const DIVIDER: *mut u32 = 0x4000_4010 as *mut u32;

const TX_FULL: u32 = 1;
const RX_FULL: u32 = 2;

/// The serial port.
pub struct Serial;

impl Serial {
    /// Starts the port.
    pub fn start() -> Self {
        // SAFETY: these are registers of the UART, which write no memory.
        unsafe {
            DIVIDER.write_volatile(16);
            CONTROL.write_volatile(TX_FULL | RX_FULL);
        }
        Serial
    }

    /// Waits for a byte.
    pub fn read(&mut self) -> u8 {
        // SAFETY: as above.
        unsafe {
            while STATE.read_volatile() & RX_FULL == 0 {}
            DATA.read_volatile() as u8
        }
    }

    /// Sends a byte.
    pub fn write(&mut self, byte: u8) {
        // SAFETY: as above.
        unsafe {
            while STATE.read_volatile() & TX_FULL != 0 {}
            DATA.write_volatile(byte.into());
        }
    }
}

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.write(byte));
        Ok(())
    }
}

/// Ends the emulator.
pub fn stop(is_success: bool) -> ! {
    debug::exit(if is_success { EXIT_SUCCESS } else { EXIT_FAILURE });
    loop {
        cortex_m::asm::wfi();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Serial::start(), "{info}");
    stop(false)
}
