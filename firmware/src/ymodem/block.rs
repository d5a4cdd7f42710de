//! A block: its kind, its number twice, 128 or 1,024 bytes, a checksum.

use crc::{CRC_16_XMODEM, Crc, NoTable};

pub(super) const SOH: u8 = 0x01;
pub(super) const STX: u8 = 0x02;
pub(super) const EOT: u8 = 0x04;
pub(super) const CAN: u8 = 0x18;

const SHORT: usize = 128;
const LONG: usize = 1024;
/// Number, its complement; the checksum.
const AROUND: usize = 4;

/// What a block says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) number: u8,
}

/// A block as it comes.
#[derive(Debug)]
pub(super) struct Block {
    /// Number, complement, data, checksum.
    bytes: [u8; LONG + AROUND],
    /// Bytes that came.
    filled: usize,
    /// Length of the data; 0: no block has begun.
    length: usize,
}

impl Default for Block {
    fn default() -> Self {
        Block::new()
    }
}

impl Block {
    pub(super) const fn new() -> Self {
        Block { bytes: [0; LONG + AROUND], filled: 0, length: 0 }
    }

    pub(super) fn clear(&mut self) {
        (self.filled, self.length) = (0, 0);
    }

    /// Whether no block has begun.
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// A block begins with this kind.
    pub(super) fn begin(&mut self, kind: u8) {
        (self.filled, self.length) = (0, if kind == STX { LONG } else { SHORT });
    }

    /// Takes a byte of it. Gives whether it was the last.
    pub(super) fn push(&mut self, byte: u8) -> bool {
        if let Some(to) = self.bytes.get_mut(self.filled) {
            *to = byte;
            self.filled += 1;
        }
        self.filled >= self.length + AROUND
    }

    /// The header of a whole block. None: it is damaged.
    pub(super) fn header(&self) -> Option<Header> {
        let [number, complement, ..] = self.bytes;
        let end = 2 + self.length;
        let sum = self.bytes.get(end..end + 2)?;
        let is_whole = number == !complement && sum == CRC16.checksum(self.data()).to_be_bytes();
        (is_whole && !self.is_empty()).then_some(Header { number })
    }

    pub(super) fn data(&self) -> &[u8] {
        self.bytes.get(2..2 + self.length).unwrap_or(&[])
    }
}

/// Without a table: a block is small, and so is flash.
pub(super) const CRC16: Crc<u16, NoTable> = Crc::<u16, NoTable>::new(&CRC_16_XMODEM);
