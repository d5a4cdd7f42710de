//! Transfers of files to a device's console by `sb`, the YMODEM sender of lrzsz.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::device::{Console, TIMEOUT, shown};

/// The result of a transfer by `sb`.
#[derive(Debug)]
pub struct Sent {
    /// The exit status; `None` if `sb` was killed.
    pub status: Option<i32>,
    /// The stderr of `sb`, with `N` in place of the speed, and only the last state of each line that it redraws.
    pub output: String,
    /// The device's answer up to the prompt.
    pub answer: String,
}

/// The fate of a piece of data that `sb` sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The piece arrives at the device.
    Passes,
    /// The piece is lost and `sb` is killed.
    SenderDies,
    /// The piece is lost and `sb` is killed. The caller cuts the power of the device, so no answer is awaited.
    DeviceDies,
}

/// Sends `load` and then `file` by `sb`, without any disturbance: see [`send`].
pub fn send_all(console: &mut Console, file: &Path) -> Sent {
    send(console, file, |_| Fate::Passes)
}

/// Sends `load` and then `file` by `sb`. `relay`: is called with every piece of data that `sb` sends, may change it,
/// and returns its fate. Panics if `sb` is not installed or the device does not return to its prompt.
pub fn send(console: &mut Console, file: &Path, mut relay: impl FnMut(&mut [u8]) -> Fate) -> Sent {
    console.send(b"load\r");
    console.until("Ctrl-C cancels\r\n");
    let (ours, theirs) = UnixStream::pair().expect("the system has sockets");
    let end = || Stdio::from(OwnedFd::from(theirs.try_clone().expect("a socket can be duplicated")));
    let mut command = Command::new("sb");
    command.arg("-vv").arg(file).stdin(end()).stdout(end()).stderr(Stdio::piped());
    let mut sb = command.spawn().expect("`sb` of lrzsz starts; `cargo xtask setup` installs it");
    // Closes this process's copies of `sb`'s end of the socket, so that it closes when `sb` ends.
    drop((command, theirs));
    let mut stderr = sb.stderr.take().expect("stderr is piped");
    let output = thread::spawn(move || {
        let mut output = Vec::new();
        // After an error the output ends with what was read so far.
        drop(stderr.read_to_end(&mut output));
        output
    });
    let mut last_fate = Fate::Passes;
    let received = pass_on(&console.stream, &ours, &mut sb, |piece| {
        last_fate = relay(piece);
        last_fate
    });
    let status = sb.wait().expect("`sb` can be waited for").code();
    let output = output.join().expect("reading does not panic");
    let mut answer = shown(&received);
    if !answer.ends_with("\n> ") && last_fate != Fate::DeviceDies {
        answer += &console.until("\n> ");
    }
    // Bytes of the YMODEM receiver come before the answer.
    let answer = answer.trim_start_matches(|byte| "C\x06\x15\x18\x08".contains(byte)).to_owned();
    Sent { status, output: without_speed(&shown(&output)), answer }
}

/// Passes bytes on in both directions until `sb` has ended, and returns the bytes that the device sent.
fn pass_on(device: &TcpStream, line: &UnixStream, sb: &mut Child, mut relay: impl FnMut(&mut [u8]) -> Fate) -> Vec<u8> {
    // The time that the listening thread waits for the device before it checks whether `sb` has ended.
    const POLL_INTERVAL: Duration = Duration::from_millis(20);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let listener = scope.spawn(|| {
            let (mut device, mut line, mut received) = (device, line, Vec::new());
            device.set_read_timeout(Some(POLL_INTERVAL)).expect("a socket has options");
            while !is_over.load(Ordering::Relaxed) {
                let mut piece = [0; 256];
                if let Ok(count @ 1..) = device.read(&mut piece) {
                    received.extend_from_slice(&piece[..count]);
                    // An error means that `sb` has already ended.
                    drop(line.write_all(&piece[..count]));
                }
            }
            device.set_read_timeout(Some(TIMEOUT)).expect("a socket has options");
            received
        });
        let (mut device, mut line, mut piece) = (device, line, [0; 256]);
        while let Ok(count @ 1..) = line.read(&mut piece) {
            if relay(&mut piece[..count]) != Fate::Passes {
                sb.kill().expect("`sb` can be killed");
                break;
            }
            device.write_all(&piece[..count]).expect("the device runs");
        }
        is_over.store(true, Ordering::Relaxed);
        listener.join().expect("reading does not panic")
    })
}

/// Returns the output of `sb` with `N` in place of the speed, which varies from run to run, and only the last state of
/// each line that `sb` redraws.
fn without_speed(output: &str) -> String {
    let mut settled = String::new();
    for line in output.lines() {
        let last = line.trim_end().rsplit('\r').next().unwrap_or_default();
        let last = match last.split_once("BPS:") {
            Some((before, _)) => format!("{before}BPS:N"),
            None => last.to_owned(),
        };
        settled += &(last + "\n");
    }
    settled
}
