//! Talking to a device: over a serial port, over TCP, or to one that QEMU emulates.
//!
//! * [`Link`] is a line of bytes that another thread reads, so that nobody waits for ever. [`Wire`] is every real one.
//! * [`Target`] says which device, [`Target::open`] makes a [`Wire`] to it; [`LinkArgs`] are the options that name it.
//! * [`Client`] speaks the machine mode of `docs/console.md` over any [`Link`], [`Streaming`] its streaming mode with credits.

mod args;
mod client;
mod error;
#[cfg(test)]
pub(crate) mod fake;
mod firmware;
mod flash;
mod frame;
pub mod interrupt;
mod qemu;
mod stream;
mod target;
#[cfg(test)]
mod tests;
mod wire;
mod ymodem;

use std::time::Duration;

pub use args::LinkArgs;
pub use client::{Client, ClientError, DeviceError, Info, ModelInfo, PROTOCOL};
pub use error::{LinkError, OpenError};
pub use qemu::{Emulation, INSTRUCTION_NS};
pub use stream::{Answer, Left, Reply, Streaming};
pub use target::Target;
pub use wire::{Sending, Wire};

/// A line of bytes to a device and back.
pub trait Link {
    /// Sends all bytes.
    ///
    /// # Errors
    /// [`LinkError`] if the device is gone, or takes no byte for a long time.
    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError>;

    /// Waits until bytes have come, at most so long. None: nothing came.
    ///
    /// # Errors
    /// [`LinkError`] if the device is gone or the user wants to stop.
    fn receive(&mut self, patience: Duration) -> Result<Vec<u8>, LinkError>;
}

/// The last bytes of `seen` as a person can read them.
pub(crate) fn shown(seen: &[u8]) -> String {
    const MOST: usize = 80;
    if seen.is_empty() {
        return "nothing".to_owned();
    }
    let cut = seen.len().saturating_sub(MOST);
    let dots = if cut > 0 { "…" } else { "" };
    format!("{dots}{:?}", String::from_utf8_lossy(&seen[cut..]))
}
