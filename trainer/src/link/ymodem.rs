//! YMODEM, the sending end, for the console's `load`: one file in blocks of 1,024 bytes with CRC-16.

use std::time::{Duration, Instant};

use crc::{CRC_16_XMODEM, Crc};
use serde_json::Value;

use super::client::{Client, ClientError};
use super::{Link, shown};

const CRC16: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);

const SOH: u8 = 0x01;
const STX: u8 = 0x02;
const EOT: u8 = 0x04;
const ACK: u8 = 0x06;
const BACKSPACE: u8 = 0x08;
const NAK: u8 = 0x15;
const CAN: u8 = 0x18;
/// The device asks for a file with CRC-16.
const WANT_CRC: u8 = b'C';

/// How often a block is sent at most.
const ATTEMPTS: u32 = 10;
/// A device that receives answers a block within this time: flash is slow to erase.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a transfer ended.
enum End {
    /// The device has all of it.
    Whole,
    /// The device wants no more, and will say why.
    Refused,
}

impl<L: Link> Client<L> {
    /// Sends a file to the slot that does not serve. `name` is what the device may show; `on_sent` is told how many bytes are there.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the device's reason, and all that can befall a line.
    pub fn load(&mut self, name: &str, file: &[u8], mut on_sent: impl FnMut(usize)) -> Result<Value, ClientError> {
        self.frames.sent(b"load");
        self.send(b"load\n")?;
        self.transfer(name, file, &mut on_sent)?;
        self.skip(|byte| matches!(byte, CAN | BACKSPACE | WANT_CRC | ACK | NAK), PATIENCE)?;
        self.answer("load")
    }

    fn transfer(&mut self, name: &str, file: &[u8], on_sent: &mut dyn FnMut(usize)) -> Result<End, ClientError> {
        loop {
            match self.control("the `C` with which a receiver of YMODEM begins")? {
                WANT_CRC => break,
                CAN => return Ok(End::Refused),
                // An answer: it is about why there is no transfer.
                byte if byte.is_ascii_digit() => {
                    self.give_back();
                    return Ok(End::Refused);
                }
                _ => (),
            }
        }
        let header = format!("{name}\0{} 0 100644", file.len());
        if let End::Refused = self.block(0, header.as_bytes(), 0)? {
            return Ok(End::Refused);
        }
        let mut number = 0u8;
        for (index, piece) in file.chunks(1024).enumerate() {
            number = number.wrapping_add(1);
            if let End::Refused = self.block(number, piece, 0x1a)? {
                return Ok(End::Refused);
            }
            on_sent(file.len().min((index + 1) * 1024));
        }
        if let End::Refused = self.say(&[EOT])? {
            return Ok(End::Refused);
        }
        // No other file.
        self.block(0, &[], 0)
    }

    fn block(&mut self, number: u8, data: &[u8], fill: u8) -> Result<End, ClientError> {
        let (kind, length) = if data.len() > 128 { (STX, 1024) } else { (SOH, 128) };
        let mut block = vec![kind, number, !number];
        block.extend_from_slice(data);
        block.resize(3 + length, fill);
        let sum = CRC16.checksum(&block[3..]);
        block.extend_from_slice(&sum.to_be_bytes());
        self.say(&block)
    }

    /// Sends until it is acknowledged.
    fn say(&mut self, bytes: &[u8]) -> Result<End, ClientError> {
        for _ in 0..ATTEMPTS {
            self.send(bytes)?;
            loop {
                match self.control("the acknowledgement of a block")? {
                    ACK => return Ok(End::Whole),
                    NAK => break,
                    CAN => return Ok(End::Refused),
                    // What is left of the invitation.
                    _ => (),
                }
            }
        }
        Err(ClientError::Unexpected {
            found: format!("NAK {ATTEMPTS} times"),
            expected: "the acknowledgement of a block".to_owned(),
        })
    }

    fn control(&mut self, waiting_for: &str) -> Result<u8, ClientError> {
        self.byte(Instant::now() + PATIENCE)?.ok_or_else(|| self.silent(waiting_for))
    }

    /// Skips bytes that are no part of an answer.
    fn skip(&mut self, is_skipped: impl Fn(u8) -> bool, patience: Duration) -> Result<(), ClientError> {
        let deadline = Instant::now() + patience;
        while let Some(byte) = self.byte(deadline)? {
            if !is_skipped(byte) {
                self.give_back();
                return Ok(());
            }
        }
        Err(self.silent(&format!("the answer to `load`; before it came {}", shown(&[]))))
    }
}
