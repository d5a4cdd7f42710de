//! A pseudo-terminal: the end that terminal programs open, and ours.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, open as open_file};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// Our end of a pseudo-terminal.
pub struct Line {
    /// What terminal programs open.
    pub path: String,
    /// From the terminal program.
    pub reader: File,
    /// To the terminal program.
    pub writer: Writer,
}

/// The sending half.
pub struct Writer {
    file: File,
    /// The other end, held open: without it a terminal program that leaves would end the line.
    _held: OwnedFd,
}

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Opens a pseudo-terminal that changes no byte, as a serial line.
///
/// # Errors
/// Where the system has none.
pub fn open() -> io::Result<Line> {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let path = ptsname(&ours, Vec::new())?;
    let held = open_file(path.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty())?;
    let mut settings = tcgetattr(&held)?;
    settings.make_raw();
    tcsetattr(&held, OptionalActions::Now, &settings)?;
    let reader = File::from(ours);
    let writer = Writer { file: reader.try_clone()?, _held: held };
    Ok(Line { path: path.to_string_lossy().into_owned(), reader, writer })
}
