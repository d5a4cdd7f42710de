//! Tokens to ids.

use crate::error::LoadError;
use crate::state_codec::StateCodec;
use crate::text::texts::Texts;

/// Id of the token that stands for padding. No text has it.
pub const PAD: u32 = 0;
/// Id of every token that is not in the vocabulary.
pub const UNK: u32 = 1;

/// The tokens of a model and their ids, from 2.
#[derive(Clone, Copy, Debug)]
pub struct Vocabulary<'a> {
    /// In the order of their bytes, strictly ascending and none empty: checked at load.
    tokens: Texts<'a>,
    /// Every byte is a token, and there is no other.
    bytes: bool,
}

impl<'a> Vocabulary<'a> {
    /// All 256 bytes; the id of a byte is the byte + 2.
    pub const BYTES: Vocabulary<'static> = Vocabulary { tokens: Texts::EMPTY, bytes: true };

    /// Of a model that reads no tokens.
    pub(crate) const EMPTY: Vocabulary<'static> = Vocabulary { tokens: Texts::EMPTY, bytes: false };

    /// Bytes in the file, with the offsets.
    pub(crate) fn byte_len(&self) -> usize {
        if self.bytes { 0 } else { self.tokens.byte_len() }
    }

    /// Tokens in the order of their bytes: where each begins in `bytes`, and where the last ends.
    ///
    /// # Errors
    /// [`LoadError::Texts`] if they are cut wrongly or are not UTF-8, [`LoadError::VocabularyOrder`] if they are not in order.
    pub fn sorted(offsets: &'a [u32], bytes: &'a [u8]) -> Result<Self, LoadError> {
        let tokens = Texts::new(offsets, bytes).map_err(|index| LoadError::Texts { table: "vocab", index })?;
        Vocabulary::new(tokens).map_err(|index| LoadError::VocabularyOrder { index })
    }

    /// The index of a token that is empty or out of order is the error.
    pub(crate) fn new(tokens: Texts<'a>) -> Result<Self, usize> {
        let mut previous: &[u8] = &[];
        for index in 0..tokens.len() {
            let token = tokens.bytes(index);
            if token <= previous {
                return Err(index);
            }
            previous = token;
        }
        Ok(Vocabulary { tokens, bytes: false })
    }

    /// How many ids there are, PAD and UNK among them.
    pub fn size(&self) -> usize {
        if self.bytes { 258 } else { self.tokens.len() + 2 }
    }

    /// The token of an id; none for PAD, UNK, numbers beyond, and bytes.
    pub fn token(&self, id: u32) -> Option<&'a str> {
        self.tokens.get((id as usize).checked_sub(2)?)
    }
}

/// Looks one token up while its bytes arrive, by narrowing the range of tokens that begin with them. It keeps no byte of the
/// token, so a token may be of any length.
///
/// Cost: two binary searches a byte, over what is left of the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lookup {
    /// Tokens that agree with the bytes so far; empty when none does.
    low: u32,
    high: u32,
    /// Bytes so far, counted while the range is not empty.
    depth: u32,
}

impl Lookup {
    /// A look-up before a token's first byte: of all tokens, however many there are.
    pub(crate) const START: Lookup = Lookup { low: 0, high: u32::MAX, depth: 0 };

    /// Takes the token's next character.
    pub(crate) fn push(&mut self, vocabulary: &Vocabulary<'_>, c: char) {
        self.high = self.high.min(vocabulary.tokens.len() as u32);
        let code = u32::from(c);
        // `char::encode_utf8` is twice this code. How many bytes follow the first one, which says so in its upper bits; six bits each.
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

    fn push_byte(&mut self, tokens: &Texts<'_>, byte: u8) {
        if self.low < self.high {
            self.low = self.partition(tokens, byte.into());
            self.high = self.partition(tokens, u32::from(byte) + 1);
            self.depth += 1;
        }
    }

    /// Where the tokens of the range begin whose next byte is `bound` or above.
    #[inline(never)]
    fn partition(&self, tokens: &Texts<'_>, bound: u32) -> u32 {
        let Lookup { mut low, mut high, depth } = *self;
        while low < high {
            let middle = low + (high - low) / 2;
            // A token that ends here sorts before all that go on.
            if tokens.bytes(middle as usize).get(depth as usize).is_none_or(|&b| u32::from(b) < bound) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The range, and how many bytes its tokens agree in.
    pub(crate) fn visit_state(&mut self, vocabulary: &Vocabulary<'_>, codec: &mut StateCodec<'_>) {
        self.low = codec.count(self.low);
        self.high = codec.count(self.high);
        self.depth = codec.count(self.depth);
        codec.check(self.high as usize <= vocabulary.tokens.len() && self.low <= self.high);
        codec.check(self.is_hopeless() || self.depth as usize <= vocabulary.tokens.bytes(self.low as usize).len());
    }

    /// Whether no token begins with the bytes so far.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.low >= self.high
    }

    /// The id of the token that is the bytes so far, if there is one.
    pub(crate) fn known(&self, vocabulary: &Vocabulary<'_>) -> Option<u32> {
        // Of the tokens that begin with these bytes, the one that is these bytes comes first.
        let whole = vocabulary.tokens.bytes(self.low as usize).len() == self.depth as usize;
        if whole && !self.is_hopeless() { Some(self.low + 2) } else { None }
    }

    /// The id of the token that is the bytes so far, or [`UNK`].
    pub(crate) fn id(&self, vocabulary: &Vocabulary<'_>) -> u32 {
        self.known(vocabulary).unwrap_or(UNK)
    }
}
