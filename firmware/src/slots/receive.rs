//! Receiving a package, piece by piece, into the slot that does not serve.

use embedded_storage::nor_flash::NorFlashError;

use super::{Reason, Slot, Slots, State, Store};
use crate::crc32::go_on;
use crate::flash::{LARGEST_WRITE, Partition};

/// A model being received.
#[derive(Clone, Copy, Debug)]
pub struct Receiving {
    bytes: u32,
    erased: u32,
    written: u32,
    crc: u32,
}

impl<P: Partition, S: Store> Slots<P, S> {
    /// Begins to receive a package of so many bytes into the [standby](Slots::standby) slot. What was there is lost.
    ///
    /// # Errors
    /// [`Reason::Flash`], or [`Reason::Length`] where it does not fit.
    pub fn begin(&mut self, bytes: u32) -> Result<(), Reason> {
        if bytes > self.capacity {
            return Err(Reason::Length { found: bytes as usize, expected: [self.capacity as usize; 2] });
        }
        self.clear()?;
        self.receiving = Some(Receiving { bytes, erased: 0, written: 0, crc: 0 });
        Ok(())
    }

    /// Takes the next piece. All pieces but the last are a multiple of [`LARGEST_WRITE`] long. What is beyond the length told is left out.
    ///
    /// # Errors
    /// [`Reason::Flash`].
    pub fn write(&mut self, piece: &[u8]) -> Result<(), Reason> {
        let standby = self.standby();
        let Slots { slots, receiving: Some(receiving), .. } = self else { return Ok(()) };
        let Some(flash) = &mut slots[standby as usize] else { return Ok(()) };
        let left = (receiving.bytes - receiving.written) as usize;
        let piece = piece.get(..left).unwrap_or(piece);
        let end = receiving.written + piece.len().next_multiple_of(P::WRITE_SIZE) as u32;
        let refused = |error: P::Error| Reason::Flash(error.kind());
        while receiving.erased < end {
            let next = receiving.erased + P::ERASE_SIZE as u32;
            flash.erase(receiving.erased, next).map_err(refused)?;
            receiving.erased = next;
        }
        let (whole, rest) = piece.split_at(piece.len() / P::WRITE_SIZE * P::WRITE_SIZE);
        flash.write(receiving.written, whole).map_err(refused)?;
        if !rest.is_empty() {
            let mut last = [0xff; LARGEST_WRITE];
            last[..rest.len()].copy_from_slice(rest);
            flash.write(receiving.written + whole.len() as u32, &last[..P::WRITE_SIZE]).map_err(refused)?;
        }
        receiving.written += piece.len() as u32;
        receiving.crc = go_on(receiving.crc, piece);
        Ok(())
    }

    /// Ends receiving: the slot holds the package from now on, if it is one that may run here.
    ///
    /// # Errors
    /// [`Reason`]: the slot is then empty.
    pub fn finish(&mut self) -> Result<Slot, Reason> {
        let standby = self.standby();
        let Some(Receiving { bytes, written, crc, .. }) = self.receiving.take() else {
            return Err(Reason::Length { found: 0, expected: [0; 2] });
        };
        if written != bytes {
            return Err(Reason::Length { found: written as usize, expected: [bytes as usize; 2] });
        }
        let mut slot = Slot { state: State::Received, proven: false, version: 0, bytes, crc32: crc };
        slot.version = self.accept(standby, &slot)?;
        self.change(|record| *record.slot_mut(standby) = slot)?;
        Ok(slot)
    }

    /// Ends receiving before its end. The slot stays empty.
    pub fn abandon(&mut self) {
        self.receiving = None;
    }
}
