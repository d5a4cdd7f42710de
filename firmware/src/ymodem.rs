//! YMODEM, the receiving end: one file, in blocks of 128 or 1,024 bytes with CRC-16, as `sb` of lrzsz and every terminal program send it.
//!
//! [`Receiver`] does no input or output: it is told of bytes and of silences, and says what to send and what to write. It holds one block. The
//! protocol is that of Chuck Forsberg's "XMODEM/YMODEM Protocol Reference" of 1988.

mod block;
#[cfg(test)]
mod tests;

use core::fmt;

use block::{Block, Header};
use block::{CAN, EOT, SOH, STX};

const ACK: u8 = 0x06;
const NAK: u8 = 0x15;
/// Asks for the next file with CRC-16.
const WANT_CRC: u8 = b'C';
const CTRL_C: u8 = 0x03;

/// Failures in a row after which a transfer is given up.
pub const RETRIES: u8 = 10;
/// Times that a sender is asked to begin.
pub const INVITATIONS: u8 = 30;
/// Silences in a row after which a sender has gone.
pub const SILENCES: u8 = 5;

/// What is sent to the other end: at most eight bytes.
pub type Reply = &'static [u8];

/// Stops the other end, and takes back what a shell would see of it.
const CANCEL: Reply = &[CAN, CAN, CAN, CAN, CAN, 0x08, 0x08, 0x08];

/// What a receiver wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'b> {
    /// Nothing.
    Wait,
    /// Send this.
    Reply(Reply),
    /// A file of so many bytes comes: make room, then tell [`Receiver::ready`].
    Begin(u32),
    /// The next bytes of the file: keep them, then tell [`Receiver::ready`].
    Data(&'b [u8]),
    /// Send this; the file is whole.
    Done(Reply),
    /// Send this; there will be no file.
    Failed(Reply, Failure),
}

/// Why a transfer failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody began to send.
    NoSender,
    /// The sender gave up, or somebody typed Ctrl-C before it began.
    Cancelled,
    /// The sender fell silent.
    Silent,
    /// Too many blocks in a row were damaged.
    Noise,
    /// A block came that is neither the next one nor the one before.
    Order {
        /// Its number.
        found: u8,
        /// The next one.
        expected: u8,
    },
    /// The first block tells no length.
    NoLength,
    /// The sender sent no file.
    NoFile,
    /// The sender ended before the length that it told; lengths in bytes.
    Short {
        /// What came.
        found: u32,
        /// What was told.
        expected: u32,
    },
    /// More came than the length that was told, in bytes.
    Long {
        /// What was told.
        expected: u32,
    },
    /// A second file came.
    SecondFile,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::NoSender => {
                write!(f, "nobody began to send; start your terminal's YMODEM send, or `sb FILE`, within a minute")
            }
            Failure::Cancelled => write!(f, "the transfer was cancelled"),
            Failure::Silent => write!(f, "the sender fell silent; send the file again"),
            Failure::Noise => {
                write!(f, "{RETRIES} blocks in a row came damaged; check the line and send the file again")
            }
            Failure::Order { found, expected } => {
                write!(f, "block {found} came where block {expected} was expected; send the file again")
            }
            Failure::NoLength => write!(f, "the first block tells no length; send with YMODEM (`sb FILE`), not XMODEM"),
            Failure::NoFile => write!(f, "the sender sent no file; does the file exist?"),
            Failure::Short { found, expected } => {
                write!(f, "the sender ended after {found} bytes of {expected}; send the file again")
            }
            Failure::Long { expected } => {
                write!(f, "more came than the {expected} bytes that were told; send the file again")
            }
            Failure::SecondFile => write!(f, "a second file came; send one"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Asks for a sender.
    Inviting,
    /// Receives a file.
    Receiving,
    /// The file has ended once: ends are said twice.
    Ending,
    /// The file is whole; the sender says that there is no other.
    Closing,
}

/// The receiving end of a transfer.
#[derive(Debug)]
pub struct Receiver {
    phase: Phase,
    block: Block,
    /// Number of the next block.
    next: u8,
    /// Length that the sender told, and how much of it came.
    length: u32,
    received: u32,
    failures: u8,
    /// CAN came: a second one ends the transfer.
    cancelling: bool,
    /// The line is noise until it falls silent.
    purging: bool,
}

impl Default for Receiver {
    fn default() -> Self {
        Receiver::new()
    }
}

impl Receiver {
    /// Begins by a [`silence`](Receiver::silence).
    pub const fn new() -> Self {
        Receiver {
            phase: Phase::Inviting,
            block: Block::new(),
            next: 0,
            length: 0,
            received: 0,
            failures: 0,
            cancelling: false,
            purging: false,
        }
    }

    /// Whether the sender is waiting for an answer, rather than silent in the middle of a block.
    pub fn is_between_blocks(&self) -> bool {
        self.block.is_empty() && !self.purging
    }

    /// Whether no sender has begun yet.
    pub fn is_inviting(&self) -> bool {
        self.phase == Phase::Inviting
    }

    /// A byte came.
    pub fn take(&mut self, byte: u8) -> Action<'_> {
        if self.purging {
            return Action::Wait;
        }
        if !self.block.is_empty() {
            if !self.block.push(byte) {
                return Action::Wait;
            }
            return match self.block.header() {
                Some(header) => self.whole(header),
                None => {
                    self.purging = true;
                    Action::Wait
                }
            };
        }
        let was_cancelling = core::mem::replace(&mut self.cancelling, byte == CAN);
        match byte {
            SOH | STX => {
                self.block.begin(byte);
                Action::Wait
            }
            CAN if was_cancelling => self.fail(Failure::Cancelled),
            CTRL_C if self.phase == Phase::Inviting => self.fail(Failure::Cancelled),
            EOT => self.end(),
            _ => Action::Wait,
        }
    }

    /// Nothing came for a while. The caller keeps the time: 2 s between blocks, 1 s inside one.
    pub fn silence(&mut self) -> Action<'_> {
        let was_inside = !self.is_between_blocks();
        self.block.clear();
        self.purging = false;
        let most = match self.phase {
            Phase::Inviting => INVITATIONS,
            _ if was_inside => RETRIES,
            _ => SILENCES,
        };
        if self.failures >= most {
            return match self.phase {
                Phase::Inviting => self.fail(Failure::NoSender),
                // The file is whole; that the sender says no more does not change it.
                Phase::Closing => Action::Done(&[]),
                _ => self.fail(if was_inside { Failure::Noise } else { Failure::Silent }),
            };
        }
        self.failures += 1;
        Action::Reply(match self.phase {
            Phase::Inviting | Phase::Closing => &[WANT_CRC],
            Phase::Receiving if self.next == 1 && self.received == 0 && !was_inside => &[WANT_CRC],
            _ => &[NAK],
        })
    }

    /// What [`Action::Begin`] or [`Action::Data`] asked for is done: the sender may go on.
    pub fn ready(&mut self) -> Reply {
        let is_begin =
            core::mem::take(&mut self.block).header().is_some_and(|header| header.number == 0) && self.next == 1;
        if is_begin && self.received == 0 { &[ACK, WANT_CRC] } else { &[ACK] }
    }

    /// The transfer is given up by this end. Gives what to send.
    pub fn cancel(&mut self) -> Reply {
        self.block.clear();
        CANCEL
    }

    fn fail(&mut self, failure: Failure) -> Action<'_> {
        self.block.clear();
        Action::Failed(if failure == Failure::Cancelled { &[] } else { CANCEL }, failure)
    }

    fn end(&mut self) -> Action<'_> {
        match self.phase {
            // A lone EOT may be noise: a sender says it again.
            Phase::Receiving => {
                self.phase = Phase::Ending;
                Action::Reply(&[NAK])
            }
            Phase::Ending if self.received < self.length => {
                let (found, expected) = (self.received, self.length);
                self.fail(Failure::Short { found, expected })
            }
            Phase::Ending => {
                (self.phase, self.failures) = (Phase::Closing, 0);
                Action::Reply(&[ACK, WANT_CRC])
            }
            Phase::Closing => Action::Reply(&[ACK, WANT_CRC]),
            Phase::Inviting => Action::Wait,
        }
    }

    /// A block came that is undamaged.
    fn whole(&mut self, header: Header) -> Action<'_> {
        match self.phase {
            Phase::Inviting => self.first(header),
            Phase::Closing if header.number == 0 => {
                if self.block.data().first() == Some(&0) {
                    self.block.clear();
                    return Action::Done(&[ACK]);
                }
                self.fail(Failure::SecondFile)
            }
            _ => self.data(header),
        }
    }

    /// Block 0: the name, a zero, the length in decimal digits, and what some senders add.
    fn first(&mut self, header: Header) -> Action<'_> {
        if header.number != 0 {
            return self.fail(Failure::NoLength);
        }
        let data = self.block.data();
        if data.first() == Some(&0) {
            self.block.clear();
            return Action::Failed(&[ACK], Failure::NoFile);
        }
        let length = data.iter().position(|&byte| byte == 0).and_then(|end| number(data.get(end + 1..)?));
        let Some(length) = length else { return self.fail(Failure::NoLength) };
        (self.phase, self.length, self.next, self.failures) = (Phase::Receiving, length, 1, 0);
        Action::Begin(length)
    }

    fn data(&mut self, header: Header) -> Action<'_> {
        let expected = self.next;
        if header.number == expected.wrapping_sub(1) {
            // Our answer was lost: the block is kept already.
            let is_first = header.number == 0 && self.received == 0;
            self.block.clear();
            return Action::Reply(if is_first { &[ACK, WANT_CRC] } else { &[ACK] });
        }
        if header.number != expected {
            return self.fail(Failure::Order { found: header.number, expected });
        }
        let left = self.length - self.received;
        if left == 0 {
            let expected = self.length;
            return self.fail(Failure::Long { expected });
        }
        (self.phase, self.next, self.failures) = (Phase::Receiving, expected.wrapping_add(1), 0);
        let data = self.block.data();
        let data = data.get(..left as usize).unwrap_or(data);
        self.received += data.len() as u32;
        Action::Data(data)
    }
}

/// Leading decimal digits. None: there is none, or it is too large.
fn number(text: &[u8]) -> Option<u32> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    let mut found = None;
    for digit in digits {
        found = Some(found.unwrap_or(0u32).checked_mul(10)?.checked_add(u32::from(digit - b'0'))?);
    }
    found
}
