//! The console of a device in the user's terminal: keys go to the device, its output to the screen.

use std::io::{self, Read, Write, stdin, stdout};
use std::thread;
use std::time::Duration;

use anyhow::Context;

use super::script::is_leave_command;
use crate::link::{Connection, Link, LinkError, SendHalf};

/// Ctrl-], which leaves the console.
const LEAVE: u8 = 0x1d;
/// Ctrl-C. The device then discards the typed line and leaves its streaming mode, the mode for texts of any length.
const CTRL_C: u8 = 0x03;
/// The interval at which the output thread checks if the user has left.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The raw mode of the terminal: it passes every key on, without line editing, echo or signals. Dropping this value
/// restores the former mode, even after a panic.
struct RawMode;

impl RawMode {
    fn enter() -> io::Result<Self> {
        crossterm::terminal::enable_raw_mode()?;
        Ok(RawMode)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // This fails only if the terminal is gone.
        let _ = crossterm::terminal::disable_raw_mode();
    }
}

/// Passes keys to the device and its output to the screen until the user leaves, the device disconnects, or the program
/// is interrupted.
pub(super) fn run(mut connection: Connection) -> anyhow::Result<()> {
    let sending = connection.take_send_half();
    let raw = RawMode::enter().context("the terminal cannot be switched to raw mode")?;
    // Reading from a terminal cannot be cancelled. If the device disconnects, this thread ends only with the process.
    let key_thread = thread::spawn(move || send_keys(stdin(), sending));
    let output_result = show_output(&mut connection, || key_thread.is_finished());
    drop(raw);
    println!();
    if key_thread.is_finished() {
        key_thread.join().map_err(|_| anyhow::anyhow!("the keyboard's thread panicked; please report this"))??;
    }
    output_result
}

/// Sends the typed keys, until the user leaves or the keyboard's input ends.
fn send_keys(mut keyboard: impl Read, mut sending: SendHalf) -> anyhow::Result<()> {
    let mut buffer = [0; 256];
    let mut line = TypedLine::default();
    loop {
        let count = match keyboard.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            count => count.context("the terminal cannot be read")?,
        };
        if count == 0 {
            return Ok(());
        }
        let typed = &buffer[..count];
        // `position` adds the keys one by one, up to a key that leaves.
        let Some(leaving_key) = typed.iter().position(|&key| line.add_key(key)) else {
            sending.send(typed)?;
            continue;
        };
        sending.send(&typed[..leaving_key])?;
        // The device has already received the letters of `quit` or `exit`; Ctrl-C makes it discard them.
        if typed[leaving_key] != LEAVE {
            sending.send(&[CTRL_C])?;
        }
        return Ok(());
    }
}

/// The line that the user is typing, followed only to recognise `quit` and `exit`.
#[derive(Default)]
struct TypedLine {
    bytes: Vec<u8>,
    /// True after a key that edits the line in a way that is not followed here, such as an arrow key. Such a line is
    /// never taken for `quit` or `exit`.
    is_edited: bool,
    /// True in the streaming mode, in which `quit` may be a line of a text.
    is_streaming: bool,
}

impl TypedLine {
    /// Adds a key. Returns true if it leaves the console: Ctrl-], or the end of a line that is `quit` or `exit`.
    fn add_key(&mut self, key: u8) -> bool {
        match key {
            LEAVE => return true,
            b'\r' | b'\n' => {
                // The next line begins empty and unedited.
                let line = std::mem::take(&mut self.bytes);
                let is_edited = std::mem::take(&mut self.is_edited);
                let is_command = !is_edited && !self.is_streaming;
                if is_command && line == b"stream" {
                    self.is_streaming = true;
                }
                return is_command && is_leave_command(&line);
            }
            // Ctrl-C also ends the streaming mode.
            CTRL_C => *self = TypedLine::default(),
            // Backspace, as either of the two codes that terminals send for it.
            0x08 | 0x7f => _ = self.bytes.pop(),
            b' '.. => self.bytes.push(key),
            _ => self.is_edited = true,
        }
        false
    }
}

/// Writes the device's output to the screen until `has_left` returns true or the program is interrupted.
fn show_output(connection: &mut Connection, has_left: impl Fn() -> bool) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    while !has_left() {
        match connection.receive(POLL_INTERVAL) {
            Ok(bytes) => {
                out.write_all(&bytes)?;
                out.flush()?;
            }
            Err(LinkError::Interrupted) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_quit_or_exit_leaves_and_other_lines_do_not() {
        let left_at = |keys: &[u8]| {
            let mut line = TypedLine::default();
            keys.iter().position(|&key| line.add_key(key))
        };
        assert_eq!(left_at(b"free prize\rquit\rx"), Some(15));
        assert_eq!(left_at(b"exat\x7f\x7fit\n"), Some(8));
        assert_eq!(left_at(b"half a line\x03quit\r"), Some(16));
        assert_eq!(left_at(b"abc\x1dq"), Some(3));
        for other in ["quit it\r", "classify quit\r", " quit\r", "Quit\r", "x\u{1b}[Dquit\r", "stream\rquit\r"] {
            assert_eq!(left_at(other.as_bytes()), None, "{other:?}");
        }
        assert_eq!(left_at(b"stream\rquit\r\x03quit\r"), Some(17));
    }
}
