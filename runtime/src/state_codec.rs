//! The parts of a state, one after the other: counted, written and read by the same walk over them.

/// Where the numbers of a state go to or come from.
#[derive(Debug)]
enum Place<'a> {
    Nowhere,
    To(&'a mut [u8]),
    From(&'a [u8]),
}

/// Walks over the numbers of a state in the order of docs/format.md, "The state of a session". Each is given as it is and comes back as it
/// is to be: as it was, or as it is read.
#[derive(Debug)]
pub(crate) struct StateCodec<'a> {
    place: Place<'a>,
    at: usize,
    sound: bool,
}

impl<'a> StateCodec<'a> {
    /// Only counts.
    pub(crate) fn counting() -> Self {
        StateCodec { place: Place::Nowhere, at: 0, sound: true }
    }

    /// Writes; what is beyond the end of `bytes` is left out.
    pub(crate) fn writing(bytes: &'a mut [u8]) -> Self {
        StateCodec { place: Place::To(bytes), at: 0, sound: true }
    }

    /// Reads; beyond the end of `bytes` there are zeros.
    pub(crate) fn reading(bytes: &'a [u8]) -> Self {
        StateCodec { place: Place::From(bytes), at: 0, sound: true }
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.at
    }

    /// Whether all that was checked is as it should be.
    pub(crate) fn is_sound(&self) -> bool {
        self.sound
    }

    /// What was read is refused where this is false. What is written never is.
    pub(crate) fn check(&mut self, sound: bool) {
        self.sound &= sound;
    }

    fn number<const BYTES: usize>(&mut self, number: [u8; BYTES]) -> [u8; BYTES] {
        let begin = self.at;
        self.at = begin.saturating_add(BYTES);
        match &mut self.place {
            Place::Nowhere => number,
            Place::To(bytes) => {
                if let Some(to) = bytes.get_mut(begin..).and_then(|rest| rest.first_chunk_mut()) {
                    *to = number;
                }
                number
            }
            Place::From(bytes) => bytes.get(begin..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; BYTES]),
        }
    }

    pub(crate) fn byte(&mut self, number: u8) -> u8 {
        let [byte] = self.number([number]);
        byte
    }

    pub(crate) fn half(&mut self, number: i16) -> i16 {
        i16::from_le_bytes(self.number(number.to_le_bytes()))
    }

    pub(crate) fn word(&mut self, number: i32) -> i32 {
        i32::from_le_bytes(self.number(number.to_le_bytes()))
    }

    pub(crate) fn count(&mut self, number: u32) -> u32 {
        u32::from_le_bytes(self.number(number.to_le_bytes()))
    }

    pub(crate) fn halves<'v>(&mut self, numbers: impl Iterator<Item = &'v mut i16>) {
        numbers.for_each(|number| *number = self.half(*number));
    }

    pub(crate) fn words<'v>(&mut self, numbers: impl Iterator<Item = &'v mut i32>) {
        numbers.for_each(|number| *number = self.word(*number));
    }
}
