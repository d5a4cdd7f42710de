//! The trait [`Link`], a byte stream to a device and back, and its errors.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A byte stream to a device and back.
pub trait Link {
    /// Sends all bytes.
    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError>;

    /// Waits for bytes, at most `timeout`, and returns them. Returns an empty vector if none came.
    fn receive(&mut self, timeout: Duration) -> Result<Vec<u8>, LinkError>;

    /// Advice for the user about this connection, if the device does not answer at all.
    fn advice(&self) -> String {
        "check that the device runs the tern-firmware of this release".to_owned()
    }
}

/// True after an interrupt that [`take_interrupt`] has not reported yet.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Catches Ctrl-C and termination signals. They no longer end the process: the current or next [`Link::receive`]
/// returns [`LinkError::Interrupted`]. So the caller can leave the device ready for the next command, and destructors
/// restore the terminal and stop the emulator.
pub fn catch_interrupts() {
    // An error means that there is a handler already, for example that of an earlier call. It remains in place.
    let _ = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed));
}

/// Returns true if there was an interrupt since the last call.
pub(super) fn take_interrupt() -> bool {
    INTERRUPTED.swap(false, Ordering::Relaxed)
}

/// Returns the last 80 bytes of `seen` in quotation marks, for error messages; with `…` before them if there are more,
/// and `nothing` if there are none.
pub fn quoted(seen: &[u8]) -> String {
    const MAX_BYTES: usize = 80;
    if seen.is_empty() {
        return "nothing".to_owned();
    }
    let cut = seen.len().saturating_sub(MAX_BYTES);
    let dots = if cut > 0 { "…" } else { "" };
    format!("{dots}{:?}", String::from_utf8_lossy(&seen[cut..]))
}

/// Errors of an open connection.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("{link}: the device is gone: {reason}")]
    Closed { link: String, reason: String },
    #[error("{link}: {error}")]
    Io { link: String, error: io::Error },
    #[error(
        "{link}: the other end speaks telnet, which changes bytes; expected a plain connection: with ser2net use `raw`, with QEMU \
         `-serial tcp:` in place of `telnet:`"
    )]
    Telnet { link: String },
    #[error("interrupted")]
    Interrupted,
}

/// Errors of opening a connection.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{}: {error}{}", path.display(), hint(kind))]
    File {
        path: PathBuf,
        /// The kind of the file: `model`, `firmware` or `flash`.
        kind: &'static str,
        error: io::Error,
    },
    #[error(
        "the emulated {board} has no firmware yet; this command builds it:\n    {command}\nor name another firmware with --firmware ELF"
    )]
    NoFirmware {
        board: &'static str,
        /// The command that builds the firmware.
        command: String,
    },
    /// The emulated board does not support an option or a file, for the reason in the text.
    #[error("{0}")]
    Unsupported(String),
    #[error(
        "{program} was not found in PATH, expected QEMU 7.2 or later; on Debian or Ubuntu install it with\n    \
         sudo apt-get install --no-install-recommends {package}"
    )]
    NoQemu {
        program: &'static str,
        /// Debian's package of the program.
        package: &'static str,
    },
    #[error("{program} does not start: {error}")]
    Qemu { program: &'static str, error: io::Error },
    #[error(
        "{port}: you may not open this port. On Linux its group is usually dialout: `sudo usermod -aG dialout $USER`, then \
         log in again"
    )]
    PortPermission { port: String },
    #[error("{port}: {}; a port serves one program at a time, end the other one", in_use(holders))]
    PortBusy {
        port: String,
        /// The programs that have the port open. Empty if they are not known.
        holders: Vec<String>,
    },
    #[error("{port}: {error}; {}", available(ports))]
    Port {
        port: String,
        error: serialport::Error,
        /// The ports of this computer.
        ports: Vec<String>,
    },
    #[error("{address}: {error}; expected HOST:PORT of a device's console, for example 127.0.0.1:5555")]
    Tcp { address: String, error: io::Error },
}

/// Returns the words of a message that say what file of this kind is expected; empty for a kind without advice.
fn hint(kind: &str) -> &'static str {
    match kind {
        "firmware" => "; expected an ELF file of tern-firmware: `cargo xtask firmware` builds it",
        "model" => "; expected a device file: `tern export` writes one",
        _ => "",
    }
}

/// Returns the words of a message that say who has a port open: the programs `holders`, or `another program` if they
/// are not known.
pub(super) fn in_use(holders: &[String]) -> String {
    let by = if holders.is_empty() { "another program".to_owned() } else { holders.join(", ") };
    format!("in use by {by}")
}

/// Returns the words of a message that list the ports of this computer.
fn available(ports: &[String]) -> String {
    if ports.is_empty() {
        "this computer has no serial port: is the device plugged in?".to_owned()
    } else {
        format!("the ports of this computer are {}", ports.join(", "))
    }
}
