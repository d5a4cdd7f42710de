//! Computes the hashes of a text's n-grams of words and of characters: docs/arithmetic.md, "N-gram branch".

use core::mem::replace;

use super::hash::add;
use super::{Piece, Tokenizer};
#[cfg(feature = "ngrams")]
use crate::state_codec::StateCodec;
use tern_format::Ngrams;

/// The character before each word, U+0002, which n-grams of characters include.
const BEFORE_WORD: u32 = 2;
/// The initial value of the hash of an n-gram of characters.
const INITIAL_OF_CHARS: u32 = 1;
/// The initial value of the hash of a pair of words. The hash of a single word begins with 0.
const INITIAL_OF_PAIR: u32 = 2;
/// The largest number of characters of an n-gram.
const MAX_CHARS: usize = *Ngrams::CHARS.end() as usize;

/// Turns the pieces of a text, which come from a [`Splitter`](super::Splitter), into the hashes of its n-grams.
///
/// ```
/// use tern_runtime::text::{NgramHasher, Splitter, Tokenizer};
///
/// let ngrams = tern_format::Ngrams { words: 2, min_chars: 0, max_chars: 0 };
/// let mut hasher = NgramHasher::new(ngrams, Tokenizer::WORDS);
/// let mut hashes = Vec::new();
/// let mut splitter = Splitter::new(Tokenizer::WORDS, &mut []);
/// splitter.feed(b"in the hall", &mut |piece| hasher.feed(piece, &mut |hash| hashes.push(hash)));
/// splitter.finish(&mut |piece| hasher.feed(piece, &mut |hash| hashes.push(hash)));
/// hasher.finish(&mut |hash| hashes.push(hash));
/// assert_eq!(hashes.len(), 5); // in, the, "in the", hall, "the hall"
/// ```
#[derive(Clone, Debug)]
pub struct NgramHasher {
    /// The lengths of the n-grams of characters as a bit set: bit `n - 1` stands for `n` characters.
    lengths: u32,
    /// The lengths, in the same bits, for which an n-gram that ends with the next character would begin before
    /// [`BEFORE_WORD`].
    too_long: u32,
    /// The hash of the characters of the current word that have been read.
    word: u32,
    /// The last characters of the current word, and [`BEFORE_WORD`] before its first; the latest character comes first.
    recent: [u32; MAX_CHARS],
    /// The hash of the previous word; 0 before the first word, and for a word whose hash is 0.
    previous: u32,
    ngrams: Ngrams,
    /// True if the whole text is one word.
    is_one_word: bool,
}

impl NgramHasher {
    /// The initial value of `too_long`: all lengths above 2. An n-gram that ends with the first character of a word has
    /// that character, and before it at most [`BEFORE_WORD`].
    const ABOVE_2: u32 = !0b11;

    /// The character after each word, U+0003, which n-grams of characters include.
    pub(crate) const AFTER_WORD: char = '\u{3}';

    /// A hasher at the beginning of a text. `ngrams` must pass [`Ngrams::check`] for the tokenizer.
    pub fn new(ngrams: Ngrams, tokenizer: Tokenizer) -> Self {
        debug_assert!(ngrams.check(tokenizer).is_ok());
        // The bits of lengths up to the longest, without those below the bit of the shortest: the negative of a power
        // of 2 has this bit and all above it. No bits if both lengths are 0.
        let lengths = ((1 << ngrams.max_chars) - 1) & (1u32 << ngrams.min_chars >> 1).wrapping_neg();
        NgramHasher {
            lengths,
            too_long: Self::ABOVE_2,
            word: 0,
            recent: [BEFORE_WORD; MAX_CHARS],
            previous: 0,
            ngrams,
            is_one_word: tokenizer.is_one_word(),
        }
    }

    /// Begins a new text.
    pub fn reset(&mut self) {
        self.begin_word();
        self.previous = 0;
    }

    /// Forgets the current word.
    fn begin_word(&mut self) {
        (self.too_long, self.word) = (Self::ABOVE_2, 0);
        let [latest, ..] = &mut self.recent;
        *latest = BEFORE_WORD;
    }

    /// Reads the next piece of the text and passes the hashes of the n-grams that end with it to `sink`.
    pub fn feed(&mut self, piece: Piece, sink: &mut impl FnMut(u32)) {
        match piece {
            Piece::Char(c) => self.take_char(c, sink),
            Piece::End if self.is_one_word => {}
            Piece::End => self.end_word(sink),
        }
    }

    /// Ends the text. If the whole text is one word, passes the hashes of its last n-grams to `sink`.
    pub fn finish(&mut self, sink: &mut impl FnMut(u32)) {
        if self.ends_with_text() {
            self.end_word(sink);
        }
    }

    /// Ends the current word: passes on the last n-grams of its characters, then those of words.
    fn end_word(&mut self, sink: &mut impl FnMut(u32)) {
        let word = self.word;
        self.take_char(Self::AFTER_WORD, sink);
        self.take_word(word, sink);
    }

    /// Returns true if the end of the text ends a word: if the whole text is one word and not empty.
    pub(crate) fn ends_with_text(&self) -> bool {
        // Each character of a word shifts `too_long`.
        self.is_one_word && self.too_long != Self::ABOVE_2
    }

    /// The hash of the characters of the current word that have been read.
    #[cfg(feature = "ngrams")]
    pub(crate) fn word(&self) -> u32 {
        self.word
    }

    /// Reads a character of a word, or [`AFTER_WORD`](NgramHasher::AFTER_WORD), and passes the hashes of the n-grams of
    /// characters that end with it to `sink`.
    #[inline(always)]
    pub(crate) fn take_char(&mut self, c: char, sink: &mut impl FnMut(u32)) {
        let mut too_long = self.extend_word(c);
        // `code`: the character that is hashed next, and is put in the place of the one before it.
        let (mut hash, mut code, mut lengths) = (INITIAL_OF_CHARS, c.into(), self.lengths);
        // Hashes the characters from the last to the first, and moves each one place back in `recent`. In turn n,
        // counted from 1, the lowest bits of `too_long` and `lengths` are those of the length n.
        for place in &mut self.recent {
            if too_long & 1 != 0 {
                break;
            }
            hash = add(hash, code);
            code = replace(place, code);
            if lengths & 1 != 0 {
                sink(hash);
            }
            (too_long, lengths) = (too_long >> 1, lengths >> 1);
        }
    }

    /// [`take_char`](NgramHasher::take_char) in fewer instructions, for a shortest length of 3 or no n-grams of
    /// characters.
    #[inline(always)]
    #[cfg(feature = "ngrams")]
    pub(crate) fn take_char_from_3(&mut self, c: char, sink: &mut impl FnMut(u32)) {
        let lengths = self.lengths & !self.extend_word(c);
        let [first, second, others @ ..] = &mut self.recent;
        // The character before `c`, then the one before that.
        let before = replace(first, c.into());
        let mut hash = add(add(INITIAL_OF_CHARS, c.into()), before);
        let mut code = replace(second, before);
        for (place, length) in others.iter_mut().zip(3..) {
            // This length is too long or above the longest, and so are all greater ones.
            if lengths & 1 << (length - 1) == 0 {
                break;
            }
            hash = add(hash, code);
            code = replace(place, code);
            sink(hash);
        }
    }

    /// Adds a character to the hash of the word. Returns the lengths for which an n-gram that ends with this character
    /// would begin before [`BEFORE_WORD`], as a bit set like `too_long`.
    #[inline(always)]
    fn extend_word(&mut self, c: char) -> u32 {
        let (too_long, word) = (self.too_long, self.word);
        (self.too_long, self.word) = (too_long << 1, add(word, c.into()));
        too_long
    }

    /// Ends a word after its last n-grams of characters, and passes the hashes of the n-grams of words to `sink`.
    /// `word`: the hash of the word.
    #[inline(always)]
    pub(crate) fn take_word(&mut self, word: u32, sink: &mut impl FnMut(u32)) {
        if self.ngrams.words > 0 {
            sink(word);
        }
        // A pair needs a previous word.
        if self.ngrams.words > 1 && self.previous != 0 {
            sink(add(add(INITIAL_OF_PAIR, self.previous), word));
        }
        self.previous = word;
        self.begin_word();
    }

    /// The largest size of the hasher's part of a saved state, in bytes.
    #[cfg(feature = "ngrams")]
    pub(crate) fn state_len(ngrams: Ngrams) -> usize {
        // `word`, `previous`, the number of characters in `recent`, and these characters.
        4 + 4 + 1 + 4 * usize::from(ngrams.max_chars)
    }

    /// Passes the current word, the previous word and the last characters through the codec.
    #[cfg(feature = "ngrams")]
    pub(crate) fn visit_state(&mut self, codec: &mut StateCodec<'_>) {
        self.word = codec.unsigned(self.word);
        self.previous = codec.unsigned(self.previous);
        // `count` characters are in `recent`, so the next one can end n-grams of up to `count + 1` characters, which is
        // the number of zeros at the lower end of `too_long`.
        let max = self.ngrams.max_chars;
        let count = codec.byte((self.too_long.trailing_zeros() as u8).saturating_sub(1).min(max));
        codec.check(count <= max);
        self.too_long = Self::ABOVE_2.unbounded_shl(u32::from(count).saturating_sub(1));
        for c in self.recent.iter_mut().take(count.into()) {
            *c = codec.unsigned(*c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Splitter, buffer_len};
    use proptest::prelude::*;
    use std::{vec, vec::Vec};

    /// The hashes of a text whose bytes arrive in two chunks.
    fn hashes(ngrams: Ngrams, tokenizer: Tokenizer, text: &str, cut: usize) -> Vec<u32> {
        let mut hasher = NgramHasher::new(ngrams, tokenizer);
        let mut buffer = vec![0; buffer_len(tokenizer)];
        let mut splitter = Splitter::new(tokenizer, &mut buffer);
        let mut found = vec![];
        let mut sink = |piece| hasher.feed(piece, &mut |hash| found.push(hash));
        let (head, tail) = text.as_bytes().split_at(cut.min(text.len()));
        splitter.feed(head, &mut sink);
        splitter.feed(tail, &mut sink);
        splitter.finish(&mut sink);
        hasher.finish(&mut |hash| found.push(hash));
        found
    }

    /// The definition of docs/arithmetic.md, on whole words.
    fn defined(ngrams: Ngrams, words: &[Vec<u32>]) -> Vec<u32> {
        let hash = |start: u32, numbers: &[u32]| numbers.iter().fold(start, |hash, &number| add(hash, number));
        let mut all = vec![];
        let mut previous = 0;
        for word in words {
            let framed: Vec<u32> = [&[BEFORE_WORD][..], word, &[NgramHasher::AFTER_WORD.into()]].concat();
            for end in 2..=framed.len() {
                for length in usize::from(ngrams.min_chars)..=end.min(ngrams.max_chars.into()) {
                    if length > 0 {
                        let reversed: Vec<u32> = framed[end - length..end].iter().rev().copied().collect();
                        all.push(hash(INITIAL_OF_CHARS, &reversed));
                    }
                }
            }
            let word = hash(0, word);
            if ngrams.words > 0 {
                all.push(word);
            }
            if ngrams.words > 1 && previous != 0 {
                all.push(hash(INITIAL_OF_PAIR, &[previous, word]));
            }
            previous = word;
        }
        all
    }

    proptest! {
        #[test]
        fn hashes_are_those_of_the_definition(
            text in "[a-cé ]{0,12}",
            words in 0u8..=2,
            (min_chars, max_chars) in (1u8..=6, 2u8..=6),
            cut in 0usize..12,
        ) {
            let (min_chars, max_chars) = if min_chars > max_chars { (0, 0) } else { (min_chars, max_chars) };
            for tokenizer in [Tokenizer::WORDS, Tokenizer::CHARS] {
                let ngrams = Ngrams { words, min_chars, max_chars };
                if ngrams.check(tokenizer).is_err() {
                    continue;
                }
                let codes = |word: &str| word.chars().map(u32::from).collect::<Vec<_>>();
                let split: Vec<Vec<u32>> = match tokenizer {
                    Tokenizer::CHARS if text.is_empty() => vec![],
                    Tokenizer::CHARS => vec![codes(&text)],
                    _ => text.split(' ').filter(|word| !word.is_empty()).map(codes).collect(),
                };
                prop_assert_eq!(hashes(ngrams, tokenizer, &text, cut), defined(ngrams, &split));
            }
        }
    }

    #[test]
    fn hash_of_a_word_is_the_loop_of_jenkins_one_at_a_time() {
        let ngrams = Ngrams { words: 1, min_chars: 0, max_chars: 0 };
        let word = "hashed";
        let found = hashes(ngrams, Tokenizer::WORDS, word, 3);
        // The published hash ends with three more operations.
        let finished = |hash: u32| {
            let hash = hash.wrapping_add(hash << 3);
            let hash = hash ^ hash >> 11;
            hash.wrapping_add(hash << 15)
        };
        assert_eq!(found, [word.bytes().fold(0, |hash, byte| add(hash, byte.into()))]);
        let sentence = b"The quick brown fox jumps over the lazy dog";
        assert_eq!(finished(sentence.iter().fold(0, |hash, &byte| add(hash, byte.into()))), 0x519e_91f5);
    }
}
