//! The n-grams that the n-gram branch of a classifier counts: runs of words, and of the characters of a word.

use core::ops::RangeInclusive;

use crate::Tokenizer;

/// The lengths of the n-grams that the n-gram branch of a classifier counts: `docs/arithmetic.md`, "N-gram branch".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Ngrams {
    /// The longest n-grams of words, in words: 0 for none, 1 for words, 2 for words and pairs of words.
    pub words: u8,
    /// The shortest n-grams of characters, in characters; 0 for none.
    pub min_chars: u8,
    /// The longest n-grams of characters, in characters; 0 for none.
    pub max_chars: u8,
}

impl Ngrams {
    /// The range of [`words`](Ngrams::words).
    pub const WORDS: RangeInclusive<u8> = 0..=2;
    /// The range of [`min_chars`](Ngrams::min_chars) and [`max_chars`](Ngrams::max_chars), unless both are 0.
    /// `max_chars` must also be at least 2 and at least `min_chars`.
    pub const CHARS: RangeInclusive<u8> = 1..=6;

    /// Checks the lengths, and that they are possible with this tokenizer.
    ///
    /// # Errors
    /// A sentence that names what must change.
    pub fn check(&self, tokenizer: Tokenizer) -> Result<(), &'static str> {
        let Ngrams { words, min_chars, max_chars } = *self;
        let without_chars = min_chars == 0 && max_chars == 0;
        if words > *Self::WORDS.end() {
            return Err("n-grams of words must have 0, 1 or 2 words");
        }
        let valid_chars = min_chars >= 1 && min_chars <= max_chars && max_chars >= 2 && max_chars <= *Self::CHARS.end();
        if !without_chars && !valid_chars {
            return Err("n-grams of characters must have 1 to 6 characters, the longest at least 2");
        }
        if words > 0 && tokenizer.is_one_word() {
            return Err("n-grams of words need a tokenizer of words; with characters or bytes the whole text is one");
        }
        if words == 0 && without_chars { Err("n-grams must have words or characters") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ngrams_that_cannot_be_counted_are_refused() {
        let allowed =
            |words, min_chars, max_chars, tokenizer| Ngrams { words, min_chars, max_chars }.check(tokenizer).is_ok();
        for (ngrams, tokenizer, expected) in [
            ((2, 3, 5), Tokenizer::WORDS, true),
            ((1, 0, 0), Tokenizer::WORDS, true),
            ((0, 1, 6), Tokenizer::CHARS, true),
            ((0, 2, 2), Tokenizer::BYTES, true),
            ((0, 0, 0), Tokenizer::WORDS, false),
            ((3, 0, 0), Tokenizer::WORDS, false),
            ((1, 3, 0), Tokenizer::WORDS, false),
            ((1, 0, 3), Tokenizer::WORDS, false),
            ((1, 4, 3), Tokenizer::WORDS, false),
            ((1, 1, 1), Tokenizer::WORDS, false),
            ((1, 3, 7), Tokenizer::WORDS, false),
            ((1, 3, 5), Tokenizer::CHARS, false),
        ] {
            let (words, min_chars, max_chars) = ngrams;
            assert_eq!(allowed(words, min_chars, max_chars, tokenizer), expected, "{ngrams:?} {}", tokenizer.name());
        }
    }
}
