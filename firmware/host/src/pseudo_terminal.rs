//! Two connections of the console: a pseudo-terminal, which a terminal program such as picocom opens as it opens a
//! serial port, and the terminal that this program was started in.

use std::fs::File;
use std::io::{self, IsTerminal, Read};

use rustix::fs::{Mode, OFlags, open as open_file};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// The device's side of a pseudo-terminal.
pub struct PseudoTerminal {
    /// The path that terminal programs open.
    pub path: String,
    /// Reads the bytes that the terminal program sends.
    pub reader: File,
    /// Writes bytes to the terminal program.
    pub writer: File,
}

/// Opens a pseudo-terminal that passes every byte unchanged, as a serial line does.
///
/// # Errors
/// If the system provides none.
pub fn open() -> io::Result<PseudoTerminal> {
    let device_side = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&device_side)?;
    unlockpt(&device_side)?;
    let path = ptsname(&device_side, Vec::new())?;
    let terminal_side = open_file(path.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty())?;
    let mut settings = tcgetattr(&terminal_side)?;
    settings.make_raw();
    tcsetattr(&terminal_side, OptionalActions::Now, &settings)?;
    // This descriptor is never closed: otherwise reading would fail as soon as no terminal program has the path open.
    std::mem::forget(terminal_side);
    let reader = File::from(device_side);
    let writer = reader.try_clone()?;
    Ok(PseudoTerminal { path: path.to_string_lossy().into_owned(), reader, writer })
}

/// The program's own terminal, in raw mode until this is dropped: each key is read as it is typed.
pub struct RawTerminal {
    /// The settings to return to.
    settings_before: Termios,
}

impl RawTerminal {
    /// Sets the terminal at stdin to raw mode; returns `None` if stdin is not a terminal.
    ///
    /// # Errors
    /// If the terminal's mode cannot be changed.
    pub fn of_stdin() -> io::Result<Option<Self>> {
        if !io::stdin().is_terminal() {
            return Ok(None);
        }
        let settings_before = tcgetattr(io::stdin())?;
        let mut settings = settings_before.clone();
        settings.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &settings)?;
        Ok(Some(RawTerminal { settings_before }))
    }

    /// Returns a reader of the keys typed, which ends at Ctrl-].
    pub fn keys(&self) -> impl Read + Send + use<> {
        Keys { stdin: io::stdin(), has_left: false }
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // This fails only if the terminal is closed.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.settings_before);
    }
}

/// Reads stdin up to the first Ctrl-].
struct Keys {
    stdin: io::Stdin,
    /// True after Ctrl-], from where on nothing more is read.
    has_left: bool,
}

impl Read for Keys {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        const CTRL_BRACKET: u8 = 0x1d;
        if self.has_left {
            return Ok(0);
        }
        let count = self.stdin.read(to)?;
        let end = to[..count].iter().position(|&byte| byte == CTRL_BRACKET);
        self.has_left = end.is_some();
        Ok(end.unwrap_or(count))
    }
}
