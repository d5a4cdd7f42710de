//! Connections to a device: over a serial port, over TCP, or to a board that QEMU emulates.
//!
//! [`LinkArgs`] are the command line options that name a device; they give a [`Target`], and [`Target::open`] a
//! [`Connection`] to it. [`Client`] speaks the console's machine mode (`docs/console.md`) over any [`Link`], and
//! [`Streaming`] its streaming mode.

mod client;
mod connection;
#[cfg(test)]
pub(crate) mod fake_device;
mod firmware;
mod frame;
mod link_error;
mod qemu;
mod stream;
mod target;
#[cfg(test)]
mod tests;
mod ymodem;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use client::{Client, DeviceError, Info};
pub use connection::{Connection, SendHalf};
pub use link_error::{LinkError, OpenError};
pub use qemu::{Emulation, INSTRUCTION_NS};
pub use stream::{Answer, Reply};
pub use target::{LinkArgs, Target};

/// A byte stream to a device and back.
pub trait Link {
    /// Sends all bytes.
    ///
    /// # Errors
    /// [`LinkError`] if the device is gone or accepts no byte for a long time.
    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError>;

    /// Waits for bytes, at most `timeout`. Returns no bytes if none came.
    ///
    /// # Errors
    /// [`LinkError`] if the device is gone or the user interrupts.
    fn receive(&mut self, timeout: Duration) -> Result<Vec<u8>, LinkError>;
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Makes Ctrl-C and termination signals end the next [`Link::receive`] with [`LinkError::Interrupted`], and not the
/// process, so that destructors restore the terminal and stop the emulator.
pub fn catch_interrupts() {
    // This fails if the command has installed a handler already; then that one decides.
    let _ = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed));
}

/// Returns true if the user has interrupted since [`catch_interrupts`].
fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// The last bytes of `seen` in quotes, for error messages.
pub(crate) fn quoted(seen: &[u8]) -> String {
    const MAX_BYTES: usize = 80;
    if seen.is_empty() {
        return "nothing".to_owned();
    }
    let cut = seen.len().saturating_sub(MAX_BYTES);
    let dots = if cut > 0 { "…" } else { "" };
    format!("{dots}{:?}", String::from_utf8_lossy(&seen[cut..]))
}
