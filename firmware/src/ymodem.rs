//! The receiver of a YMODEM transfer: one file in blocks of 128 or 1,024 bytes with CRC-16, as `sb` of lrzsz and
//! terminal programs send it.
//!
//! [`Receiver`] does no input or output. Its caller passes each received byte and reports each silence of the line; the
//! receiver returns the bytes to send and the data to store. It keeps one block in memory. The protocol follows Chuck
//! Forsberg's "XMODEM/YMODEM Protocol Reference" of 1988.

mod block;
#[cfg(test)]
mod tests;

use block::{Block, CAN, EOT, SOH, STX};
use thiserror::Error;

/// Acknowledges a block or the end of the file.
const ACK: u8 = 0x06;
/// Asks the sender to repeat what it sent last.
const NAK: u8 = 0x15;
/// Invites a sender, or requests the first block of data: with CRC-16 as the checksum of blocks.
const WANT_CRC: u8 = b'C';
const CTRL_C: u8 = 0x03;

/// The number of damaged blocks and silences in a row after which a further damaged block ends the transfer.
pub const RETRIES: u8 = 10;
/// The number of times that a sender is invited to begin.
pub const INVITATIONS: u8 = 30;
/// The number of damaged blocks and silences in a row after which a further silence ends the transfer.
pub const SILENCES: u8 = 5;

/// Bytes to send to the sender, at most eight. May be empty.
pub type Reply = &'static [u8];

/// Cancels the transfer. The backspaces erase the CAN bytes from a shell's line.
const CANCEL: Reply = &[CAN, CAN, CAN, CAN, CAN, 0x08, 0x08, 0x08];

/// An instruction to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'b> {
    /// Wait for the next byte or silence.
    Wait,
    /// Send these bytes.
    Reply(Reply),
    /// A file of this many bytes follows: prepare for it, then call [`Receiver::ready`].
    Begin(u32),
    /// The next bytes of the file: store them, then call [`Receiver::ready`].
    Data(&'b [u8]),
    /// Send these bytes; the file is complete.
    Done(Reply),
    /// Send these bytes; the transfer has failed.
    Failed(Reply, Failure),
}

/// The reason why a transfer failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    #[error("no sender began; start your terminal's YMODEM transfer, or `sb FILE`, within a minute")]
    NoSender,
    /// The sender cancelled the transfer, or Ctrl-C was typed before it began.
    #[error("the transfer was cancelled")]
    Cancelled,
    #[error("the sender stopped sending; send the file again")]
    Silent,
    #[error("{RETRIES} blocks in a row were damaged; check the line and send the file again")]
    Noise,
    /// A block is neither the expected one nor the one before.
    #[error("found block {found}, expected block {expected}; send the file again")]
    Order { found: u8, expected: u8 },
    #[error("the first block has no length; send with YMODEM (`sb FILE`), not XMODEM")]
    NoLength,
    #[error("the sender sent no file; does the file exist?")]
    NoFile,
    #[error("the file ended after {found} bytes of {expected}; send it again")]
    Short { found: u32, expected: u32 },
    #[error("the file is longer than the {expected} bytes announced; send it again")]
    Long { expected: u32 },
    #[error("the sender sent a second file; send only one")]
    SecondFile,
}

/// The phase of a transfer, in the order of the phases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No sender has begun; the receiver invites one.
    Inviting,
    /// Block 0 has come; the blocks of data follow.
    Receiving,
    /// The first of two EOT bytes, which end a file, has come.
    Ending,
    /// The file is complete; a block 0 without a name follows and ends the transfer.
    Closing,
}

/// The receiver of a transfer.
#[derive(Debug)]
pub struct Receiver {
    phase: Phase,
    block: Block,
    /// Number of the next block. It wraps: 0 follows 255.
    next_block: u8,
    /// The announced length of the file, in bytes.
    length: u32,
    /// The bytes of the file that were received.
    received: u32,
    /// Damaged blocks and silences since the last good block. Before the first block, the number of invitations sent.
    failures: u8,
    /// True after a CAN: a second one cancels the transfer.
    cancelling: bool,
    /// True after a damaged block or a byte that begins no block. All bytes are then ignored until the line is silent,
    /// because the bytes of a file can look like control bytes.
    purging: bool,
}

/// A receiver before the first invitation, which [`silence`](Receiver::silence) returns.
impl Default for Receiver {
    fn default() -> Self {
        Receiver {
            phase: Phase::Inviting,
            block: Block::new(),
            next_block: 0,
            length: 0,
            received: 0,
            failures: 0,
            cancelling: false,
            purging: false,
        }
    }
}

impl Receiver {
    /// Returns true between two blocks; false inside a block and after a damaged one.
    pub fn is_between_blocks(&self) -> bool {
        self.block.is_empty() && !self.purging
    }

    /// Returns true if no sender has begun yet.
    pub fn is_inviting(&self) -> bool {
        self.phase == Phase::Inviting
    }

    /// Handles a received byte.
    pub fn take(&mut self, byte: u8) -> Action<'_> {
        if self.purging {
            return Action::Wait;
        }
        if !self.block.is_empty() {
            if !self.block.push(byte) {
                return Action::Wait;
            }
            return match self.block.number() {
                Some(number) => self.handle_block(number),
                None => {
                    self.purging = true;
                    Action::Wait
                }
            };
        }
        let was_cancelling = self.cancelling;
        self.cancelling = byte == CAN;
        match byte {
            SOH | STX => {
                self.block.begin(byte);
                Action::Wait
            }
            CAN if was_cancelling => self.fail(Failure::Cancelled),
            CTRL_C if self.phase == Phase::Inviting => self.fail(Failure::Cancelled),
            EOT => self.handle_eot(),
            CAN => Action::Wait,
            _ => {
                // Before a sender has begun, a person may type something and then Ctrl-C, which must not be ignored.
                self.purging = self.phase != Phase::Inviting;
                Action::Wait
            }
        }
    }

    /// Handles a silence of the line. The caller measures it: 2 s between blocks, 1 s inside a block. The first call,
    /// before any byte, returns the first invitation.
    pub fn silence(&mut self) -> Action<'_> {
        let was_inside_block = !self.is_between_blocks();
        self.block.clear();
        self.purging = false;
        let limit = match self.phase {
            Phase::Inviting => INVITATIONS,
            _ if was_inside_block => RETRIES,
            _ => SILENCES,
        };
        if self.failures >= limit {
            return match self.phase {
                Phase::Inviting => self.fail(Failure::NoSender),
                // The file is complete, whether or not the sender ends the transfer properly.
                Phase::Closing => Action::Done(&[]),
                _ => self.fail(if was_inside_block { Failure::Noise } else { Failure::Silent }),
            };
        }
        self.failures += 1;
        Action::Reply(match self.phase {
            Phase::Inviting | Phase::Closing => &[WANT_CRC],
            // The sender may have missed the request for the first block of data.
            Phase::Receiving if self.next_block == 1 && self.received == 0 && !was_inside_block => &[WANT_CRC],
            _ => &[NAK],
        })
    }

    /// Returns the bytes that let the sender continue after [`Action::Begin`], [`Action::Data`] or a repeated block.
    /// After block 0 they request the data.
    pub fn ready(&mut self) -> Reply {
        // Block numbers wrap, so a later block of data, after which `received` is not 0, can have the number 0 too.
        let is_block_0 = self.block.number() == Some(0) && self.received == 0;
        self.block.clear();
        if is_block_0 { &[ACK, WANT_CRC] } else { &[ACK] }
    }

    /// Cancels the transfer. Returns the bytes to send.
    pub fn cancel(&mut self) -> Reply {
        self.block.clear();
        CANCEL
    }

    /// Ends the transfer with an error.
    fn fail(&mut self, failure: Failure) -> Action<'_> {
        self.block.clear();
        // A sender that has cancelled needs no answer.
        Action::Failed(if failure == Failure::Cancelled { &[] } else { CANCEL }, failure)
    }

    /// Handles an EOT, by which the sender ends the file.
    fn handle_eot(&mut self) -> Action<'_> {
        match self.phase {
            // A single EOT may be noise, so the sender must repeat it.
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

    /// Handles an undamaged block.
    fn handle_block(&mut self, number: u8) -> Action<'_> {
        match self.phase {
            Phase::Inviting => self.handle_block_0(number),
            Phase::Closing if number == 0 => {
                if self.block.data().first() == Some(&0) {
                    self.block.clear();
                    return Action::Done(&[ACK]);
                }
                self.fail(Failure::SecondFile)
            }
            _ => self.handle_data(number),
        }
    }

    /// Handles block 0: the name, a zero byte, the length in decimal digits, and further fields that are ignored.
    fn handle_block_0(&mut self, number: u8) -> Action<'_> {
        if number != 0 {
            return self.fail(Failure::NoLength);
        }
        let data = self.block.data();
        if data.first() == Some(&0) {
            self.block.clear();
            return Action::Failed(&[ACK], Failure::NoFile);
        }
        let name_end = data.iter().position(|&byte| byte == 0);
        let length = name_end.and_then(|end| leading_number(data.get(end + 1..)?));
        let Some(length) = length else { return self.fail(Failure::NoLength) };
        self.phase = Phase::Receiving;
        self.length = length;
        self.next_block = 1;
        self.failures = 0;
        Action::Begin(length)
    }

    /// Handles a block of data.
    fn handle_data(&mut self, number: u8) -> Action<'_> {
        let expected = self.next_block;
        if number == expected.wrapping_sub(1) {
            // The sender repeats a block because the answer was lost; it is stored already.
            return Action::Reply(self.ready());
        }
        if number != expected {
            return self.fail(Failure::Order { found: number, expected });
        }
        let bytes_left = self.length - self.received;
        if bytes_left == 0 {
            let expected = self.length;
            return self.fail(Failure::Long { expected });
        }
        // An EOT before this block was noise.
        self.phase = Phase::Receiving;
        self.next_block = expected.wrapping_add(1);
        self.failures = 0;
        // The last block is padded.
        let padded = self.block.data();
        let data = padded.get(..bytes_left as usize).unwrap_or(padded);
        self.received += data.len() as u32;
        Action::Data(data)
    }
}

/// Parses leading decimal digits; `None` if there are none or the number is too large.
fn leading_number(text: &[u8]) -> Option<u32> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    let mut number = None;
    for digit in digits {
        number = Some(number.unwrap_or(0u32).checked_mul(10)?.checked_add(u32::from(digit - b'0'))?);
    }
    number
}
