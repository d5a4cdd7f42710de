//! Transfer of a file to the console's command `load` by YMODEM, in blocks of 128 or 1,024 bytes with CRC-16.
//!
//! The receiver asks again for each block that it does not receive: by `C` for the block with the name, for the first
//! block of the file and for the last, empty block; by NAK otherwise. The sender therefore sends only after an ACK or
//! such a request, and only repeats what it sent last.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use crc::{CRC_16_XMODEM, Crc};
use serde_json::Value;
use tern_format::times;

use super::client::{ACK, CANCEL, Client, accepted, is_banner, unreadable};
use super::client_error::ClientError;
use super::frame;
use super::transport::Link;
use super::waits::milliseconds;

/// The CRC-16 of YMODEM.
const CRC16: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);

/// The first byte of a short block.
const SOH: u8 = 0x01;
/// The first byte of a long block.
const STX: u8 = 0x02;
/// The byte that ends the file.
const EOT: u8 = 0x04;
/// The byte with which a receiver requests the last block again.
const NAK: u8 = 0x15;
/// Two of this byte cancel the transfer.
const CAN: u8 = 0x18;
/// The byte that fills the last block of a file.
const SUB: u8 = 0x1a;
/// The byte with which a receiver asks for blocks with CRC-16.
const WANT_CRC: u8 = b'C';

/// Length of a short block in bytes.
const SHORT_BLOCK: usize = 128;
/// Length of a long block in bytes.
const LONG_BLOCK: usize = 1024;
/// Maximum number of attempts to send a block.
const ATTEMPTS: u32 = 10;

/// The reason for the end of a transfer.
enum Ended {
    /// The device has answered `load` by this line: after the last block, or with an error before it.
    Answered(Vec<u8>),
    /// The transfer failed.
    Failed(ClientError),
}

impl From<ClientError> for Ended {
    fn from(error: ClientError) -> Self {
        Ended::Failed(error)
    }
}

/// A control byte or a line that the device sent.
enum Reply {
    /// ACK, NAK, CAN or `C`.
    Control(u8),
    /// The answer to `load`: a line without its end.
    Answer(Vec<u8>),
    /// The banner of a device that has restarted.
    Banner,
}

impl<L: Link> Client<L> {
    /// Sends a file to the model slot that is not in use, and returns the JSON object of the answer to `load`. `name`:
    /// the name in the device's messages. `on_sent`: is called with the number of bytes that the device has
    /// acknowledged. A transfer that fails is cancelled, unless the device has restarted, so that the device reads
    /// commands again if it still answers.
    pub fn load(&mut self, name: &str, file: &[u8], mut on_sent: impl FnMut(usize)) -> Result<Value, ClientError> {
        // Registers the request; `take` below checks that the answer belongs to it.
        self.frames.sent(b"load");
        self.send(b"load\n")?;
        // `transfer` never returns `Ok`.
        let line = match self.transfer(name, file, &mut on_sent) {
            Err(Ended::Answered(line)) => line,
            Err(Ended::Failed(error)) => {
                if !matches!(error, ClientError::Restarted { .. }) {
                    self.cancel();
                }
                return Err(error);
            }
        };
        match self.frames.take(&line) {
            Ok(json) => accepted(json, "load"),
            Err(fault) => Err(unreadable(&line, &format!("the answer to `load`; {fault}"))),
        }
    }

    /// Sends the file once the receiver is ready: a block with its name and length, its bytes, and an empty last block.
    /// Then waits for the answer to `load`, with which the transfer ends. So it never returns `Ok`: a complete transfer
    /// is [`Ended::Answered`].
    fn transfer(&mut self, name: &str, file: &[u8], on_sent: &mut dyn FnMut(usize)) -> Result<Infallible, Ended> {
        while self.control("the `C` with which a receiver of YMODEM begins")? != WANT_CRC {}
        // The length in decimal, the time of the last change (0: unknown), and the mode in octal.
        self.block(0, format!("{name}\0{} 0 100644", file.len()).as_bytes(), 0)?;
        // The block with the name has the number 0. The numbers wrap from 255 to 0.
        let mut number = 0u8;
        for (index, data) in file.chunks(LONG_BLOCK).enumerate() {
            number = number.wrapping_add(1);
            self.block(number, data, SUB)?;
            on_sent(file.len().min((index + 1) * LONG_BLOCK));
        }
        self.send_until_acknowledged(&[EOT])?;
        // A block without a name: no further file follows.
        self.block(0, &[], 0)?;
        loop {
            self.control("the answer to `load`")?;
        }
    }

    /// Sends a block: its kind, its number, the complement of the number, the data filled up with `fill`, and their
    /// CRC-16.
    fn block(&mut self, number: u8, data: &[u8], fill: u8) -> Result<(), Ended> {
        let (kind, length) = if data.len() > SHORT_BLOCK { (STX, LONG_BLOCK) } else { (SOH, SHORT_BLOCK) };
        let mut block = vec![kind, number, !number];
        block.extend_from_slice(data);
        block.resize(3 + length, fill);
        let sum = CRC16.checksum(&block[3..]);
        block.extend_from_slice(&sum.to_be_bytes());
        self.send_until_acknowledged(&block)
    }

    /// Sends bytes until the receiver acknowledges them, at most [`ATTEMPTS`] times.
    fn send_until_acknowledged(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        const EXPECTED: &str = "the acknowledgement of a block";
        for _ in 0..ATTEMPTS {
            self.send(bytes)?;
            let sent = Instant::now();
            loop {
                match self.control(EXPECTED)? {
                    ACK => return Ok(()),
                    NAK => break,
                    // A `C` that comes sooner may have been sent before the block arrived.
                    WANT_CRC if sent.elapsed() > milliseconds(times::STALE) => break,
                    _ => (),
                }
            }
        }
        let found = format!("{ATTEMPTS} requests to repeat a block");
        Err(Ended::Failed(ClientError::Unexpected { found, expected: EXPECTED.to_owned() }))
    }

    /// Waits for the receiver's next control byte and returns it. Callers ignore a CAN: a receiver that cancels the
    /// transfer sends several and then answers `load`, and a single one is noise.
    fn control(&mut self, waiting_for: &str) -> Result<u8, Ended> {
        let patience = self.timeout().max(milliseconds(times::BLOCK_WAIT));
        match self.reply(waiting_for, patience)? {
            Some(Reply::Control(byte)) => Ok(byte),
            Some(Reply::Answer(line)) => Err(Ended::Answered(line)),
            Some(Reply::Banner) => Err(Ended::Failed(self.restarted(waiting_for))),
            None => Err(Ended::Failed(self.silent(waiting_for, patience))),
        }
    }

    /// Waits for the next control byte, answer or banner of the device. `None` if nothing comes for `patience`. Other
    /// bytes are ignored as noise.
    fn reply(&mut self, waiting_for: &str, patience: Duration) -> Result<Option<Reply>, ClientError> {
        let mut line = Vec::new();
        while let Some(byte) = self.patient_byte(waiting_for, patience)? {
            line.push(byte);
            if may_begin_line(&line) {
                continue;
            }
            match byte {
                ACK | NAK | CAN | WANT_CRC => return Ok(Some(Reply::Control(byte))),
                b'\n' if is_banner(&line) => return Ok(Some(Reply::Banner)),
                b'\n' => {
                    line.pop();
                    line.pop_if(|last| *last == b'\r');
                    if frame::parse(&line).is_ok() {
                        return Ok(Some(Reply::Answer(line)));
                    }
                }
                _ => (),
            }
            line.clear();
            // The byte that is not part of this line may be the first one of another line.
            if may_begin_line(&[byte]) {
                line.push(byte);
            }
        }
        Ok(None)
    }

    /// Cancels the transfer, and reads and ignores the answer to `load`.
    fn cancel(&mut self) {
        let patience = milliseconds(times::CANCEL_WAIT);
        if self.send(CANCEL).is_err() {
            return;
        }
        let mut requests = 0;
        while let Ok(Some(Reply::Control(byte))) = self.reply("the end of the transfer", patience) {
            if !matches!(byte, NAK | WANT_CRC) {
                continue;
            }
            // The receiver requests a block, so it has missed the CANs of `CANCEL`: it ignores CANs while it skips the
            // rest of a damaged block.
            requests += 1;
            if requests > ATTEMPTS || self.send(CANCEL).is_err() {
                return;
            }
        }
    }
}

/// Returns true if these bytes may be the beginning of a line that is not complete yet: an answer in its frame,
/// `NUMBER {…} REQUEST SUM`, or the banner, `tern VERSION on BOARD`. A `C` in such a line is not a control byte.
fn may_begin_line(bytes: &[u8]) -> bool {
    // Either may be longer than the other.
    let agree = |bytes: &[u8], begin: &[u8]| bytes.starts_with(begin) || begin.starts_with(bytes);
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let may_be_answer = digits > 0 && agree(&bytes[digits..], b" {");
    let may_be_banner = agree(bytes, b"tern ");
    let is_text = |byte: &u8| !byte.is_ascii_control() || *byte == b'\r';
    (may_be_answer || may_be_banner) && bytes.iter().all(is_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_from_noise_by_how_they_begin() {
        for line in ["7", "7 ", "12 {\"error\":\"C", "t", "tern 0.1.0 on C"] {
            assert!(may_begin_line(line.as_bytes()), "{line:?}");
        }
        for noise in ["C", "5C", "5\u{6}", "7 {}\u{15}", "7 {}\r\n", "tC", "x"] {
            assert!(!may_begin_line(noise.as_bytes()), "{noise:?}");
        }
    }
}
