//! The codec of saved states. A part of a session has one method, `visit_state`, which passes each of its numbers to
//! the codec; depending on the codec's direction, this counts the bytes, saves the state or restores it.

/// The task of a traversal, with the source or the destination of the numbers.
#[derive(Debug)]
enum Direction<'a> {
    Count,
    Write(&'a mut [u8]),
    Read(&'a [u8]),
}

/// Counts, writes or reads the numbers of a state, little-endian, in the order of docs/format.md, "The state of a
/// session". The methods for numbers take the current number; they return it unchanged while counting and writing, and
/// return the saved number while reading.
#[derive(Debug)]
pub(crate) struct StateCodec<'a> {
    direction: Direction<'a>,
    /// The number of bytes so far.
    at: usize,
    /// True if all checks have passed.
    valid: bool,
}

impl<'a> StateCodec<'a> {
    /// A codec that counts the bytes.
    pub(crate) fn counting() -> Self {
        StateCodec { direction: Direction::Count, at: 0, valid: true }
    }

    /// A codec that writes to `bytes`. Numbers beyond the end are dropped.
    pub(crate) fn writing(bytes: &'a mut [u8]) -> Self {
        StateCodec { direction: Direction::Write(bytes), at: 0, valid: true }
    }

    /// A codec that reads from `bytes`. Numbers beyond the end are 0.
    pub(crate) fn reading(bytes: &'a [u8]) -> Self {
        StateCodec { direction: Direction::Read(bytes), at: 0, valid: true }
    }

    /// The number of bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.at
    }

    /// Returns true if all checks have passed.
    pub(crate) fn is_valid(&self) -> bool {
        self.valid
    }

    /// Records the result of a check of the numbers that were read. While writing, all checks pass.
    pub(crate) fn check(&mut self, valid: bool) {
        self.valid &= valid;
    }

    /// A number of any size, little-endian.
    fn number<const BYTES: usize>(&mut self, number: [u8; BYTES]) -> [u8; BYTES] {
        let begin = self.at;
        self.at = begin.saturating_add(BYTES);
        match &mut self.direction {
            Direction::Count => number,
            Direction::Write(bytes) => {
                if let Some(to) = bytes.get_mut(begin..).and_then(|rest| rest.first_chunk_mut()) {
                    *to = number;
                }
                number
            }
            Direction::Read(bytes) => {
                bytes.get(begin..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; BYTES])
            }
        }
    }

    /// An unsigned 8-bit number.
    pub(crate) fn byte(&mut self, number: u8) -> u8 {
        let [byte] = self.number([number]);
        byte
    }

    /// A signed 16-bit number.
    pub(crate) fn half(&mut self, number: i16) -> i16 {
        i16::from_le_bytes(self.number(number.to_le_bytes()))
    }

    /// A signed 32-bit number.
    pub(crate) fn word(&mut self, number: i32) -> i32 {
        i32::from_le_bytes(self.number(number.to_le_bytes()))
    }

    /// An unsigned 32-bit number.
    pub(crate) fn unsigned(&mut self, number: u32) -> u32 {
        u32::from_le_bytes(self.number(number.to_le_bytes()))
    }

    /// Signed 16-bit numbers.
    pub(crate) fn halves<'v>(&mut self, numbers: impl Iterator<Item = &'v mut i16>) {
        numbers.for_each(|number| *number = self.half(*number));
    }

    /// Signed 32-bit numbers.
    pub(crate) fn words<'v>(&mut self, numbers: impl Iterator<Item = &'v mut i32>) {
        numbers.for_each(|number| *number = self.word(*number));
    }
}
