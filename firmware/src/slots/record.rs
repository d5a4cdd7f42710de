//! The record about the contents of the two model slots, and its encoding in flash, which `docs/update.md` specifies.

use core::fmt;

use crate::crc32::crc32;

/// Length of a record in bytes.
pub const RECORD_BYTES: usize = 64;

const MAGIC: [u8; 4] = *b"TREC";
/// The version of the layout.
const VERSION: u8 = 1;
/// The byte for [`Record::active`] if no slot is active.
const NO_SLOT: u8 = 0xff;
/// Offsets in a record of the 16 bytes of slot A and slot B.
const SLOTS_AT: [usize; 2] = [16, 32];
/// Offset in a record of the CRC-32 of all bytes before it.
const CHECKSUM_AT: usize = RECORD_BYTES - 4;

/// One of the two model slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotIndex {
    /// The slot that a host's flashing tool, such as a debug probe or a bootloader, can write to.
    A,
    /// The slot that only the firmware writes to.
    B,
}

impl SlotIndex {
    pub const ALL: [SlotIndex; 2] = [SlotIndex::A, SlotIndex::B];

    pub fn other(self) -> SlotIndex {
        match self {
            SlotIndex::A => SlotIndex::B,
            SlotIndex::B => SlotIndex::A,
        }
    }
}

/// Displays `A` or `B`.
impl fmt::Display for SlotIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == SlotIndex::A { "A" } else { "B" })
    }
}

/// The state of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// The slot holds nothing usable.
    Empty = 1,
    /// A package was received completely and accepted.
    Received = 2,
    /// All checks passed, and the next boot tries the model.
    Activated = 3,
    /// A boot is trying the model, or was interrupted while trying it.
    Trial = 4,
    /// The model has passed its trial.
    Confirmed = 5,
    /// The trial failed.
    Failed = 6,
}

impl State {
    const ALL: [State; 6] =
        [State::Empty, State::Received, State::Activated, State::Trial, State::Confirmed, State::Failed];

    /// The name, as the console command `models` prints it.
    pub fn name(self) -> &'static str {
        match self {
            State::Empty => "empty",
            State::Received => "received",
            State::Activated => "activated",
            State::Trial => "trial",
            State::Confirmed => "confirmed",
            State::Failed => "failed",
        }
    }
}

/// The record about one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub state: State,
    /// True if the model was ever confirmed. A rollback to it is allowed even if `min_version` is higher.
    pub proven: bool,
    /// The model's version counter, which the signed trailer of a package contains (`docs/update.md`); 0 for a package
    /// without a trailer.
    pub version: u32,
    /// Length of the package as received, with its trailer. 0 if a host's flashing tool wrote it: length and checksum
    /// are then unknown.
    pub bytes: u32,
    /// CRC-32 of the package as received.
    pub crc32: u32,
}

impl Slot {
    pub const EMPTY: Slot = Slot { state: State::Empty, proven: false, version: 0, bytes: 0, crc32: 0 };
    /// The contents that a host's flashing tool wrote.
    const FLASHED: Slot = Slot { state: State::Confirmed, proven: true, ..Slot::EMPTY };

    /// Returns true if a host's flashing tool wrote the contents, so that length and checksum are unknown. This is
    /// possible only for slot A, before its first transfer: [`Record::decode`] reads every other slot of length 0 as
    /// empty.
    pub fn is_flashed(&self) -> bool {
        self.state != State::Empty && self.bytes == 0
    }
}

/// The record about both slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Slot A, then slot B.
    pub slots: [Slot; 2],
    /// The slot whose confirmed model runs, unless another one is on trial; `None` if there is none.
    pub active: Option<SlotIndex>,
    /// The highest version that was ever confirmed. Firmware with a key refuses a newly received model with a lower
    /// version.
    pub min_version: u32,
}

impl Record {
    /// The state before the first record: slot A holds what a host's flashing tool wrote, if anything.
    pub const FACTORY: Record =
        Record { slots: [Slot::FLASHED, Slot::EMPTY], active: Some(SlotIndex::A), min_version: 0 };

    pub fn slot(&self, index: SlotIndex) -> &Slot {
        &self.slots[index as usize]
    }

    pub fn slot_mut(&mut self, index: SlotIndex) -> &mut Slot {
        &mut self.slots[index as usize]
    }

    /// Returns the bytes of this record. `sequence` is its sequence number, higher than that of every earlier record.
    pub fn encode(&self, sequence: u32) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = VERSION;
        bytes[5] = self.active.map_or(NO_SLOT, |index| index as u8);
        let mut put = |at: usize, word: u32| bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        // Bytes 6 and 7, 48 to 59, and two bytes of each slot stay 0.
        put(8, sequence);
        put(12, self.min_version);
        for (slot, at) in self.slots.iter().zip(SLOTS_AT) {
            // The first byte is the state, the second one is 1 if the model is proven.
            put(at, u32::from(slot.state as u8) | u32::from(slot.proven) << 8);
            put(at + 4, slot.version);
            put(at + 8, slot.bytes);
            put(at + 12, slot.crc32);
        }
        let crc = crc32(&bytes[..CHECKSUM_AT]);
        bytes[CHECKSUM_AT..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Parses a record and its sequence number; `None` if the bytes are not a record or its checksum is wrong.
    ///
    /// A slot of length 0 is valid only if it is slot A and marked as proven, as for a model that a host's flashing
    /// tool wrote. Earlier firmware also recorded a length of 0 after the transfer of an empty file; such slots are
    /// read as empty.
    pub fn decode(bytes: &[u8; RECORD_BYTES]) -> Option<(u32, Record)> {
        let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        if bytes[..4] != MAGIC || bytes[4] != VERSION || word(CHECKSUM_AT)? != crc32(&bytes[..CHECKSUM_AT]) {
            return None;
        }
        let slot = |at: usize, may_be_flashed: bool| {
            let (code, proven) = (*bytes.get(at)?, *bytes.get(at + 1)? != 0);
            let state = State::ALL.iter().copied().find(|&state| state as u8 == code)?;
            let slot = Slot { state, proven, version: word(at + 4)?, bytes: word(at + 8)?, crc32: word(at + 12)? };
            let is_valid = slot.bytes != 0 || (may_be_flashed && proven);
            Some(if is_valid { slot } else { Slot::EMPTY })
        };
        let active = match bytes[5] {
            NO_SLOT => None,
            code => Some(SlotIndex::ALL.iter().copied().find(|&index| index as u8 == code)?),
        };
        let [a_at, b_at] = SLOTS_AT;
        Some((word(8)?, Record { slots: [slot(a_at, true)?, slot(b_at, false)?], active, min_version: word(12)? }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_and_every_changed_bit_is_found() {
        let mut record = Record::FACTORY;
        for (i, state) in State::ALL.into_iter().enumerate() {
            *record.slot_mut(SlotIndex::B) =
                Slot { state, proven: i % 2 == 0, version: 7, bytes: 322_856, crc32: 0x9d1f_04c2 };
            record.active = [None, Some(SlotIndex::A), Some(SlotIndex::B)][i % 3];
            record.min_version = i as u32;
            let bytes = record.encode(41);
            assert_eq!(Record::decode(&bytes), Some((41, record)));
            for at in 0..bytes.len() * 8 {
                let mut changed = bytes;
                changed[at / 8] ^= 1 << (at % 8);
                assert_eq!(Record::decode(&changed), None, "bit {at}");
            }
        }
        assert_eq!(Record::decode(&[0xff; 64]), None);
        assert_eq!(Record::decode(&[0; 64]), None);
    }
}
