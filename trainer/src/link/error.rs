//! What can go wrong below the protocol.
//!
//! The texts are complete: no error has a source, which a caller would print a second time.

use std::io;
use std::path::PathBuf;

/// Why a line to a device broke.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The other end is gone.
    #[error("{link}: the device is gone: {reason}")]
    Closed {
        /// The line.
        link: String,
        /// What is known about it.
        reason: String,
    },
    /// The system refuses to read or write.
    #[error("{link}: {error}")]
    Io {
        /// The line.
        link: String,
        /// What the system says.
        error: io::Error,
    },
    /// The user wants to stop.
    #[error("interrupted")]
    Interrupted,
}

/// Why there is no line to a device.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file for the emulator cannot be read.
    #[error("{}: {error}{}", path.display(), hint(what))]
    File {
        /// The file.
        path: PathBuf,
        /// What it is: the model or the firmware.
        what: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// There is no firmware where it usually is.
    #[error(
        "no firmware for the emulator: {} does not exist here or in a folder above; `cargo xtask firmware --board {board}` builds \
         it, or name another with --firmware ELF or TERN_FIRMWARE",
        wanted.display()
    )]
    NoFirmware {
        /// The place looked for.
        wanted: PathBuf,
        /// The board.
        board: &'static str,
    },
    /// The model does not fit the emulated board's flash.
    #[error("{}: {found} bytes, the model slot of {board} holds {expected}; export a smaller model", path.display())]
    ModelTooLarge {
        /// The model.
        path: PathBuf,
        /// Its length.
        found: u64,
        /// The slot's length.
        expected: u64,
        /// The board.
        board: &'static str,
    },
    /// The emulator is not installed.
    #[error(
        "{program} is not there, expected QEMU 7.2 or later in PATH; on Debian or Ubuntu install it with\n    \
         sudo apt-get install --no-install-recommends {package}"
    )]
    NoQemu {
        /// The program.
        program: &'static str,
        /// Debian's package of it.
        package: &'static str,
    },
    /// The emulator does not start.
    #[error("{program} does not start: {error}")]
    Qemu {
        /// The program.
        program: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// Nothing emulates the board.
    #[error("no emulator has the board {board}; it can be flashed and reached by --port. QEMU has {emulated}")]
    NotEmulated {
        /// The board.
        board: &'static str,
        /// Those that are.
        emulated: String,
    },
    /// The emulated board has no port for a log.
    #[error("the emulated {board} has one serial port only and drops its log; leave --log out")]
    NoLog {
        /// The board.
        board: &'static str,
    },
    /// The emulated board's flash cannot be kept.
    #[error("the emulated {board} has no flash that outlasts it; leave --flash out, or take --board riscv32-virt")]
    NoFlash {
        /// The board.
        board: &'static str,
    },
    /// A file of flash is of another length.
    #[error("{}: {found} bytes, expected the flash of an emulated board, {expected}; name a file that does not exist yet", path.display())]
    FlashLength {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
        /// The flash's length.
        expected: u64,
    },
    /// The serial port cannot be opened.
    #[error("{port}: {error}; {}", available(ports))]
    Port {
        /// The port.
        port: String,
        /// What the system says.
        error: serialport::Error,
        /// The ports that there are.
        ports: Vec<String>,
    },
    /// There is no connection.
    #[error("{address}: {error}; expected HOST:PORT where a device's console listens, for example 127.0.0.1:5555")]
    Tcp {
        /// The address.
        address: String,
        /// What the system says.
        error: io::Error,
    },
}

fn hint(what: &str) -> &'static str {
    match what {
        "firmware" => "; expected an ELF file of tern-firmware: `cargo xtask firmware` builds it",
        _ => "; expected a device file: `tern export` writes one",
    }
}

fn available(ports: &[String]) -> String {
    if ports.is_empty() {
        "no serial port is there: is the device plugged in, and may you open it (on Linux, group dialout)?".to_owned()
    } else {
        format!("the ports here are {}", ports.join(", "))
    }
}
