//! Tokens to ids.

use crate::error::LoadError;
use crate::texts::Texts;

/// Id of the token that stands for padding. No text has it.
pub const PAD: u32 = 0;
/// Id of every token that is not in the vocabulary.
pub const UNK: u32 = 1;

/// The tokens of a model, in the order of their bytes. The first has id 2.
#[derive(Clone, Copy, Debug)]
pub struct Vocabulary<'a> {
    /// Strictly ascending and none empty: checked at load.
    tokens: Texts<'a>,
}

impl<'a> Vocabulary<'a> {
    pub(crate) fn new(tokens: Texts<'a>) -> Result<Self, LoadError> {
        let mut previous: &[u8] = &[];
        for index in 0..tokens.len() {
            let token = tokens.bytes(index);
            if token <= previous {
                return Err(LoadError::VocabularyOrder { index });
            }
            previous = token;
        }
        Ok(Vocabulary { tokens })
    }

    /// How many ids there are, PAD and UNK among them.
    pub fn size(&self) -> usize {
        self.tokens.len() + 2
    }

    /// The token of an id; none for PAD, UNK and numbers beyond.
    pub fn token(&self, id: u32) -> Option<&'a str> {
        self.tokens.get((id as usize).checked_sub(2)?)
    }

    /// Where the tokens whose byte at `depth` is not below `bound` begin, in `low..high`, which agree up to `depth`.
    fn partition(&self, depth: usize, (mut low, mut high): (u32, u32), below: impl Fn(u8) -> bool) -> u32 {
        while low < high {
            let middle = low + (high - low) / 2;
            // A token that ends here sorts before all that go on.
            if self.tokens.bytes(middle as usize).get(depth).is_none_or(|&b| below(b)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// Looks one token up while its bytes arrive, by narrowing the range of tokens that begin with them. It keeps no byte of the
/// token, so a token may be of any length.
///
/// Cost: two binary searches a byte, over what is left of the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// Tokens that agree with the bytes so far; empty when none does.
    low: u32,
    high: u32,
    /// Bytes so far, counted while the range is not empty.
    depth: u32,
}

impl Lookup {
    /// A look-up before a token's first byte.
    pub fn new(vocabulary: &Vocabulary<'_>) -> Self {
        Lookup { low: 0, high: vocabulary.tokens.len() as u32, depth: 0 }
    }

    /// Takes the token's next character.
    pub fn push(&mut self, vocabulary: &Vocabulary<'_>, c: char) {
        for &byte in c.encode_utf8(&mut [0; 4]).as_bytes() {
            if self.low < self.high {
                let depth = self.depth as usize;
                self.low = vocabulary.partition(depth, (self.low, self.high), |b| b < byte);
                self.high = vocabulary.partition(depth, (self.low, self.high), |b| b == byte);
                self.depth += 1;
            }
        }
    }

    /// Ends the token: its id, or [`UNK`]. The look-up is then before the next one.
    pub fn finish(&mut self, vocabulary: &Vocabulary<'_>) -> u32 {
        // Of the tokens that begin with these bytes, the one that is these bytes comes first.
        let first = vocabulary.tokens.bytes(self.low as usize);
        let known = self.low < self.high && first.len() == self.depth as usize;
        let id = if known { self.low + 2 } else { UNK };
        *self = Lookup::new(vocabulary);
        id
    }
}
