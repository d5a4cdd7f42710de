//! The `sb` of lrzsz at the other end of a device's console.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::device::{Console, PATIENCE, shown};

/// How a transfer by `sb` ended.
#[derive(Debug)]
pub struct Sent {
    /// Exit status; none: it was killed.
    pub status: Option<i32>,
    /// Its own words, with `N` for its speed, and of a line that it draws again and again the last one.
    pub words: String,
    /// The device's answer, up to its prompt.
    pub said: String,
}

/// What becomes of a piece on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It comes to the device.
    Passes,
    /// It does not: `sb` is killed.
    SenderDies,
    /// It does not: `sb` is killed, and nobody listens to the device any more.
    DeviceDies,
}

/// Types `load`, and has `sb` send `file`. `relay` sees every piece that `sb` sends before the device does, and may change it.
///
/// # Panics
///
/// Where there is no `sb`, or the device does not come back to its prompt.
pub fn send(console: &mut Console, file: &Path, mut relay: impl FnMut(&mut [u8]) -> Fate) -> Sent {
    console.send(b"load\r");
    console.until("gives up\r\n");
    let (ours, theirs) = UnixStream::pair().expect("the system has lines");
    let end = || Stdio::from(OwnedFd::from(theirs.try_clone().expect("a line has two ends of a program")));
    let mut command = Command::new("sb");
    command.arg("-vv").arg(file).stdin(end()).stdout(end()).stderr(Stdio::piped());
    let mut sb = command.spawn().expect("the `sb` of lrzsz starts: is `cargo xtask setup` done?");
    // Both ends that `sb` does not hold are closed: its end is the line's.
    drop((command, theirs));
    let mut stderr = sb.stderr.take().expect("stderr is piped");
    let words = thread::spawn(move || {
        let mut words = Vec::new();
        // What was read until an error counts.
        drop(stderr.read_to_end(&mut words));
        words
    });
    let mut last = Fate::Passes;
    let heard = pass_on(&console.stream, &ours, &mut sb, |piece| {
        last = relay(piece);
        last
    });
    let status = sb.wait().expect("`sb` can be waited for").code();
    let words = words.join().expect("reading does not panic");
    let mut said = shown(&heard);
    if !said.ends_with("\n> ") && last != Fate::DeviceDies {
        said += &console.until("\n> ");
    }
    // Before it stand the receiver's bytes of the protocol.
    let said = said.trim_start_matches(|byte| "C\x06\x15\x18\x08".contains(byte)).to_owned();
    Sent { status, words: settled(&shown(&words)), said }
}

/// Passes bytes on both ways until `sb` has ended. Gives what the device sent.
fn pass_on(device: &TcpStream, line: &UnixStream, sb: &mut Child, mut relay: impl FnMut(&mut [u8]) -> Fate) -> Vec<u8> {
    const SLICE: Duration = Duration::from_millis(20);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let hearing = scope.spawn(|| {
            let (mut device, mut line, mut heard) = (device, line, Vec::new());
            device.set_read_timeout(Some(SLICE)).expect("a socket has options");
            while !is_over.load(Ordering::Relaxed) {
                let mut piece = [0; 256];
                if let Ok(count @ 1..) = device.read(&mut piece) {
                    heard.extend_from_slice(&piece[..count]);
                    // It may have ended meanwhile.
                    drop(line.write_all(&piece[..count]));
                }
            }
            device.set_read_timeout(Some(PATIENCE)).expect("a socket has options");
            heard
        });
        let (mut device, mut line, mut piece) = (device, line, [0; 256]);
        while let Ok(count @ 1..) = line.read(&mut piece) {
            if relay(&mut piece[..count]) != Fate::Passes {
                sb.kill().expect("`sb` can be killed");
                break;
            }
            device.write_all(&piece[..count]).expect("the device is there");
        }
        is_over.store(true, Ordering::Relaxed);
        hearing.join().expect("hearing does not panic")
    })
}

/// Words of `sb` that are the same on every run.
fn settled(words: &str) -> String {
    let mut settled = String::new();
    for line in words.lines() {
        let last = line.trim_end().rsplit('\r').next().unwrap_or_default();
        let last = match last.split_once("BPS:") {
            Some((before, _)) => format!("{before}BPS:N"),
            None => last.to_owned(),
        };
        settled += &(last + "\n");
    }
    settled
}
