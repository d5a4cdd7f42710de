//! Writes a package to the standby slot as its pieces arrive.

use embedded_storage::nor_flash::NorFlashError;

use super::record::{Slot, State};
use super::slot_error::SlotError;
use crate::crc32;
use crate::flash::{MAX_WRITE_UNIT, Partition};

/// The progress of a transfer, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Receiving {
    /// The announced length of the package.
    announced: u32,
    /// The bytes erased so far, from the beginning of the slot.
    erased: u32,
    /// The bytes of the package written so far.
    written: u32,
    /// CRC-32 of the bytes written.
    crc: u32,
}

impl Receiving {
    /// Begins the transfer of a package of `announced` bytes.
    pub fn new(announced: u32) -> Self {
        Receiving { announced, erased: 0, written: 0, crc: 0 }
    }

    /// Writes the next piece, after erasing the blocks that it needs. All pieces but the last have a multiple of
    /// [`MAX_WRITE_UNIT`] bytes, which are whole write units (`P::WRITE_SIZE` bytes) on every board. Bytes beyond the
    /// announced length are ignored.
    pub fn write<P: Partition>(&mut self, flash: &mut P, piece: &[u8]) -> Result<(), SlotError> {
        let flash_error = |error: P::Error| SlotError::Flash(error.kind());
        let bytes_left = (self.announced - self.written) as usize;
        let piece = piece.get(..bytes_left).unwrap_or(piece);
        let end = self.written + piece.len().next_multiple_of(P::WRITE_SIZE) as u32;
        while self.erased < end {
            let next = self.erased + P::ERASE_SIZE as u32;
            flash.erase(self.erased, next).map_err(flash_error)?;
            self.erased = next;
        }
        let (whole_units, partial_unit) = piece.split_at(piece.len() / P::WRITE_SIZE * P::WRITE_SIZE);
        flash.write(self.written, whole_units).map_err(flash_error)?;
        if !partial_unit.is_empty() {
            // The rest of the unit stays as in erased flash.
            let mut last_unit = [0xff; MAX_WRITE_UNIT];
            last_unit[..partial_unit.len()].copy_from_slice(partial_unit);
            let offset = self.written + whole_units.len() as u32;
            flash.write(offset, &last_unit[..P::WRITE_SIZE]).map_err(flash_error)?;
        }
        self.written += piece.len() as u32;
        self.crc = crc32::extend(self.crc, piece);
        Ok(())
    }

    /// Returns the record of the received slot. Its version is 0; the caller sets it once it has checked the package.
    /// Fails if bytes are missing.
    pub fn finish(self) -> Result<Slot, SlotError> {
        let Receiving { announced, written, crc, .. } = self;
        if written != announced {
            // The two expected lengths are those without and with a signature; the announced length may be either.
            return Err(SlotError::Length { found: written as usize, expected: [announced as usize; 2] });
        }
        Ok(Slot { state: State::Received, proven: false, version: 0, bytes: written, crc32: crc })
    }
}
