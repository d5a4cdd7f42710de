//! The UTF-8 decoder of the tokenizers, which reads one byte at a time.

use crate::state_codec::StateCodec;

/// Decodes UTF-8, one byte at a time. It never fails: each maximal ill-formed part becomes one U+FFFD, exactly as in
/// `String::from_utf8_lossy` (Unicode 16.0, chapter 3, "U+FFFD Substitution of Maximal Subparts").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Utf8 {
    /// The bits of the current character that have been read.
    code: u32,
    /// The number of continuation bytes that are still missing; 0 between characters.
    missing: u8,
    /// The smallest and largest value of the next continuation byte, less 0x80.
    low: u8,
    high: u8,
}

/// The effect of reading a byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// The byte belongs to a character that is not complete yet.
    Incomplete,
    /// The byte completes a character.
    Complete,
    /// The byte cannot begin a character and becomes U+FFFD.
    Invalid,
    /// The byte does not continue the character: the bytes before it become U+FFFD, and it must be read again.
    BreaksOff,
}

impl Utf8 {
    /// A decoder between two characters.
    pub const fn new() -> Self {
        Utf8 { code: 0, missing: 0, low: 0, high: 0x3f }
    }

    /// Reads one byte and passes the characters that it completes to `sink`: none, one, or two if the first is U+FFFD
    /// for an incomplete character.
    #[inline]
    pub fn feed(&mut self, byte: u8, mut sink: impl FnMut(char)) {
        loop {
            let (effect, c) = self.take(byte);
            if effect == Effect::Incomplete {
                return;
            }
            sink(c);
            if effect != Effect::BreaksOff {
                return;
            }
        }
    }

    /// Reads one byte. Returns its effect, and the character, which is meaningless for [`Effect::Incomplete`].
    fn take(&mut self, byte: u8) -> (Effect, char) {
        let replacement = char::REPLACEMENT_CHARACTER;
        if self.missing > 0 {
            let bits = byte.wrapping_sub(0x80);
            if !(self.low..=self.high).contains(&bits) {
                self.missing = 0;
                return (Effect::BreaksOff, replacement);
            }
            self.code = self.code << 6 | u32::from(bits);
            self.missing -= 1;
            (self.low, self.high) = (0, 0x3f);
            let effect = if self.missing == 0 { Effect::Complete } else { Effect::Incomplete };
            // The limits of the bytes exclude invalid codes; only a restored state can have one.
            return (effect, char::from_u32(self.code).unwrap_or(replacement));
        }
        match byte {
            0x00..=0x7f => return (Effect::Complete, char::from(byte)),
            0xc2..=0xf4 => {}
            _ => return (Effect::Invalid, replacement),
        }
        // The first byte begins with as many ones as the character has bytes. A zero and the first bits of the code
        // follow.
        let missing = byte.leading_ones() as u8 - 1;
        // Values below `low` after E0 and F0 (second bytes below A0 and 90) encode characters that need fewer bytes.
        // Values above `high` encode surrogates after ED (second bytes above 9F), and codes beyond the last character,
        // U+10FFFF, after F4 (above 8F).
        let low = if matches!(byte, 0xe0 | 0xf0) { 0x80 >> missing } else { 0 };
        let high = if matches!(byte, 0xed | 0xf4) { 0x7f >> missing } else { 0x3f };
        *self = Utf8 { code: u32::from(byte & (0x3f >> missing)), missing, low, high };
        (Effect::Incomplete, replacement)
    }

    /// Passes the current character through the codec.
    pub(crate) fn visit_state(&mut self, codec: &mut StateCodec<'_>) {
        self.code = codec.unsigned(self.code);
        (self.missing, self.low, self.high) = (codec.byte(self.missing), codec.byte(self.low), codec.byte(self.high));
        codec.check(self.missing <= 3 && self.low <= self.high && self.high <= 0x3f && self.code <= 0x10_ffff);
    }

    /// Ends the text; an incomplete character becomes U+FFFD.
    pub fn finish(&mut self, mut sink: impl FnMut(char)) {
        if self.missing > 0 {
            sink(char::REPLACEMENT_CHARACTER);
        }
        *self = Utf8::new();
    }
}

/// Returns true if the bytes are UTF-8. Unlike `core::str::from_utf8`, this is code that the tokenizers link anyway.
pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    let mut utf8 = Utf8::new();
    let is_sound = |&byte: &u8| matches!(utf8.take(byte).0, Effect::Incomplete | Effect::Complete);
    bytes.iter().all(is_sound) && utf8.missing == 0
}
