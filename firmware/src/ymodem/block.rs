//! A YMODEM block: SOH or STX, the block's number and the complement of the number, 128 (SOH) or 1,024 (STX) bytes of
//! data, and a checksum; and the control bytes that can come in place of a block.

use crc::{CRC_16_XMODEM, Crc, NoTable};

/// Begins a block with [`SHORT`] bytes of data.
pub(super) const SOH: u8 = 0x01;
/// Begins a block with [`LONG`] bytes of data.
pub(super) const STX: u8 = 0x02;
/// Ends the file.
pub(super) const EOT: u8 = 0x04;
/// Cancels the transfer if it comes twice in a row.
pub(super) const CAN: u8 = 0x18;

const SHORT: usize = 128;
const LONG: usize = 1024;
/// Offset of the data, after the number and its complement.
const DATA_AT: usize = 2;
/// Bytes besides the data: the number, its complement and the checksum of two bytes.
const OVERHEAD: usize = DATA_AT + 2;

/// A block being received.
#[derive(Debug)]
pub(super) struct Block {
    /// Number, complement, data, checksum; without SOH or STX.
    bytes: [u8; LONG + OVERHEAD],
    /// The number of bytes received, of those in `bytes`.
    filled: usize,
    /// Length of the data in bytes; 0 if no block has begun.
    length: usize,
}

impl Block {
    pub(super) const fn new() -> Self {
        Block { bytes: [0; LONG + OVERHEAD], filled: 0, length: 0 }
    }

    pub(super) fn clear(&mut self) {
        (self.filled, self.length) = (0, 0);
    }

    /// Returns true if no block has begun.
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Begins a block of this kind, SOH or STX.
    pub(super) fn begin(&mut self, kind: u8) {
        (self.filled, self.length) = (0, if kind == STX { LONG } else { SHORT });
    }

    /// Takes a byte of the block. Returns true if it was the last one.
    pub(super) fn push(&mut self, byte: u8) -> bool {
        debug_assert!(!self.is_empty(), "a block has begun");
        if let Some(to) = self.bytes.get_mut(self.filled) {
            *to = byte;
            self.filled += 1;
        }
        self.filled >= self.length + OVERHEAD
    }

    /// The number of a complete block; `None` if the block is damaged or none has begun.
    pub(super) fn number(&self) -> Option<u8> {
        let [number, complement, ..] = self.bytes;
        let end = DATA_AT + self.length;
        let checksum = self.bytes.get(end..end + 2)?;
        let is_intact = number == !complement && checksum == CRC16.checksum(self.data()).to_be_bytes();
        (is_intact && !self.is_empty()).then_some(number)
    }

    /// The data of the block.
    pub(super) fn data(&self) -> &[u8] {
        self.bytes.get(DATA_AT..DATA_AT + self.length).unwrap_or(&[])
    }
}

/// The checksum of a block. It is computed without a table, which would take flash; blocks are small.
pub(super) const CRC16: Crc<u16, NoTable> = Crc::<u16, NoTable>::new(&CRC_16_XMODEM);
