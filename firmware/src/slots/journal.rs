//! Stores the [`Record`] in flash. The last record that was written completely is the valid one.
//!
//! Two erase blocks, the *pages*, hold frames. A frame is a record with its sequence number, and then its *seal*, which
//! is written after the record. If the seal can be read, the record was written completely and its bits are stable.
//! Without a seal the write may have been interrupted, and the record may read correctly now but not at the next boot.
//! The rules:
//!
//! * The record with a correct checksum and the highest sequence number is valid, sealed or not. If it is not sealed,
//!   it is written again when it is read, so that the next boot reads the same.
//! * The first commit after a boot never appends to a page but erases one: after the last frame of a page there may be
//!   the start of an interrupted write that looks like erased flash. It never erases the page of the highest sealed
//!   record.
//! * The first sequence number after a boot is the highest that can be read plus two: an interrupted record with the
//!   highest plus one may exist that cannot be read now but can be later.
//! * Before the firmware changes a slot, it commits a record in the same boot. A record that was only read decides
//!   nothing but the model that runs, so it does no harm if the next boot reads another one.
//!
//! `docs/update.md` explains why `sequential-storage` and `ekv` are not used instead.

use embedded_storage::nor_flash::{NorFlash, NorFlashError};

use super::record::{RECORD_BYTES, Record};
use crate::flash::MAX_WRITE_UNIT;

/// Length of a seal. It is a multiple of every write unit, so that it is written without touching the record.
const SEAL_BYTES: usize = MAX_WRITE_UNIT;
const FRAME_BYTES: usize = RECORD_BYTES + SEAL_BYTES;
const PAGES: u32 = 2;

/// A record that was read, with its sequence number and page.
#[derive(Clone, Copy, Debug)]
struct StoredRecord {
    sequence: u32,
    page: u32,
    record: Record,
}

/// The place and the sequence number of the next frame.
#[derive(Clone, Copy, Debug)]
struct NextFrame {
    page: u32,
    offset: u32,
    sequence: u32,
}

/// A store for the record. The firmware uses [`Journal`]; tests use others too.
pub trait Store {
    type Error: NorFlashError;

    /// Reads the valid record, which stays valid until the next commit. `None` if there is none, as on a new device.
    fn read(&mut self) -> Result<Option<Record>, Self::Error>;

    /// Writes a record, which is valid afterwards. If the power fails meanwhile, either this record or the one before
    /// is valid.
    ///
    /// # Errors
    /// Fails with an error of the flash. Either of the two records may then be valid.
    fn commit(&mut self, record: &Record) -> Result<(), Self::Error>;
}

/// Records in two erase blocks, by the rules of this file's documentation.
#[derive(Debug)]
pub struct Journal<F> {
    flash: F,
    /// `None` if this boot has not committed anything yet, or if its last commit failed; the next commit then erases a
    /// page.
    next: Option<NextFrame>,
}

impl<F: NorFlash> Journal<F> {
    /// A store in the first two erase blocks of `flash`.
    pub fn new(flash: F) -> Self {
        const {
            assert!(F::ERASE_SIZE >= FRAME_BYTES, "an erase block has room for a record");
            assert!(MAX_WRITE_UNIT.is_multiple_of(F::WRITE_SIZE), "a write unit is at most 32 bytes, a power of two");
            assert!(F::READ_SIZE <= 8 && 8usize.is_multiple_of(F::READ_SIZE), "a read unit is at most 8 bytes");
        }
        Journal { flash, next: None }
    }

    /// Erases a page, and returns the place of its first frame, which will have this sequence number.
    fn erase_page(&mut self, page: u32, sequence: u32) -> Result<NextFrame, F::Error> {
        let size = F::ERASE_SIZE as u32;
        self.flash.erase(page * size, (page + 1) * size)?;
        Ok(NextFrame { page, offset: 0, sequence })
    }

    /// Returns two records: the one with the highest sequence number of all, and the one with the highest sequence
    /// number of those with a seal.
    fn scan(&mut self) -> Result<(Option<StoredRecord>, Option<StoredRecord>), F::Error> {
        let (mut highest, mut highest_sealed) = (None, None);
        for page in 0..PAGES {
            let start = page * F::ERASE_SIZE as u32;
            for offset in (0..=F::ERASE_SIZE - FRAME_BYTES).step_by(FRAME_BYTES) {
                let (mut encoded, mut stored_seal) = ([0; RECORD_BYTES], [0; SEAL_BYTES]);
                self.flash.read(start + offset as u32, &mut encoded)?;
                let Some((sequence, record)) = Record::decode(&encoded) else { continue };
                self.flash.read(start + (offset + RECORD_BYTES) as u32, &mut stored_seal)?;
                let stored = StoredRecord { sequence, page, record };
                keep_higher(&mut highest, stored);
                if stored_seal == seal(&encoded) {
                    keep_higher(&mut highest_sealed, stored);
                }
            }
        }
        Ok((highest, highest_sealed))
    }
}

impl<F: NorFlash> Store for Journal<F> {
    type Error = F::Error;

    fn read(&mut self) -> Result<Option<Record>, F::Error> {
        let (highest, highest_sealed) = self.scan()?;
        if let Some(stored) = highest
            && highest_sealed.is_none_or(|sealed| sealed.sequence != stored.sequence)
        {
            // The highest record has no seal, so it is written again. If this fails, the next boot may read the
            // previous record.
            let _ = self.commit(&stored.record);
        }
        Ok(highest.map(|stored| stored.record))
    }

    fn commit(&mut self, record: &Record) -> Result<(), F::Error> {
        let other_page = |page| (page + 1) % PAGES;
        // `self.next` stays `None` if an erase or a write fails.
        let next = match self.next.take() {
            Some(next) if next.offset as usize + FRAME_BYTES <= F::ERASE_SIZE => next,
            // The page is full.
            Some(NextFrame { page, sequence, .. }) => self.erase_page(other_page(page), sequence)?,
            None => {
                // The rules for the first commit after a boot select the page and the sequence number.
                let (highest, highest_sealed) = self.scan()?;
                let page = highest_sealed.or(highest).map_or(0, |stored| other_page(stored.page));
                self.erase_page(page, highest.map_or(1, |stored| stored.sequence.saturating_add(2)))?
            }
        };
        let address = next.page * F::ERASE_SIZE as u32 + next.offset;
        let encoded = record.encode(next.sequence);
        self.flash.write(address, &encoded)?;
        self.flash.write(address + RECORD_BYTES as u32, &seal(&encoded))?;
        let (offset, sequence) = (next.offset + FRAME_BYTES as u32, next.sequence.saturating_add(1));
        self.next = Some(NextFrame { offset, sequence, ..next });
        Ok(())
    }
}

/// Replaces `highest` by `stored` if it is `None` or has a lower sequence number.
fn keep_higher(highest: &mut Option<StoredRecord>, stored: StoredRecord) {
    if highest.is_none_or(|highest| stored.sequence > highest.sequence) {
        *highest = Some(stored);
    }
}

/// The seal of an encoded record: `SEAL`, a copy of the record's last 4 bytes, which are its checksum, and zeros.
fn seal(encoded: &[u8; RECORD_BYTES]) -> [u8; SEAL_BYTES] {
    let mut seal = [0; SEAL_BYTES];
    seal[..4].copy_from_slice(b"SEAL");
    seal[4..8].copy_from_slice(&encoded[RECORD_BYTES - 4..]);
    seal
}
