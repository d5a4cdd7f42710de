//! N-grams of words and of characters, as hashes: docs/arithmetic.md, "N-gram branch".

use super::{Piece, Tokenizer};
#[cfg(feature = "ngrams")]
use crate::state_codec::StateCodec;
use tern_format::Ngrams;

/// The characters before and after a word.
const BEFORE_WORD: u32 = 2;
const AFTER_WORD: u32 = 3;
/// The initial hashes of n-grams of characters and of two words; that of a word is 0.
const OF_CHARS: u32 = 1;
const OF_PAIR: u32 = 2;
/// The most characters of an n-gram.
const MAX_CHARS: usize = *Ngrams::CHARS.end() as usize;

/// Turns the pieces of a text, from a [`Splitter`](super::Splitter), into the hashes of its n-grams.
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
    ngrams: Ngrams,
    /// True if the whole text is one word.
    is_one_word: bool,
    /// The hash of the current word so far.
    word: u32,
    /// The hash of the previous word; 0 before the first.
    previous: u32,
    /// The last characters of the current word, the last one first.
    recent: [u32; MAX_CHARS],
    /// The number of characters in `recent`; 0 between two words.
    count: u8,
}

impl NgramHasher {
    /// The most n-grams that end with the same character: of characters, a word, and a pair.
    #[cfg(feature = "ngrams")]
    pub(crate) const MOST_HASHES: u32 = MAX_CHARS as u32 + 2;

    /// A hasher at the beginning of a text. `ngrams` must pass [`Ngrams::check`] for the tokenizer.
    pub fn new(ngrams: Ngrams, tokenizer: Tokenizer) -> Self {
        debug_assert!(ngrams.check(tokenizer).is_ok());
        let is_one_word = tokenizer.is_one_word();
        NgramHasher { ngrams, is_one_word, word: 0, previous: 0, recent: [0; MAX_CHARS], count: 0 }
    }

    /// Begins a new text.
    pub fn reset(&mut self) {
        (self.word, self.previous, self.count) = (0, 0, 0);
    }

    /// Reads the next piece of the text and passes the hashes of the n-grams that end with it to `sink`.
    pub fn feed(&mut self, piece: Piece, sink: &mut impl FnMut(u32)) {
        self.take(Some(piece), sink);
    }

    /// Ends the text.
    pub fn finish(&mut self, sink: &mut impl FnMut(u32)) {
        self.take(None, sink);
    }

    /// Reads a piece, or the end of the text.
    #[inline(always)]
    pub(crate) fn take(&mut self, piece: Option<Piece>, sink: &mut impl FnMut(u32)) {
        let Ngrams { words, min_chars, max_chars } = self.ngrams;
        let (c, is_end) = match piece {
            Some(Piece::Char(c)) => (u32::from(c), false),
            // The end of a token does not end the only word; the end of the text ends no other word.
            end if end.is_some() == self.is_one_word => return,
            _ => (AFTER_WORD, true),
        };
        if max_chars > 0 {
            if self.count == 0 {
                if is_end {
                    return; // A text without characters.
                }
                self.push(BEFORE_WORD);
            }
            self.push(c);
            let mut last = self.recent.iter().take(self.count.into());
            // Those that are shorter than the shortest n-gram.
            let mut hash = last.by_ref().take(usize::from(min_chars) - 1).fold(OF_CHARS, |hash, &c| add(hash, c));
            for &c in last {
                hash = add(hash, c);
                sink(hash);
            }
        }
        if !is_end {
            self.word = add(self.word, c);
            return;
        }
        // The hashes of the word and of the pair; a pair needs a previous word.
        let hashes = [self.word, add(add(OF_PAIR, self.previous), self.word)];
        let count = if self.previous == 0 { words.min(1) } else { words };
        for &hash in hashes.iter().take(count.into()) {
            sink(hash);
        }
        (self.previous, self.word, self.count) = (self.word, 0, 0);
    }

    #[inline(always)]
    fn push(&mut self, c: u32) {
        let [a, b, d, e, f, _] = self.recent;
        self.recent = [c, a, b, d, e, f];
        self.count += u8::from(self.count < self.ngrams.max_chars);
    }

    /// The largest size of its part of a saved state, in bytes.
    #[cfg(feature = "ngrams")]
    pub(crate) fn state_len(ngrams: Ngrams) -> usize {
        4 + 4 + 1 + 4 * usize::from(ngrams.max_chars)
    }

    /// Passes the current word, the previous word and the last characters through the codec.
    #[cfg(feature = "ngrams")]
    pub(crate) fn visit_state(&mut self, codec: &mut StateCodec<'_>) {
        self.word = codec.count(self.word);
        self.previous = codec.count(self.previous);
        self.count = codec.byte(self.count);
        codec.check(self.count <= self.ngrams.max_chars);
        for c in self.recent.iter_mut().take(self.count.into()) {
            *c = codec.count(*c);
        }
    }
}

/// Adds a number to a hash: the loop of R. Jenkins' one-at-a-time.
#[inline(always)]
fn add(hash: u32, number: u32) -> u32 {
    let hash = hash.wrapping_add(number);
    let hash = hash.wrapping_add(hash << 10);
    hash ^ hash >> 6
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
            let framed: Vec<u32> = [&[BEFORE_WORD][..], word, &[AFTER_WORD]].concat();
            for end in 2..=framed.len() {
                for length in usize::from(ngrams.min_chars)..=end.min(ngrams.max_chars.into()) {
                    if length > 0 {
                        let reversed: Vec<u32> = framed[end - length..end].iter().rev().copied().collect();
                        all.push(hash(OF_CHARS, &reversed));
                    }
                }
            }
            let word = hash(0, word);
            if ngrams.words > 0 {
                all.push(word);
            }
            if ngrams.words > 1 && previous != 0 {
                all.push(hash(OF_PAIR, &[previous, word]));
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
