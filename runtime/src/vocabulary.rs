//! Tokens to ids.

use crate::archive::Archive;
use crate::error::LoadError;
use crate::texts::Texts;

/// Id of the token that stands for padding. No text has it.
pub const PAD: u32 = 0;
/// Id of every token that is not in the vocabulary.
pub const UNK: u32 = 1;

/// The tokens of a model and their ids, from 2.
#[derive(Clone, Copy, Debug)]
pub struct Vocabulary<'a> {
    /// In the order of their bytes, strictly ascending and none empty: checked at load. None: every byte is a token.
    tokens: Option<Texts<'a>>,
}

impl<'a> Vocabulary<'a> {
    /// All 256 bytes; the id of a byte is the byte + 2.
    pub const BYTES: Vocabulary<'static> = Vocabulary { tokens: None };

    /// Of a model that reads no tokens.
    pub(crate) const EMPTY: Vocabulary<'static> = Vocabulary { tokens: Some(Texts::EMPTY) };

    /// Bytes in the file, with the offsets.
    pub(crate) fn byte_len(&self) -> usize {
        self.tokens.map_or(0, |tokens| tokens.byte_len())
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
        Ok(Vocabulary { tokens: Some(tokens) })
    }

    /// How many ids there are, PAD and UNK among them.
    pub fn size(&self) -> usize {
        self.tokens.map_or(256, |tokens| tokens.len()) + 2
    }

    /// The token of an id; none for PAD, UNK, numbers beyond, and bytes.
    pub fn token(&self, id: u32) -> Option<&'a str> {
        self.tokens?.get((id as usize).checked_sub(2)?)
    }
}

/// Where the tokens begin whose byte at `depth` is `bound` or above, in `low..high`, which agree up to `depth`.
#[inline(never)]
fn partition(tokens: &Texts<'_>, depth: usize, (mut low, mut high): (u32, u32), bound: u32) -> u32 {
    while low < high {
        let middle = low + (high - low) / 2;
        // A token that ends here sorts before all that go on.
        if tokens.bytes(middle as usize).get(depth).is_none_or(|&b| u32::from(b) < bound) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
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
    /// A look-up before a token's first byte.
    pub(crate) fn new(vocabulary: &Vocabulary<'_>) -> Self {
        Lookup { low: 0, high: vocabulary.size() as u32 - 2, depth: 0 }
    }

    /// Takes the token's next character.
    pub(crate) fn push(&mut self, vocabulary: &Vocabulary<'_>, c: char) {
        let Some(tokens) = &vocabulary.tokens else {
            // The splitter gives a byte as the character of its number.
            (self.low, self.high) = (u32::from(c), u32::from(c) + 1);
            return;
        };
        for &byte in c.encode_utf8(&mut [0; 4]).as_bytes() {
            if self.low < self.high {
                let depth = self.depth as usize;
                self.low = partition(tokens, depth, (self.low, self.high), byte.into());
                self.high = partition(tokens, depth, (self.low, self.high), u32::from(byte) + 1);
                self.depth += 1;
            }
        }
    }

    /// The range, and how many bytes its tokens agree in.
    pub(crate) fn walk(&mut self, vocabulary: &Vocabulary<'_>, archive: &mut Archive<'_>) {
        self.low = archive.count(self.low);
        self.high = archive.count(self.high);
        self.depth = archive.count(self.depth);
        let known = vocabulary.tokens.map_or(0, |tokens| tokens.bytes(self.low as usize).len());
        archive.check(self.high as usize <= vocabulary.size() - 2 && self.low <= self.high);
        archive.check(self.is_hopeless() || self.depth as usize <= known);
    }

    /// Whether no token begins with the bytes so far.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.low >= self.high
    }

    /// The id of the token that is the bytes so far, if there is one.
    pub(crate) fn known(&self, vocabulary: &Vocabulary<'_>) -> Option<u32> {
        // Of the tokens that begin with these bytes, the one that is these bytes comes first.
        let whole = vocabulary.tokens.is_none_or(|tokens| tokens.bytes(self.low as usize).len() == self.depth as usize);
        if whole && !self.is_hopeless() { Some(self.low + 2) } else { None }
    }

    /// The id of the token that is the bytes so far, or [`UNK`].
    pub(crate) fn id(&self, vocabulary: &Vocabulary<'_>) -> u32 {
        self.known(vocabulary).unwrap_or(UNK)
    }
}
