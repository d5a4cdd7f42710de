//! Sends a file by YMODEM to the console's `load`: blocks of 1,024 bytes with CRC-16.

use std::time::{Duration, Instant};

use crc::{CRC_16_XMODEM, Crc};
use serde_json::Value;

use super::client::{ACK, Client, ClientError};
use super::transport::Link;

const CRC16: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);

const SOH: u8 = 0x01;
const STX: u8 = 0x02;
const EOT: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const NAK: u8 = 0x15;
const CAN: u8 = 0x18;
/// The byte that fills the last block of a file.
const SUB: u8 = 0x1a;
/// The byte with which a receiver asks for blocks with CRC-16.
const WANT_CRC: u8 = b'C';

/// Lengths of the two kinds of blocks in bytes.
const SHORT_BLOCK: usize = 128;
const LONG_BLOCK: usize = 1024;
/// Maximum number of attempts to send a block.
const ATTEMPTS: u32 = 10;
/// Timeout of the answer to a block, since flash is slow to erase.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The reason for the early end of a transfer.
enum Stopped {
    /// The receiver cancels; its answer to `load` has the reason.
    Canceled,
    Failed(ClientError),
}

impl From<ClientError> for Stopped {
    fn from(error: ClientError) -> Self {
        Stopped::Failed(error)
    }
}

impl<L: Link> Client<L> {
    /// Sends a file to the model slot that is not in use. `name` is for the device's messages; `on_sent` gets the
    /// number of bytes that have arrived.
    pub fn load(&mut self, name: &str, file: &[u8], mut on_sent: impl FnMut(usize)) -> Result<Value, ClientError> {
        self.frames.sent(b"load");
        self.send(b"load\n")?;
        if let Err(Stopped::Failed(error)) = self.transfer(name, file, &mut on_sent) {
            return Err(error);
        }
        // The receiver may still send control bytes before its answer.
        let deadline = Instant::now() + TIMEOUT;
        while let Some(byte) = self.byte(deadline)? {
            if !matches!(byte, CAN | BACKSPACE | WANT_CRC | ACK | NAK) {
                self.unread();
                return self.answer("load");
            }
        }
        Err(self.silent("the answer to `load`"))
    }

    /// Sends the file once the receiver is ready: a block with its name and length, its bytes, and an empty last block.
    fn transfer(&mut self, name: &str, file: &[u8], on_sent: &mut dyn FnMut(usize)) -> Result<(), Stopped> {
        loop {
            match self.control("the `C` with which a receiver of YMODEM begins")? {
                WANT_CRC => break,
                CAN => return Err(Stopped::Canceled),
                // The number of an answer: the device refuses `load`.
                byte if byte.is_ascii_digit() => {
                    self.unread();
                    return Err(Stopped::Canceled);
                }
                _ => (),
            }
        }
        self.block(0, format!("{name}\0{} 0 100644", file.len()).as_bytes(), 0)?;
        let mut number = 0u8;
        for (index, data) in file.chunks(LONG_BLOCK).enumerate() {
            number = number.wrapping_add(1);
            self.block(number, data, SUB)?;
            on_sent(file.len().min((index + 1) * LONG_BLOCK));
        }
        self.send_until_acknowledged(&[EOT])?;
        // An empty header: no further file.
        self.block(0, &[], 0)
    }

    /// Sends a block: its kind, number and complement, the data filled up with `fill`, and their CRC-16.
    fn block(&mut self, number: u8, data: &[u8], fill: u8) -> Result<(), Stopped> {
        let (kind, length) = if data.len() > SHORT_BLOCK { (STX, LONG_BLOCK) } else { (SOH, SHORT_BLOCK) };
        let mut block = vec![kind, number, !number];
        block.extend_from_slice(data);
        block.resize(3 + length, fill);
        let sum = CRC16.checksum(&block[3..]);
        block.extend_from_slice(&sum.to_be_bytes());
        self.send_until_acknowledged(&block)
    }

    /// Sends bytes again until the receiver accepts them.
    fn send_until_acknowledged(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        const EXPECTED: &str = "the acknowledgement of a block";
        for _ in 0..ATTEMPTS {
            self.send(bytes)?;
            loop {
                match self.control(EXPECTED)? {
                    ACK => return Ok(()),
                    NAK => break,
                    CAN => return Err(Stopped::Canceled),
                    // The receiver may have sent `C` more than once before the first block.
                    _ => (),
                }
            }
        }
        let found = format!("NAK {ATTEMPTS} times");
        Err(Stopped::Failed(ClientError::Unexpected { found, expected: EXPECTED.to_owned() }))
    }

    /// Waits for the receiver's next control byte.
    fn control(&mut self, waiting_for: &str) -> Result<u8, ClientError> {
        self.byte(Instant::now() + TIMEOUT)?.ok_or_else(|| self.silent(waiting_for))
    }
}
