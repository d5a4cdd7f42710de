//! The host's side of the console's machine mode (`docs/console.md`): the device answers each request by one line of
//! JSON with a number and checksums.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use tern_format::times;

use super::client_error::ClientError;
use super::frame::{self, FrameChecker};
use super::transport::{Link, quoted};
use super::waits::{milliseconds, patience};
use crate::progress::Stage;

/// Version of the console's protocol.
const PROTOCOL: u64 = 2;

/// Control byte that discards the current line or ends the current mode: Ctrl-C.
pub(super) const ETX: u8 = 0x03;
/// Control byte by which a device acknowledges bytes of a stream or a block of a file.
pub(super) const ACK: u8 = 0x06;
/// The two CAN bytes that cancel a transfer by YMODEM.
pub(super) const CANCEL: &[u8] = &[0x18, 0x18];

/// Longest wait for the answer to a command that computes nothing.
const QUICK_WAIT: Duration = Duration::from_secs(1);
/// Longest wait for the banner of a restarted device, after a line that is not an answer.
const BANNER_WAIT: Duration = Duration::from_secs(3);
/// Time after which a wait is shown to the user.
const SHOWN_AFTER: Duration = Duration::from_secs(2);
/// Maximum length of an answer in bytes.
const MAX_LINE: usize = 1 << 20;
/// Maximum number of bytes that are kept for an error message, and of a line that is not an answer.
const MAX_NOISE: usize = 160;

/// The answer to `info`: the firmware and the model that a device runs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Info {
    /// Version of the console's protocol.
    pub protocol: u64,
    /// Version of the firmware.
    pub firmware: String,
    /// Name of the board that the firmware was built for.
    pub board: String,
    /// Frequency of the ticks in Hz.
    pub clock_hz: u64,
    /// The model in use; `None` if the device has none.
    pub model: Option<ModelInfo>,
    /// The reason why the device has no model; `None` if it has one.
    pub model_error: Option<String>,
}

/// The model in the answer to `info`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ModelInfo {
    pub name: String,
    /// CRC-32 of the device file in eight hexadecimal digits.
    pub crc32: String,
    /// Length of the device file in bytes.
    pub bytes: u64,
}

/// One event from a device in machine mode.
pub(super) enum Event {
    /// An ACK byte of the streaming mode.
    Ack,
    /// The JSON of an answer.
    Line(Vec<u8>),
}

/// The host's side of a console in machine mode.
#[derive(Debug)]
pub struct Client<L> {
    link: L,
    /// The longest time in which a device may send nothing while an answer is due.
    timeout: Duration,
    /// The bytes of the last [`Link::receive`].
    received: Vec<u8>,
    /// Number of bytes of `received` that have been read.
    taken: usize,
    /// The last bytes received, for error messages.
    seen: Vec<u8>,
    /// Checks the number and the request of each answer. The requests whose answers it checks are registered here.
    pub(super) frames: FrameChecker,
}

impl<L: Link> Client<L> {
    /// Creates a client that gives up if the device sends nothing for `timeout` while an answer is due.
    pub fn new(link: L, timeout: Duration) -> Self {
        Client { link, timeout, received: Vec::new(), taken: 0, seen: Vec::new(), frames: FrameChecker::default() }
    }

    /// Brings a device into machine mode from any state, even if the last program left it in the middle of a stream or
    /// of a transfer. Fails with [`ClientError::NoConsole`] if the device does not answer within the client's timeout,
    /// and with [`ClientError::Protocol`] if it uses another version of the protocol.
    pub fn synchronize(&mut self) -> Result<(), ClientError> {
        self.synchronize_within(self.timeout)
    }

    /// Does the same as [`synchronize`](Client::synchronize), but waits longer: a device that starts may test a model
    /// before it answers.
    pub fn synchronize_after_start(&mut self) -> Result<(), ClientError> {
        self.synchronize_within(self.timeout.max(milliseconds(times::START_WAIT)))
    }

    /// Sends `@mode machine` until the device answers it, at least once and for at most `patience`.
    fn synchronize_within(&mut self, patience: Duration) -> Result<(), ClientError> {
        let deadline = Instant::now() + patience;
        let (mut attempts, mut stage) = (0, None);
        while attempts == 0 || Instant::now() < deadline {
            attempts += 1;
            if attempts > 1 {
                stage.get_or_insert_with(|| Stage::new("waiting for the device's console"));
                // The device may be receiving a file. Elsewhere these bytes have no effect after the ETX below.
                self.send(CANCEL)?;
                while self.try_line(deadline.min(Instant::now() + milliseconds(times::CANCEL_SILENCE)))?.is_some() {}
            }
            // Two ETX, since the device may take the first one for an escaped byte.
            self.send(&[ETX, ETX])?;
            self.send(b"@mode machine\n")?;
            // A slow device gets more time with each attempt, or it would never finish answering them.
            let wait = milliseconds(times::RETRY) * (1 << (attempts - 1).min(times::RETRY_DOUBLINGS));
            let retry_at = deadline.min(Instant::now() + wait);
            while let Some(line) = self.try_line(retry_at)? {
                // The answer to `@mode machine` restarts the numbering at 0.
                if let Some((0, value)) = framed_json(&line)
                    && value.get("mode") == Some(&"machine".into())
                {
                    self.frames = FrameChecker::after(0);
                    return check_protocol(&value);
                }
            }
        }
        // Firmware of another release may not know machine mode. Every release answers `@info` by a JSON object with
        // the key `protocol`.
        self.send(b"\x03\x03@info\n")?;
        let deadline = Instant::now() + QUICK_WAIT;
        while let Some(line) = self.try_line(deadline)? {
            if let Some(value) = any_json(&line).filter(|value| value.get("protocol").is_some()) {
                check_protocol(&value)?;
            }
        }
        let (last_seen, advice) = (quoted(&self.seen), self.link.advice());
        Err(ClientError::NoConsole { attempts, last_seen, advice })
    }

    /// Requests the firmware and the model of the device.
    pub fn info(&mut self) -> Result<Info, ClientError> {
        const WAITING_FOR: &str = "the answer to `info`, with the key `firmware`";
        self.send(b"info\n")?;
        let deadline = Instant::now() + self.timeout;
        // A device that was slow to start may still answer earlier `@mode machine` lines, each of which resets its
        // numbering.
        while let Some(line) = self.try_line(deadline)? {
            let Some((number, value)) = framed_json(&line) else { continue };
            if value.get("firmware").is_none() {
                continue;
            }
            self.frames = FrameChecker::after(number);
            check_protocol(&value)?;
            return parse(&value, WAITING_FOR);
        }
        Err(self.silent(WAITING_FOR, self.timeout))
    }

    /// Sends one line, given without its line end, waits for its answer, and returns the JSON object. Fails with
    /// [`ClientError::Refused`] if the device answers by an error.
    pub fn request(&mut self, line: &str) -> Result<Value, ClientError> {
        self.frames.sent(line.as_bytes());
        self.send(format!("{line}\n").as_bytes())?;
        self.answer(line)
    }

    /// Resets the device, which does not answer; call [`synchronize`](Client::synchronize) next.
    pub fn reset(&mut self) -> Result<(), ClientError> {
        self.send(b"reset\n")
    }

    /// Returns the device from machine mode to the prompt, if it still answers. Errors are ignored.
    pub fn release(&mut self) {
        if self.link.send(&[ETX, ETX]).and_then(|()| self.link.send(b"mode human\n")).is_err() {
            return;
        }
        let deadline = Instant::now() + QUICK_WAIT.min(self.timeout);
        while let Ok(Some(line)) = self.try_line(deadline) {
            if framed_json(&line).is_some_and(|(_, value)| value.get("mode") == Some(&"human".into())) {
                // Reads the prompt, which ends in a space.
                while let Ok(Some(byte)) = self.byte(deadline)
                    && byte != b' '
                {}
                return;
            }
        }
    }

    /// Returns the connection. Bytes that were received and not read yet are lost.
    pub fn into_link(self) -> L {
        self.link
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        Ok(self.link.send(bytes)?)
    }

    /// Waits for the answer to `request`, and returns its JSON object. Fails as [`request`](Client::request) does.
    pub(super) fn answer(&mut self, request: &str) -> Result<Value, ClientError> {
        let waiting_for = format!("the answer to `{request}`");
        let Event::Line(line) = self.next_event(&waiting_for, patience(request.as_bytes(), self.timeout))? else {
            return Err(ClientError::Unexpected { found: "ACK".to_owned(), expected: waiting_for });
        };
        accepted(&line, request)
    }

    /// Waits for the next answer or ACK. Fails if the device sends nothing for `patience`, sends other bytes, or
    /// restarts. `waiting_for`: the expected answer, for the error.
    pub(super) fn next_event(&mut self, waiting_for: &str, patience: Duration) -> Result<Event, ClientError> {
        let mut line = Vec::new();
        loop {
            match self.patient_byte(waiting_for, patience)? {
                None => return Err(self.silent(waiting_for, patience)),
                Some(ACK) if line.is_empty() => return Ok(Event::Ack),
                Some(b'\n') => {
                    line.pop_if(|last| *last == b'\r');
                    return match self.frames.take(&line) {
                        Ok(json) => Ok(Event::Line(json.to_vec())),
                        Err(fault) => {
                            let error = unreadable(&line, &format!("{waiting_for}; {fault}"));
                            Err(self.restarted_or(error, line, waiting_for))
                        }
                    };
                }
                Some(byte) => line.push(byte),
            }
            // An answer begins with its number. Any other line is noise, which need not be read to its end.
            let longest = if line[0].is_ascii_digit() { MAX_LINE } else { MAX_NOISE };
            if line.len() > longest {
                let error = unreadable(&line, waiting_for);
                return Err(self.restarted_or(error, line, waiting_for));
            }
        }
    }

    /// Returns the error for a line that is not an answer: [`ClientError::Restarted`] if this line is the device's
    /// banner or the banner follows it, and `error` otherwise.
    fn restarted_or(&mut self, error: ClientError, line: Vec<u8>, waiting_for: &str) -> ClientError {
        let mut deadline = Instant::now() + BANNER_WAIT.min(self.timeout);
        let mut next_line = Some(line);
        while let Some(line) = next_line {
            if is_banner(&line) {
                return self.restarted(waiting_for);
            }
            // The firmware has panicked or faulted, and announces its restart.
            if line.starts_with(b"firmware stopped: ") {
                deadline = Instant::now() + milliseconds(times::START_WAIT);
            }
            next_line = self.try_line(deadline).unwrap_or(None);
        }
        error
    }

    /// Returns the error for a device that has printed its banner, with the reason of its reset, which the device is
    /// asked for.
    pub(super) fn restarted(&mut self, waiting_for: &str) -> ClientError {
        let reason = self.last_reset().unwrap_or(None);
        let reason = reason.unwrap_or_else(|| "its `stats` do not give the reason".to_owned());
        ClientError::Restarted { reason, waiting_for: waiting_for.to_owned() }
    }

    /// Asks a device in any state for the reason of its last reset. `None` if its answer to `stats` has none.
    fn last_reset(&mut self) -> Result<Option<String>, ClientError> {
        self.synchronize()?;
        self.send(b"stats\n")?;
        let deadline = Instant::now() + QUICK_WAIT;
        while let Some(line) = self.try_line(deadline)? {
            if let Some((number, value)) = framed_json(&line)
                && let Some(reason) = value.get("last_reset")
            {
                self.frames = FrameChecker::after(number);
                return Ok(reason.as_str().map(str::to_owned));
            }
        }
        Ok(None)
    }

    /// Returns the next byte; `None` if none comes for `patience`. A wait longer than [`SHOWN_AFTER`] is shown to the
    /// user.
    pub(super) fn patient_byte(&mut self, waiting_for: &str, patience: Duration) -> Result<Option<u8>, ClientError> {
        let deadline = Instant::now() + patience;
        if let Some(byte) = self.byte(deadline.min(Instant::now() + SHOWN_AFTER))? {
            return Ok(Some(byte));
        }
        let _shown = Stage::new(format!("waiting for {waiting_for}"));
        self.byte(deadline)
    }

    /// Returns the next line of a device in any mode, without its line end and without ACKs; `None` at the deadline.
    fn try_line(&mut self, deadline: Instant) -> Result<Option<Vec<u8>>, ClientError> {
        let mut line = Vec::new();
        while let Some(byte) = self.byte(deadline)? {
            match byte {
                b'\n' => return Ok(Some(line)),
                b'\r' | ACK => (),
                byte if line.len() < MAX_LINE => line.push(byte),
                // A line of more than `MAX_LINE` bytes is noise, of which only the end is returned.
                _ => line.clear(),
            }
        }
        Ok(None)
    }

    /// Returns the next byte; `None` at the deadline.
    pub(super) fn byte(&mut self, deadline: Instant) -> Result<Option<u8>, ClientError> {
        if self.taken == self.received.len() {
            // The deadline also holds for a device that never stops sending.
            let time_left = deadline.saturating_duration_since(Instant::now());
            let bytes = if time_left.is_zero() { Vec::new() } else { self.link.receive(time_left)? };
            if bytes.is_empty() {
                return Ok(None);
            }
            self.seen.extend_from_slice(&bytes);
            self.seen.drain(..self.seen.len().saturating_sub(MAX_NOISE));
            (self.received, self.taken) = (bytes, 0);
        }
        self.taken += 1;
        Ok(Some(self.received[self.taken - 1]))
    }

    /// Returns the error for a device that sent nothing for `patience`.
    pub(super) fn silent(&self, waiting_for: &str, patience: Duration) -> ClientError {
        let waiting_for = waiting_for.to_owned();
        ClientError::Silent { waiting_for, seconds: patience.as_secs_f64(), last_seen: quoted(&self.seen) }
    }

    /// The longest time in which a device may send nothing while an answer is due.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }
}

/// Returns true for the first line of a device's banner, `tern VERSION on BOARD`.
pub fn is_banner(line: &[u8]) -> bool {
    let words: Vec<&[u8]> = line.trim_ascii().split(|&byte| byte == b' ').collect();
    matches!(words[..], [b"tern", version, b"on", _] if version.first().is_some_and(u8::is_ascii_digit))
}

/// Returns the JSON object of the answer to `request`. Fails with [`ClientError::Refused`] if it is an error. `line`:
/// the JSON of the answer.
pub(super) fn accepted(line: &[u8], request: &str) -> Result<Value, ClientError> {
    let value = json(line).ok_or_else(|| unreadable(line, &format!("the answer to `{request}`")))?;
    if value.get("error").is_some() {
        let error = parse(&value, "an error with its message")?;
        return Err(ClientError::Refused { request: request.to_owned(), error });
    }
    Ok(value)
}

/// Returns the number and the JSON object of a framed answer; `None` for any other line.
fn framed_json(line: &[u8]) -> Option<(u32, Value)> {
    let framed = frame::parse(line).ok()?;
    Some((framed.number, json(framed.json)?))
}

/// Returns the JSON object from the first `{` to the last `}` of a line; `None` if there is none.
fn any_json(line: &[u8]) -> Option<Value> {
    let begin = line.iter().position(|&byte| byte == b'{')?;
    let end = line.iter().rposition(|&byte| byte == b'}')?;
    json(line.get(begin..=end)?)
}

/// Checks that an answer contains the protocol version [`PROTOCOL`].
fn check_protocol(value: &Value) -> Result<(), ClientError> {
    match value.get("protocol").and_then(Value::as_u64) {
        Some(PROTOCOL) => Ok(()),
        // 0: the answer names no protocol.
        found => Err(ClientError::Protocol { found: found.unwrap_or(0), expected: PROTOCOL }),
    }
}

/// Parses a JSON object; `None` for anything else.
pub(super) fn json(line: &[u8]) -> Option<Value> {
    serde_json::from_slice(line).ok().filter(Value::is_object)
}

/// Converts the JSON object of an answer to `T`. `expected`: the expected answer, for the error.
pub(super) fn parse<T: DeserializeOwned>(value: &Value, expected: &str) -> Result<T, ClientError> {
    T::deserialize(value).map_err(|error| unexpected(value, &format!("{expected} ({error})")))
}

/// Returns the error for bytes that are not the expected answer.
pub(super) fn unreadable(line: &[u8], expected: &str) -> ClientError {
    ClientError::Unexpected { found: quoted(line), expected: expected.to_owned() }
}

/// Returns the error for a JSON object that is not the expected one.
pub(super) fn unexpected(value: &Value, expected: &str) -> ClientError {
    unreadable(value.to_string().as_bytes(), expected)
}
