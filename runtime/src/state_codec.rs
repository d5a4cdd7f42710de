//! The codec of saved states: the state of a session as bytes, from which a device can continue after a reset. Each
//! part of a session has one method, `visit_state`, which passes all its numbers to the codec. The codec counts their
//! bytes, writes them or replaces them by saved ones.

/// The mode of a codec, with the bytes that it writes or reads.
#[derive(Debug)]
enum Mode<'a> {
    Count,
    Write(&'a mut [u8]),
    Read(&'a [u8]),
}

/// Counts, writes or reads the numbers of a state, little-endian, in the order of docs/format.md, "The state of a
/// session". The methods for numbers take the current number. While the codec counts or writes, they return it
/// unchanged; while it reads, they return the saved number.
#[derive(Debug)]
pub(crate) struct StateCodec<'a> {
    mode: Mode<'a>,
    /// The number of bytes of the numbers passed so far.
    length: usize,
    /// True if all checks have passed.
    is_valid: bool,
}

impl<'a> StateCodec<'a> {
    /// A codec that counts the bytes.
    pub(crate) fn counting() -> Self {
        StateCodec { mode: Mode::Count, length: 0, is_valid: true }
    }

    /// A codec that writes to `bytes`. Numbers beyond the end are dropped.
    pub(crate) fn writing(bytes: &'a mut [u8]) -> Self {
        StateCodec { mode: Mode::Write(bytes), length: 0, is_valid: true }
    }

    /// A codec that reads from `bytes`. Numbers beyond the end are 0.
    pub(crate) fn reading(bytes: &'a [u8]) -> Self {
        StateCodec { mode: Mode::Read(bytes), length: 0, is_valid: true }
    }

    /// The number of bytes of the numbers passed so far, also of those beyond the end of the codec's bytes.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Returns true if all checks have passed.
    pub(crate) fn is_valid(&self) -> bool {
        self.is_valid
    }

    /// Records the result of a check of the numbers. Numbers that a session has computed itself pass all checks.
    pub(crate) fn check(&mut self, has_passed: bool) {
        self.is_valid &= has_passed;
    }

    /// Passes a number of any size, little-endian, and advances.
    fn number<const BYTES: usize>(&mut self, number: [u8; BYTES]) -> [u8; BYTES] {
        let begin = self.length;
        self.length = begin.saturating_add(BYTES);
        match &mut self.mode {
            Mode::Count => number,
            Mode::Write(bytes) => {
                if let Some(to) = bytes.get_mut(begin..).and_then(|rest| rest.first_chunk_mut()) {
                    *to = number;
                }
                number
            }
            Mode::Read(bytes) => bytes.get(begin..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; BYTES]),
        }
    }

    /// Passes an unsigned 8-bit number.
    pub(crate) fn byte(&mut self, number: u8) -> u8 {
        let [byte] = self.number([number]);
        byte
    }

    /// Passes a signed 16-bit number.
    pub(crate) fn half(&mut self, number: i16) -> i16 {
        i16::from_le_bytes(self.number(number.to_le_bytes()))
    }

    /// Passes a signed 32-bit number.
    pub(crate) fn word(&mut self, number: i32) -> i32 {
        i32::from_le_bytes(self.number(number.to_le_bytes()))
    }

    /// Passes an unsigned 32-bit number.
    pub(crate) fn unsigned(&mut self, number: u32) -> u32 {
        u32::from_le_bytes(self.number(number.to_le_bytes()))
    }

    /// Passes signed 16-bit numbers.
    pub(crate) fn halves<'v>(&mut self, numbers: impl Iterator<Item = &'v mut i16>) {
        numbers.for_each(|number| *number = self.half(*number));
    }

    /// Passes signed 32-bit numbers.
    pub(crate) fn words<'v>(&mut self, numbers: impl Iterator<Item = &'v mut i32>) {
        numbers.for_each(|number| *number = self.word(*number));
    }
}
