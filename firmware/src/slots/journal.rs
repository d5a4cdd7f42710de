//! Where the [`Record`] is kept: the last one written whole is the one that counts.
//!
//! Two erase blocks, the *pages*, hold frames: a record, then its *seal*, which is written when the record is. A record whose seal can be read
//! was written to its end, so its bits will read the same tomorrow; one without may have been cut, and read well today by luck. Rules:
//!
//! * The whole record with the highest number counts, sealed or not. One that is not sealed is written anew when it is read, lest the next boot
//!   reads it otherwise.
//! * The first commit after a boot goes to a page that is erased for it: behind the frames of an old page may stand one that was cut and reads
//!   as nothing. It is never the page of the highest sealed record.
//! * Numbers rise by two at a boot, so that what was cut before never ties with what is written now.
//! * Nobody acts on a record but by a commit in the same boot, or by serving the slot that it names.
//!
//! `docs/update.md` says why neither `sequential-storage` nor `ekv` stands in the place of this.

use embedded_storage::nor_flash::{NorFlash, NorFlashError};

use super::record::{RECORD_BYTES, Record};
use crate::flash::LARGEST_WRITE;

const SEAL_BYTES: usize = LARGEST_WRITE;
const FRAME_BYTES: usize = RECORD_BYTES + SEAL_BYTES;
const PAGES: u32 = 2;

/// A frame that was read.
#[derive(Clone, Copy, Debug)]
struct Seen {
    sequence: u32,
    page: u32,
    record: Record,
}

/// Where the next frame goes.
#[derive(Clone, Copy, Debug)]
struct Next {
    page: u32,
    offset: u32,
    sequence: u32,
}

/// A place for the record. There is one, [`Journal`]; tests try others.
pub trait Store {
    /// What the flash says that it lies in.
    type Error: NorFlashError;

    /// The record that counts, from now on. None: none was ever written.
    ///
    /// # Errors
    /// Those of the flash.
    fn read(&mut self) -> Result<Option<Record>, Self::Error>;

    /// Writes a record. After it, it is the one that counts; where power goes before, it is this one or the one before.
    ///
    /// # Errors
    /// Those of the flash. It is then not known which record counts.
    fn commit(&mut self, record: &Record) -> Result<(), Self::Error>;
}

/// Records in two erase blocks, by the rules above.
#[derive(Debug)]
pub struct Journal<F> {
    flash: F,
    /// None: this boot has committed nothing yet, or does not know how far it came.
    next: Option<Next>,
}

impl<F: NorFlash> Journal<F> {
    /// A store in `flash`, of which it uses the first two erase blocks.
    pub fn new(flash: F) -> Self {
        const {
            assert!(F::ERASE_SIZE >= FRAME_BYTES, "an erase block has room for a record");
            assert!(LARGEST_WRITE.is_multiple_of(F::WRITE_SIZE), "a write unit is at most 32 bytes, a power of two");
            assert!(F::READ_SIZE <= 8 && 8usize.is_multiple_of(F::READ_SIZE), "a read unit is at most 8 bytes");
        }
        Journal { flash, next: None }
    }

    fn open(&mut self, page: u32, sequence: u32) -> Result<Next, F::Error> {
        let size = F::ERASE_SIZE as u32;
        self.flash.erase(page * size, (page + 1) * size)?;
        Ok(Next { page, offset: 0, sequence })
    }

    /// The highest whole record, and the highest that is sealed.
    fn scan(&mut self) -> Result<(Option<Seen>, Option<Seen>), F::Error> {
        let (mut highest, mut sealed) = (None, None);
        for page in 0..PAGES {
            let start = page * F::ERASE_SIZE as u32;
            for offset in (0..=F::ERASE_SIZE - FRAME_BYTES).step_by(FRAME_BYTES) {
                let (mut body, mut tail) = ([0; RECORD_BYTES], [0; SEAL_BYTES]);
                self.flash.read(start + offset as u32, &mut body)?;
                let Some((sequence, record)) = Record::decode(&body) else { continue };
                self.flash.read(start + (offset + RECORD_BYTES) as u32, &mut tail)?;
                let seen = Seen { sequence, page, record };
                keep_higher(&mut highest, seen);
                if tail == seal(&body) {
                    keep_higher(&mut sealed, seen);
                }
            }
        }
        Ok((highest, sealed))
    }
}

impl<F: NorFlash> Store for Journal<F> {
    type Error = F::Error;

    fn read(&mut self) -> Result<Option<Record>, F::Error> {
        let (highest, sealed) = self.scan()?;
        if let Some(seen) = highest
            && sealed.is_none_or(|sealed| sealed.sequence != seen.sequence)
        {
            // Where this fails, it may be the record from before that counts at the next boot.
            let _ = self.commit(&seen.record);
        }
        Ok(highest.map(|seen| seen.record))
    }

    fn commit(&mut self, record: &Record) -> Result<(), F::Error> {
        let after = |page| (page + 1) % PAGES;
        let next = match self.next.take() {
            Some(next) if next.offset as usize + FRAME_BYTES <= F::ERASE_SIZE => next,
            Some(Next { page, sequence, .. }) => self.open(after(page), sequence)?,
            None => {
                let (highest, sealed) = self.scan()?;
                let page = sealed.or(highest).map_or(0, |seen| after(seen.page));
                self.open(page, highest.map_or(1, |seen| seen.sequence.saturating_add(2)))?
            }
        };
        let at = next.page * F::ERASE_SIZE as u32 + next.offset;
        let body = record.encode(next.sequence);
        self.flash.write(at, &body)?;
        self.flash.write(at + RECORD_BYTES as u32, &seal(&body))?;
        let (offset, sequence) = (next.offset + FRAME_BYTES as u32, next.sequence.saturating_add(1));
        self.next = Some(Next { offset, sequence, ..next });
        Ok(())
    }
}

fn keep_higher(kept: &mut Option<Seen>, seen: Seen) {
    if kept.is_none_or(|kept| seen.sequence > kept.sequence) {
        *kept = Some(seen);
    }
}

/// What follows a record that was written to its end.
fn seal(body: &[u8; RECORD_BYTES]) -> [u8; SEAL_BYTES] {
    let mut seal = [0; SEAL_BYTES];
    seal[..4].copy_from_slice(b"SEAL");
    seal[4..8].copy_from_slice(&body[RECORD_BYTES - 4..]);
    seal
}
