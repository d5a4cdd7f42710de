//! The vocabulary: tokens and their ids.

use crate::error::LoadError;
use crate::features::TokenFingerprints;
use crate::state_codec::StateCodec;
use crate::text::fingerprints::{Fingerprints, hash_char};
use crate::text::texts::Texts;

/// The id of padding. No text contains it.
pub const PAD: u32 = 0;
/// The id of every token that is not in the vocabulary.
pub const UNK: u32 = 1;

/// The tokens of a model. A token's id is its index + 2, after [`PAD`] and [`UNK`].
#[derive(Clone, Copy, Debug)]
pub struct Vocabulary<'a> {
    /// The tokens, strictly ascending by their bytes, none empty; checked at load.
    tokens: Texts<'a>,
    /// True if the tokens are the 256 bytes; `tokens` is then empty.
    is_bytes: bool,
    /// The fingerprints of the tokens, if the file stores them in place of the texts; `tokens` is then empty.
    fingerprints: Option<TokenFingerprints<Fingerprints<'a>>>,
}

impl<'a> Vocabulary<'a> {
    /// All 256 bytes; the id of a byte is the byte + 2.
    pub const BYTES: Vocabulary<'static> = Vocabulary { tokens: Texts::EMPTY, is_bytes: true, fingerprints: None };

    /// The vocabulary of a model that reads values or has no recurrent branch.
    pub(crate) const EMPTY: Vocabulary<'static> =
        Vocabulary { tokens: Texts::EMPTY, is_bytes: false, fingerprints: None };

    /// The number of bytes in the file, offsets included; 0 for the vocabulary of bytes, which no file stores.
    pub(crate) fn byte_len(&self) -> usize {
        match &self.fingerprints {
            Some(fingerprints) => fingerprints.byte_len(),
            None if self.is_bytes => 0,
            None => self.tokens.byte_len(),
        }
    }

    /// A vocabulary of fingerprints: docs/format.md, "Fingerprints of tokens". `starts`: the index of the first
    /// fingerprint of each bucket, and the number of all fingerprints. `fingerprints`: bucket by bucket.
    ///
    /// # Errors
    /// [`LoadError::Texts`] if the number of buckets is not a power of 2 up to 2^16 or the starts are wrong,
    /// [`LoadError::VocabularyOrder`] if the fingerprints of a bucket are not strictly ascending.
    #[cfg(feature = "token_fingerprints")]
    pub fn fingerprinted(seed: u32, starts: &'a [u32], fingerprints: &'a [u16]) -> Result<Self, LoadError> {
        let found = Fingerprints { seed, starts, fingerprints };
        found.check_starts().map_err(|index| LoadError::Texts { table: "vocab.buckets", index })?;
        match found.out_of_order() {
            Some(index) => Err(LoadError::VocabularyOrder { index }),
            None => Ok(Vocabulary::of_fingerprints(found)),
        }
    }

    /// A vocabulary of fingerprints, which have been checked.
    #[cfg(feature = "token_fingerprints")]
    pub(crate) fn of_fingerprints(fingerprints: Fingerprints<'a>) -> Self {
        Vocabulary { fingerprints: TokenFingerprints::new(fingerprints), ..Vocabulary::EMPTY }
    }

    /// Returns true if the file stores fingerprints of the tokens in place of their texts.
    pub fn has_fingerprints(&self) -> bool {
        self.fingerprints.is_some()
    }

    /// A vocabulary of tokens in ascending order of their bytes. `offsets`: the start of each token in `bytes`, and the
    /// end of the last.
    ///
    /// # Errors
    /// [`LoadError::Texts`] if the offsets are wrong or a token is not UTF-8, [`LoadError::VocabularyOrder`] if a token
    /// is empty or the tokens are not in order.
    pub fn sorted(offsets: &'a [u32], bytes: &'a [u8]) -> Result<Self, LoadError> {
        let tokens = Texts::new(offsets, bytes).map_err(|index| LoadError::Texts { table: "vocab", index })?;
        Vocabulary::new(tokens).map_err(|index| LoadError::VocabularyOrder { index })
    }

    /// Checks a vocabulary. The error is the index of the first token that is empty or out of order.
    pub(crate) fn new(tokens: Texts<'a>) -> Result<Self, usize> {
        let mut previous: &[u8] = &[];
        for index in 0..tokens.len() {
            let token = tokens.bytes(index);
            if token <= previous {
                return Err(index);
            }
            previous = token;
        }
        Ok(Vocabulary { tokens, ..Vocabulary::EMPTY })
    }

    /// The number of ids, PAD and UNK included.
    pub fn size(&self) -> usize {
        // 2 for PAD and UNK.
        2 + match &self.fingerprints {
            Some(fingerprints) => fingerprints.fingerprints.len(),
            None if self.is_bytes => 256,
            None => self.tokens.len(),
        }
    }

    /// The token with this id; none for PAD, UNK and ids beyond the last, and for every id in a vocabulary of bytes or
    /// of fingerprints.
    pub fn token(&self, id: u32) -> Option<&'a str> {
        self.tokens.get((id as usize).checked_sub(2)?)
    }
}

/// The look-up of one token while its characters arrive: it narrows the range of vocabulary tokens that begin with
/// these characters. It stores no byte of the token, so a token may have any length. In a vocabulary of fingerprints,
/// it computes the token's hash instead.
///
/// Cost: two binary searches over the remaining range for each byte; with fingerprints, one in a bucket for each token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lookup {
    /// The tokens that begin with the bytes read so far, as a range of their indices: `low <= index < high`. In a
    /// vocabulary of fingerprints, `low` is the hash of the characters read so far.
    low: u32,
    high: u32,
    /// The number of bytes read; bytes that follow once the range is empty are not counted.
    depth: u32,
}

impl Lookup {
    /// A look-up before the first byte of a token: the range holds all tokens. [`push`](Lookup::push) limits it to the
    /// vocabulary.
    pub(crate) const START: Lookup = Lookup { low: 0, high: u32::MAX, depth: 0 };

    /// Reads the next character of the token.
    pub(crate) fn push(&mut self, vocabulary: &Vocabulary<'_>, c: char) {
        if let Some(fingerprints) = &vocabulary.fingerprints {
            self.low = hash_char(self.low, fingerprints.seed, c);
            return;
        }
        self.high = self.high.min(vocabulary.tokens.len() as u32);
        let code = u32::from(c);
        // The UTF-8 of the character; `char::encode_utf8` would take twice as much code. `following`: the number of
        // bytes after the first one, which hold six bits of the code each. `mark`: the upper bits of a byte; its lower
        // 8 bits count, so the shift selects the mark of the first byte: 00, c0, e0 or f0.
        let mut following = c.len_utf8() as u32 - 1;
        let (mut mark, mut mask) = (0xf0_e0_c0_00 >> (8 * following), 0x7f);
        loop {
            self.push_byte(&vocabulary.tokens, (mark | code >> (6 * following) & mask) as u8);
            if following == 0 {
                return;
            }
            following -= 1;
            (mark, mask) = (0x80, 0x3f);
        }
    }

    /// Reads the next byte of the token.
    fn push_byte(&mut self, tokens: &Texts<'_>, byte: u8) {
        if self.low < self.high {
            // The tokens whose next byte is at least `byte`, without those whose next byte is greater.
            self.low = self.partition(tokens, byte.into());
            self.high = self.partition(tokens, u32::from(byte) + 1);
            self.depth += 1;
        }
    }

    /// Returns the index of the first token in the range whose next byte is at least `bound`; the end of the range if
    /// there is none.
    #[inline(never)]
    fn partition(&self, tokens: &Texts<'_>, bound: u32) -> u32 {
        let Lookup { mut low, mut high, depth } = *self;
        while low < high {
            let middle = low + (high - low) / 2;
            // A token that ends here comes before all longer ones.
            if tokens.bytes(middle as usize).get(depth as usize).is_none_or(|&b| u32::from(b) < bound) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Passes the look-up through the codec.
    pub(crate) fn visit_state(&mut self, vocabulary: &Vocabulary<'_>, codec: &mut StateCodec<'_>) {
        self.low = codec.unsigned(self.low);
        if vocabulary.has_fingerprints() {
            return;
        }
        self.high = codec.unsigned(self.high);
        self.depth = codec.unsigned(self.depth);
        codec.check(self.high as usize <= vocabulary.tokens.len() && self.low <= self.high);
        // All tokens of the range have at least as many bytes as have been read; the first one stands for them.
        codec.check(self.has_no_candidate() || self.depth as usize <= vocabulary.tokens.bytes(self.low as usize).len());
    }

    /// Returns true if no token begins with the bytes read so far.
    pub(crate) fn has_no_candidate(&self) -> bool {
        self.low >= self.high
    }

    /// The id of the token that equals the bytes so far; none if there is no such token.
    pub(crate) fn known(&self, vocabulary: &Vocabulary<'_>) -> Option<u32> {
        if let Some(fingerprints) = &vocabulary.fingerprints {
            // The id is the index + 2: see `Vocabulary`.
            return fingerprints.position(self.low).map(|index| index + 2);
        }
        // A token that equals these bytes comes before all others that begin with them.
        let is_whole = vocabulary.tokens.bytes(self.low as usize).len() == self.depth as usize;
        if is_whole && !self.has_no_candidate() { Some(self.low + 2) } else { None }
    }

    /// The id of the token that equals the bytes so far, or [`UNK`].
    pub(crate) fn id(&self, vocabulary: &Vocabulary<'_>) -> u32 {
        self.known(vocabulary).unwrap_or(UNK)
    }
}
