//! Receives a package piece by piece into the standby slot.

use embedded_storage::nor_flash::NorFlashError;

use super::{Slot, SlotError, Slots, State, Store};
use crate::crc32;
use crate::flash::{MAX_WRITE_UNIT, Partition};

/// The progress of a transfer, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Receiving {
    bytes: u32,
    erased: u32,
    written: u32,
    crc: u32,
}

impl<P: Partition, S: Store> Slots<P, S> {
    /// Begins to receive a package of so many bytes into the [standby](Slots::standby) slot, whose contents are lost.
    ///
    /// # Errors
    /// [`SlotError::Flash`], or [`SlotError::Length`] if the package does not fit.
    pub fn begin(&mut self, bytes: u32) -> Result<(), SlotError> {
        if bytes > self.capacity {
            return Err(SlotError::Length { found: bytes as usize, expected: [self.capacity as usize; 2] });
        }
        self.clear()?;
        self.receiving = Some(Receiving { bytes, erased: 0, written: 0, crc: 0 });
        Ok(())
    }

    /// Writes the next piece. All pieces but the last have a multiple of [`MAX_WRITE_UNIT`] bytes. Bytes beyond the
    /// announced length are ignored.
    ///
    /// # Errors
    /// [`SlotError::Flash`].
    pub fn write(&mut self, piece: &[u8]) -> Result<(), SlotError> {
        let standby = self.standby();
        let Slots { slots, receiving: Some(receiving), .. } = self else {
            debug_assert!(false, "a transfer has begun");
            return Ok(());
        };
        let Some(flash) = &mut slots[standby as usize] else {
            debug_assert!(false, "the standby slot is not frozen");
            return Ok(());
        };
        let left = (receiving.bytes - receiving.written) as usize;
        let piece = piece.get(..left).unwrap_or(piece);
        let end = receiving.written + piece.len().next_multiple_of(P::WRITE_SIZE) as u32;
        let flash_error = |error: P::Error| SlotError::Flash(error.kind());
        while receiving.erased < end {
            let next = receiving.erased + P::ERASE_SIZE as u32;
            flash.erase(receiving.erased, next).map_err(flash_error)?;
            receiving.erased = next;
        }
        let (whole, rest) = piece.split_at(piece.len() / P::WRITE_SIZE * P::WRITE_SIZE);
        flash.write(receiving.written, whole).map_err(flash_error)?;
        if !rest.is_empty() {
            let mut last = [0xff; MAX_WRITE_UNIT];
            last[..rest.len()].copy_from_slice(rest);
            flash.write(receiving.written + whole.len() as u32, &last[..P::WRITE_SIZE]).map_err(flash_error)?;
        }
        receiving.written += piece.len() as u32;
        receiving.crc = crc32::extend(receiving.crc, piece);
        Ok(())
    }

    /// Ends a complete transfer: checks the package and records it.
    ///
    /// # Errors
    /// [`SlotError`] if it is refused; the slot is then empty.
    pub fn finish(&mut self) -> Result<Slot, SlotError> {
        let standby = self.standby();
        let Some(Receiving { bytes, written, crc, .. }) = self.receiving.take() else {
            return Err(SlotError::Length { found: 0, expected: [0; 2] });
        };
        if written != bytes {
            return Err(SlotError::Length { found: written as usize, expected: [bytes as usize; 2] });
        }
        let mut slot = Slot { state: State::Received, proven: false, version: 0, bytes, crc32: crc };
        slot.version = self.accept(standby, &slot)?;
        self.change(|record| *record.slot_mut(standby) = slot)?;
        Ok(slot)
    }

    /// Ends an incomplete transfer. The slot stays empty.
    pub fn abandon(&mut self) {
        self.receiving = None;
    }
}
