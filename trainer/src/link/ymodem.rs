//! Sends a file by YMODEM to the console's `load`: blocks of 1,024 bytes with CRC-16.

use std::time::{Duration, Instant};

use crc::{CRC_16_XMODEM, Crc};
use serde_json::Value;

use super::Link;
use super::client::{Client, ClientError};

const CRC16: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);

const SOH: u8 = 0x01;
const STX: u8 = 0x02;
const EOT: u8 = 0x04;
const ACK: u8 = 0x06;
const BACKSPACE: u8 = 0x08;
const NAK: u8 = 0x15;
const CAN: u8 = 0x18;
/// The byte with which a receiver asks for blocks with CRC-16.
const WANT_CRC: u8 = b'C';

/// Maximum number of attempts to send a block.
const ATTEMPTS: u32 = 10;
/// Timeout of the answer to a block, since flash is slow to erase.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The receiver's answer to a block or to a whole transfer.
enum Transfer {
    /// The receiver has it.
    Acknowledged,
    /// The receiver cancels; the reason follows in its answer to `load`.
    Canceled,
}

impl<L: Link> Client<L> {
    /// Sends a file to the model slot that is not in use. `name` is for the device's messages; `on_sent` gets the
    /// number of bytes that have arrived.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the device's reason; other variants if the connection or the protocol fails.
    pub fn load(&mut self, name: &str, file: &[u8], mut on_sent: impl FnMut(usize)) -> Result<Value, ClientError> {
        self.frames.sent(b"load");
        self.send(b"load\n")?;
        self.transfer(name, file, &mut on_sent)?;
        self.skip(|byte| matches!(byte, CAN | BACKSPACE | WANT_CRC | ACK | NAK), TIMEOUT)?;
        self.answer("load")
    }

    fn transfer(&mut self, name: &str, file: &[u8], on_sent: &mut dyn FnMut(usize)) -> Result<Transfer, ClientError> {
        loop {
            match self.control("the `C` with which a receiver of YMODEM begins")? {
                WANT_CRC => break,
                CAN => return Ok(Transfer::Canceled),
                // The number of an answer: the device refuses `load`.
                byte if byte.is_ascii_digit() => {
                    self.unread();
                    return Ok(Transfer::Canceled);
                }
                _ => (),
            }
        }
        let header = format!("{name}\0{} 0 100644", file.len());
        if let Transfer::Canceled = self.block(0, header.as_bytes(), 0)? {
            return Ok(Transfer::Canceled);
        }
        let mut number = 0u8;
        for (index, piece) in file.chunks(1024).enumerate() {
            number = number.wrapping_add(1);
            if let Transfer::Canceled = self.block(number, piece, 0x1a)? {
                return Ok(Transfer::Canceled);
            }
            on_sent(file.len().min((index + 1) * 1024));
        }
        if let Transfer::Canceled = self.send_block(&[EOT])? {
            return Ok(Transfer::Canceled);
        }
        // An empty header: no further file.
        self.block(0, &[], 0)
    }

    fn block(&mut self, number: u8, data: &[u8], fill: u8) -> Result<Transfer, ClientError> {
        let (kind, length) = if data.len() > 128 { (STX, 1024) } else { (SOH, 128) };
        let mut block = vec![kind, number, !number];
        block.extend_from_slice(data);
        block.resize(3 + length, fill);
        let sum = CRC16.checksum(&block[3..]);
        block.extend_from_slice(&sum.to_be_bytes());
        self.send_block(&block)
    }

    /// Sends bytes until the receiver acknowledges them.
    fn send_block(&mut self, bytes: &[u8]) -> Result<Transfer, ClientError> {
        for _ in 0..ATTEMPTS {
            self.send(bytes)?;
            loop {
                match self.control("the acknowledgement of a block")? {
                    ACK => return Ok(Transfer::Acknowledged),
                    NAK => break,
                    CAN => return Ok(Transfer::Canceled),
                    // A further `C`.
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
        self.byte(Instant::now() + TIMEOUT)?.ok_or_else(|| self.silent(waiting_for))
    }

    /// Skips bytes up to the first one of an answer.
    fn skip(&mut self, is_skipped: impl Fn(u8) -> bool, timeout: Duration) -> Result<(), ClientError> {
        let deadline = Instant::now() + timeout;
        while let Some(byte) = self.byte(deadline)? {
            if !is_skipped(byte) {
                self.unread();
                return Ok(());
            }
        }
        Err(self.silent("the answer to `load`"))
    }
}
