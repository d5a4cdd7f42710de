//! A person at a terminal.

use std::io::{self, Read, Write, stdin, stdout};
use std::thread;
use std::time::Duration;

use anyhow::Context;

use crate::link::{Link, LinkError, Sending, Wire};

/// Ctrl-].
const LEAVE: u8 = 0x1d;
/// How often it is looked whether the person has left.
const SLICE: Duration = Duration::from_millis(50);

/// The terminal without line editing, echo and signals of its own. Dropping it restores the terminal, also in a panic.
struct RawMode;

impl RawMode {
    fn enter() -> io::Result<Self> {
        crossterm::terminal::enable_raw_mode()?;
        Ok(RawMode)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // There is nothing left to do about a terminal that is gone.
        let _ = crossterm::terminal::disable_raw_mode();
    }
}

/// Passes bytes both ways until the person leaves.
pub(super) fn run(mut wire: Wire) -> anyhow::Result<()> {
    let sending = wire.take_sending();
    let raw = RawMode::enter().context("the terminal cannot be switched to raw mode")?;
    // This thread ends with the process: a read from a terminal cannot be called off.
    let keys = thread::spawn(move || pass_keys(stdin(), sending));
    let shown = show(&mut wire, || keys.is_finished());
    drop(raw);
    println!();
    if keys.is_finished() {
        keys.join().map_err(|_| anyhow::anyhow!("the keyboard's thread panicked; please report this"))??;
    }
    shown
}

/// Sends what is typed, up to Ctrl-] or the end.
fn pass_keys(mut keyboard: impl Read, mut sending: Sending) -> anyhow::Result<()> {
    let mut buffer = [0; 256];
    loop {
        let count = match keyboard.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            count => count.context("the terminal cannot be read")?,
        };
        let typed = &buffer[..count];
        let end = typed.iter().position(|&byte| byte == LEAVE);
        sending.send(&typed[..end.unwrap_or(count)])?;
        if end.is_some() || count == 0 {
            return Ok(());
        }
    }
}

/// Shows what the device sends.
fn show(wire: &mut Wire, has_left: impl Fn() -> bool) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    while !has_left() {
        match wire.receive(SLICE) {
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
