//! The machine mode of the console's protocol, `docs/console.md`: requests, each answered by one line, numbered and checksummed.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::frame::{self, Frames};
use super::stream::Streaming;
use super::{Link, LinkError, shown};

/// The version of the protocol that is spoken here.
pub const PROTOCOL: u64 = 2;

pub(super) const ETX: u8 = 0x03;
pub(super) const ACK: u8 = 0x06;

/// How long a device has to answer the first request, before it is sent again: its board may just be starting.
const SYNC_SLICE: Duration = Duration::from_secs(1);
/// No answer is longer.
const LONGEST_LINE: usize = 1 << 20;
/// What is kept of a line that is no answer, to be shown.
const LONGEST_NOISE: usize = 160;

/// Why a device and a client do not understand each other.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The line broke.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The device stopped answering.
    #[error(
        "the device sent nothing for {seconds} s while {waiting_for} was expected; the last bytes seen were {last_seen}"
    )]
    Silent {
        /// What should have come.
        waiting_for: String,
        /// How long it was waited for.
        seconds: f64,
        /// The end of what came before.
        last_seen: String,
    },
    /// No common start is found.
    #[error(
        "no tern console answers: `@mode machine` was sent {attempts} times, expected a line 0 {{\"mode\":\"machine\",…}}; seen: \
        {last_seen}. Check the port, its speed (--baud) and that the device runs the tern-firmware of this release"
    )]
    NoConsole {
        /// How often it was tried.
        attempts: u32,
        /// The end of what came instead.
        last_seen: String,
    },
    /// What came is not what the protocol allows here.
    #[error(
        "the device sent {found}, expected {expected}; bytes were lost or changed on the line, or its firmware speaks another protocol"
    )]
    Unexpected {
        /// What came.
        found: String,
        /// What should have come.
        expected: String,
    },
    /// The device speaks another version.
    #[error("the device speaks protocol {found}, expected {PROTOCOL}; use the `tern` and the firmware of one release")]
    Protocol {
        /// Its version.
        found: u64,
    },
    /// The device refuses the request.
    #[error("the device refuses `{request}`: {error}")]
    Refused {
        /// What was asked.
        request: String,
        /// What it says.
        error: DeviceError,
    },
}

/// An error that the device reports.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, thiserror::Error)]
#[error("{message} ({code})")]
pub struct DeviceError {
    /// One of the words in `docs/console.md`.
    #[serde(rename = "error")]
    pub code: String,
    /// A sentence for a person.
    pub message: String,
}

/// What a device says of itself: the answer to `info`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Info {
    /// Version of the protocol.
    pub protocol: u64,
    /// Version of the firmware.
    pub firmware: String,
    /// The board's name.
    pub board: String,
    /// Frequency of the ticks.
    pub clock_hz: u64,
    /// The model, if there is one that runs.
    pub model: Option<ModelInfo>,
    /// Why there is none.
    pub model_error: Option<String>,
}

/// What a device says of its model.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ModelInfo {
    /// What it is called.
    pub name: String,
    /// CRC-32 of its file, eight hexadecimal digits.
    pub crc32: String,
    /// Length of its file.
    pub bytes: u64,
}

/// One byte of meaning from a device in streaming mode.
pub(super) enum Item {
    /// A credit.
    Ack,
    /// A line without its end.
    Line(Vec<u8>),
}

/// A program's end of a console.
#[derive(Debug)]
pub struct Client<L> {
    link: L,
    patience: Duration,
    received: Vec<u8>,
    /// How many of `received` are used up.
    taken: usize,
    /// The end of all that was received, to be shown.
    seen: Vec<u8>,
    pub(super) frames: Frames,
}

impl<L: Link> Client<L> {
    /// A client that waits at most `patience` for a sign of life.
    pub fn new(link: L, patience: Duration) -> Self {
        Client { link, patience, received: Vec::new(), taken: 0, seen: Vec::new(), frames: Frames::default() }
    }

    /// Finds a common start with a device in any state, and brings it into machine mode.
    ///
    /// # Errors
    /// [`ClientError::NoConsole`] if nothing like a console answers in time.
    pub fn synchronize(&mut self) -> Result<(), ClientError> {
        let deadline = Instant::now() + self.patience;
        let mut attempts = 0;
        while attempts == 0 || Instant::now() < deadline {
            attempts += 1;
            // The second ETX in case that the first stands after a DLE.
            self.send(&[ETX, ETX])?;
            self.send(b"@mode machine\n")?;
            let slice = deadline.min(Instant::now() + SYNC_SLICE);
            while let Some(line) = self.try_line(slice)? {
                if let Some((0, value)) = framed_json(&line)
                    && value.get("mode") == Some(&"machine".into())
                {
                    self.frames = Frames::after(0);
                    return Ok(());
                }
            }
        }
        Err(ClientError::NoConsole { attempts, last_seen: shown(&self.seen) })
    }

    /// What the device is.
    ///
    /// # Errors
    /// [`ClientError::Protocol`] if it speaks another version, and all that can befall a request.
    pub fn info(&mut self) -> Result<Info, ClientError> {
        const WAITING_FOR: &str = "the answer to `info`, with the key `firmware`";
        self.send(b"info\n")?;
        let deadline = Instant::now() + self.patience;
        // A device that was slow to start still answers the attempts before, and counts anew with each.
        while let Some(line) = self.try_line(deadline)? {
            let Some((number, value)) = framed_json(&line) else { continue };
            if value.get("firmware").is_none() {
                continue;
            }
            self.frames = Frames::after(number);
            return match value.get("protocol").and_then(Value::as_u64) {
                Some(PROTOCOL) => parse(&value, WAITING_FOR),
                found => Err(ClientError::Protocol { found: found.unwrap_or(0) }),
            };
        }
        Err(self.silent(WAITING_FOR))
    }

    /// Sends one line, without its end, and waits for its answer.
    ///
    /// # Errors
    /// [`ClientError::Refused`] if the device says so, and all that can befall a line.
    pub fn request(&mut self, line: &str) -> Result<Value, ClientError> {
        self.frames.sent(line.as_bytes());
        self.send(format!("{line}\n").as_bytes())?;
        self.answer(line)
    }

    /// Has the device begin anew. It does not answer; [`synchronize`](Client::synchronize) finds it again.
    ///
    /// # Errors
    /// [`ClientError::Link`] if the line breaks.
    pub fn reset(&mut self) -> Result<(), ClientError> {
        self.send(b"reset\n")
    }

    /// Enters the streaming mode.
    ///
    /// # Errors
    /// As [`request`](Client::request).
    pub fn stream(&mut self) -> Result<Streaming<'_, L>, ClientError> {
        Streaming::enter(self)
    }

    /// Leaves the device as a person likes to find it, if it still listens.
    pub fn release(&mut self) {
        if self.link.send(&[ETX, ETX]).and_then(|()| self.link.send(b"mode human\n")).is_ok() {
            let deadline = Instant::now() + SYNC_SLICE.min(self.patience);
            while let Ok(Some(line)) = self.try_line(deadline) {
                if framed_json(&line).is_some_and(|(_, value)| value.get("mode") == Some(&"human".into())) {
                    // The prompt follows.
                    while let Ok(Some(byte)) = self.byte(deadline)
                        && byte != b' '
                    {}
                    return;
                }
            }
        }
    }

    /// The line alone. What came and was not read is lost.
    pub fn into_link(self) -> L {
        self.link
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        Ok(self.link.send(bytes)?)
    }

    pub(super) fn answer(&mut self, request: &str) -> Result<Value, ClientError> {
        let waiting_for = format!("the answer to `{request}`");
        let line = match self.item(&waiting_for)? {
            Item::Line(line) => line,
            Item::Ack => return Err(ClientError::Unexpected { found: "ACK".to_owned(), expected: waiting_for }),
        };
        let value = json(&line).ok_or_else(|| unreadable(&line, &waiting_for))?;
        if value.get("error").is_some() {
            let error = parse(&value, "an error with its message")?;
            return Err(ClientError::Refused { request: request.to_owned(), error });
        }
        Ok(value)
    }

    /// The next answer, out of its frame, or credit.
    pub(super) fn item(&mut self, waiting_for: &str) -> Result<Item, ClientError> {
        let mut line = Vec::new();
        loop {
            match self.byte(Instant::now() + self.patience)? {
                None => return Err(self.silent(waiting_for)),
                Some(ACK) if line.is_empty() => return Ok(Item::Ack),
                Some(b'\n') => {
                    line.pop_if(|last| *last == b'\r');
                    return match self.frames.take(&line) {
                        Ok(json) => Ok(Item::Line(json.to_vec())),
                        Err(why) => Err(unreadable(&line, &format!("{waiting_for}; {why}"))),
                    };
                }
                Some(byte) => line.push(byte),
            }
            let longest = if line[0].is_ascii_digit() { LONGEST_LINE } else { LONGEST_NOISE };
            if line.len() > longest {
                return Err(unreadable(&line, waiting_for));
            }
        }
    }

    /// The next line in any state of the device, until `deadline`.
    fn try_line(&mut self, deadline: Instant) -> Result<Option<Vec<u8>>, ClientError> {
        let mut line = Vec::new();
        while let Some(byte) = self.byte(deadline)? {
            match byte {
                b'\n' => return Ok(Some(line)),
                b'\r' | ACK => (),
                byte if line.len() < LONGEST_LINE => line.push(byte),
                _ => line.clear(),
            }
        }
        Ok(None)
    }

    pub(super) fn byte(&mut self, deadline: Instant) -> Result<Option<u8>, ClientError> {
        if self.taken == self.received.len() {
            // A device that never stops talking must not outlast the deadline either.
            let left = deadline.saturating_duration_since(Instant::now());
            let bytes = if left.is_zero() { Vec::new() } else { self.link.receive(left)? };
            if bytes.is_empty() {
                return Ok(None);
            }
            self.seen.extend_from_slice(&bytes);
            self.seen.drain(..self.seen.len().saturating_sub(LONGEST_NOISE));
            (self.received, self.taken) = (bytes, 0);
        }
        self.taken += 1;
        Ok(Some(self.received[self.taken - 1]))
    }

    /// Takes the last byte back: the next [`byte`](Client::byte) is it again.
    pub(super) fn give_back(&mut self) {
        self.taken = self.taken.saturating_sub(1);
    }

    pub(super) fn silent(&self, waiting_for: &str) -> ClientError {
        let waiting_for = waiting_for.to_owned();
        ClientError::Silent { waiting_for, seconds: self.patience.as_secs_f64(), last_seen: shown(&self.seen) }
    }
}

/// The number of an answer in its frame, and the object that it holds.
fn framed_json(line: &[u8]) -> Option<(u32, Value)> {
    let framed = frame::open(line).ok()?;
    Some((framed.number, json(framed.json)?))
}

/// The object in an answer.
pub(super) fn json(line: &[u8]) -> Option<Value> {
    serde_json::from_slice(line).ok().filter(Value::is_object)
}

/// What a line of machine form must hold.
pub(super) fn parse<T: DeserializeOwned>(value: &Value, expected: &str) -> Result<T, ClientError> {
    T::deserialize(value).map_err(|error| unexpected(value, &format!("{expected} ({error})")))
}

pub(super) fn unreadable(line: &[u8], expected: &str) -> ClientError {
    ClientError::Unexpected { found: shown(line), expected: expected.to_owned() }
}

pub(super) fn unexpected(value: &Value, expected: &str) -> ClientError {
    unreadable(value.to_string().as_bytes(), expected)
}
