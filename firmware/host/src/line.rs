//! Where the console's other end is: a pseudo-terminal that terminal programs open, or the terminal that we run in.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, open as open_file};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

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

/// Our own terminal, which gives each key as it is typed until this is dropped.
pub struct Raw {
    before: Termios,
}

impl Raw {
    /// The terminal at stdin. None: it is none.
    ///
    /// # Errors
    /// Where the terminal refuses.
    pub fn of_stdin() -> io::Result<Option<Self>> {
        if !io::stdin().is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(io::stdin())?;
        let mut settings = before.clone();
        settings.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &settings)?;
        Ok(Some(Raw { before }))
    }

    /// What is typed, up to Ctrl-].
    pub fn keys(&self) -> impl Read + Send + use<> {
        Keys { stdin: io::stdin(), has_left: false }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Where this fails there is no terminal any more.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

struct Keys {
    stdin: io::Stdin,
    has_left: bool,
}

impl Read for Keys {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        const LEAVE: u8 = 0x1d;
        if self.has_left {
            return Ok(0);
        }
        let count = self.stdin.read(to)?;
        let leave = to[..count].iter().position(|&byte| byte == LEAVE);
        self.has_left = leave.is_some();
        Ok(leave.unwrap_or(count))
    }
}
