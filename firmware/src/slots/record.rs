//! What the slots hold, as one small record. `docs/update.md` has its bytes.

use crate::crc32::crc32;

/// Bytes of a record.
pub const RECORD_BYTES: usize = 64;

const MAGIC: [u8; 4] = *b"TREC";
const VERSION: u8 = 1;
const NONE: u8 = 0xff;

/// One of the two slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// The first, to which a flasher writes.
    A,
    /// The second.
    B,
}

impl Index {
    /// Both.
    pub const ALL: [Index; 2] = [Index::A, Index::B];

    /// The other one.
    pub fn other(self) -> Index {
        match self {
            Index::A => Index::B,
            Index::B => Index::A,
        }
    }

    /// `A` or `B`.
    pub fn name(self) -> &'static str {
        match self {
            Index::A => "A",
            Index::B => "B",
        }
    }
}

/// How far a slot's model has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Nothing that may be used.
    Empty = 1,
    /// A whole file whose package was accepted.
    Received = 2,
    /// All checks passed: the next boot tries it.
    Activated = 3,
    /// A boot tries it, or did and never came to an end.
    Trial = 4,
    /// It has served.
    Confirmed = 5,
    /// Its trial failed.
    Failed = 6,
}

impl State {
    const ALL: [State; 6] =
        [State::Empty, State::Received, State::Activated, State::Trial, State::Confirmed, State::Failed];

    /// In a word.
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

/// What is known of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// How far its model has come.
    pub state: State,
    /// It was confirmed once: it may serve again though a newer one was confirmed since.
    pub proven: bool,
    /// The model's version counter; 0 of a file without a trailer.
    pub version: u32,
    /// Length of the file as received, its trailer included. 0: as a flasher wrote it, length and checksum unknown.
    pub bytes: u32,
    /// CRC-32 of these bytes.
    pub crc32: u32,
}

impl Slot {
    /// A slot that holds nothing.
    pub const EMPTY: Slot = Slot { state: State::Empty, proven: false, version: 0, bytes: 0, crc32: 0 };
}

/// What a device knows of its models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The slots, A first.
    pub slots: [Slot; 2],
    /// The slot that serves.
    pub active: Option<Index>,
    /// The highest version that was ever confirmed: nothing below it is loaded.
    pub floor: u32,
}

impl Record {
    /// Before the first record: slot A holds what a flasher wrote, if anything.
    pub const FACTORY: Record = Record {
        slots: [Slot { state: State::Confirmed, proven: true, version: 0, bytes: 0, crc32: 0 }, Slot::EMPTY],
        active: Some(Index::A),
        floor: 0,
    };

    /// A slot.
    pub fn slot(&self, index: Index) -> &Slot {
        &self.slots[index as usize]
    }

    /// A slot, to change.
    pub fn slot_mut(&mut self, index: Index) -> &mut Slot {
        &mut self.slots[index as usize]
    }

    /// The bytes of this record with its place in the sequence of all.
    pub fn encode(&self, sequence: u32) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = VERSION;
        bytes[5] = self.active.map_or(NONE, |index| index as u8);
        let mut put = |at: usize, word: u32| bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        put(8, sequence);
        put(12, self.floor);
        for (slot, at) in self.slots.iter().zip([16, 32]) {
            put(at, u32::from(slot.state as u8) | u32::from(slot.proven) << 8);
            put(at + 4, slot.version);
            put(at + 8, slot.bytes);
            put(at + 12, slot.crc32);
        }
        put(60, 0);
        let crc = crc32(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The record that `bytes` are, and its place in the sequence. None: they are none, or not whole.
    pub fn decode(bytes: &[u8; RECORD_BYTES]) -> Option<(u32, Record)> {
        let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        if bytes[..4] != MAGIC || bytes[4] != VERSION || word(60)? != crc32(&bytes[..60]) {
            return None;
        }
        let slot = |at: usize| {
            let (code, proven) = (bytes.get(at)?, *bytes.get(at + 1)? != 0);
            let state = State::ALL.into_iter().find(|&state| state as u8 == *code)?;
            Some(Slot { state, proven, version: word(at + 4)?, bytes: word(at + 8)?, crc32: word(at + 12)? })
        };
        let active = match bytes[5] {
            NONE => None,
            code => Some(Index::ALL.into_iter().find(|&index| index as u8 == code)?),
        };
        Some((word(8)?, Record { slots: [slot(16)?, slot(32)?], active, floor: word(12)? }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let mut record = Record::FACTORY;
        for (i, state) in State::ALL.into_iter().enumerate() {
            *record.slot_mut(Index::B) =
                Slot { state, proven: i % 2 == 0, version: 7, bytes: 322_856, crc32: 0x9d1f_04c2 };
            record.active = [None, Some(Index::A), Some(Index::B)][i % 3];
            record.floor = i as u32;
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
