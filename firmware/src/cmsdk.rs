//! The UART and the watchdog of ARM's Cortex-M System Design Kit, which ARM's MPS boards have.

use tern_firmware::queue::Received;

use crate::register::Register;

/// A UART of ARM's Cortex-M System Design Kit, with a buffer of one byte in each direction.
pub struct Uart {
    data: Register<u32>,
    state: Register<u32>,
    control: Register<u32>,
    interrupt: Register<u32>,
    divider: Register<u32>,
}

impl Uart {
    // Bits of `state`. Writing `RX_FULL` to the register `interrupt` clears the receive interrupt.
    const TX_FULL: u32 = 1 << 0;
    const RX_FULL: u32 = 1 << 1;
    const RX_OVERRUN: u32 = 1 << 3;
    // Bits of `control`.
    const TX_ENABLE: u32 = 1 << 0;
    const RX_ENABLE: u32 = 1 << 1;
    const RX_INTERRUPT: u32 = 1 << 3;

    /// The UART whose registers begin at `base`.
    ///
    /// # Safety
    /// `base` must be the address of such a UART, which must always be mapped.
    pub const unsafe fn at(base: usize) -> Self {
        // SAFETY: the registers of a UART write no memory; the caller promises that they are always mapped.
        unsafe {
            Uart {
                data: Register::at(base),
                state: Register::at(base + 0x4),
                control: Register::at(base + 0x8),
                interrupt: Register::at(base + 0xc),
                divider: Register::at(base + 0x10),
            }
        }
    }

    /// Starts the UART as a console, which also receives, with an interrupt for each byte. `divider`: clock cycles per
    /// bit.
    pub fn start_console(&self, divider: u32) {
        self.divider.write(divider);
        self.control.write(Self::TX_ENABLE | Self::RX_ENABLE | Self::RX_INTERRUPT);
    }

    /// Starts the UART for a log, which only sends, at the highest rate: 16 is the smallest divider.
    pub fn start_log(&self) {
        self.divider.write(16);
        self.control.write(Self::TX_ENABLE);
    }

    /// Waits until the send buffer is empty, and sends a byte.
    pub fn send(&self, byte: u8) {
        self.flush();
        self.data.write(byte.into());
    }

    /// Waits until the send buffer is empty.
    pub fn flush(&self) {
        while self.state.read() & Self::TX_FULL != 0 {}
    }

    /// Clears the pending receive interrupt.
    pub fn clear_receive_interrupt(&self) {
        self.interrupt.write(Self::RX_FULL);
    }

    /// Takes the byte that was received, if there is one, and clears the overrun that it reports.
    pub fn receive(&self) -> Option<Received> {
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

/// The watchdog. Unless it is fed, it counts down twice: first to its interrupt, which is the NMI, then to the reset.
pub struct Watchdog {
    load: Register<u32>,
    control: Register<u32>,
    clear: Register<u32>,
}

impl Watchdog {
    /// The bits of `control` that enable the interrupt and the reset.
    const INTERRUPT_AND_RESET: u32 = 0b11;

    /// The watchdog whose registers begin at `base`.
    ///
    /// # Safety
    /// `base` must be the address of such a watchdog, which must always be mapped.
    pub const unsafe fn at(base: usize) -> Self {
        // SAFETY: the registers of a watchdog write no memory; the caller promises that they are always mapped.
        unsafe {
            Watchdog { load: Register::at(base), control: Register::at(base + 0x8), clear: Register::at(base + 0xc) }
        }
    }

    /// Starts the watchdog. `ticks`: the time until its interrupt, and from there until the reset.
    pub fn start(&self, ticks: u32) {
        self.load.write(ticks);
        self.control.write(Self::INTERRUPT_AND_RESET);
    }

    /// Feeds the watchdog: it counts down from the beginning again. Any value written to `clear` does this.
    pub fn feed(&self) {
        self.clear.write(1);
    }
}
