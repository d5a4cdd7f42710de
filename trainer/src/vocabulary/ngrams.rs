//! The n-grams of a text as buckets: rows of the n-gram table. `tern_runtime::text` hashes them, as on the device.

use super::Fingerprints;
use std::cell::Cell;
use tern_format::Ngrams as Kinds;
use tern_runtime::text::{NgramHasher, Piece, Splitter, Tokenizer};

/// The n-grams that an n-gram branch counts, and the number of buckets of its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ngrams {
    /// The lengths of the n-grams of words and of characters.
    kinds: Kinds,
    /// The mask that reduces a hash to a bucket: the number of buckets minus 1.
    mask: u32,
    tokenizer: Tokenizer,
    /// The fingerprint of each bucket; `None` if every n-gram counts.
    fingerprints: Option<Fingerprints>,
}

impl Ngrams {
    /// Creates the n-grams of a branch. `kinds`: their lengths, which must pass [`Kinds::check`] for the tokenizer.
    /// `buckets` must be a power of 2.
    pub fn new(kinds: Kinds, buckets: usize, tokenizer: Tokenizer) -> Self {
        debug_assert!(buckets.is_power_of_two());
        Ngrams { kinds, mask: buckets as u32 - 1, tokenizer, fingerprints: None }
    }

    /// Counts only the n-grams that have the fingerprint of their bucket. `fingerprints` must have one for each bucket.
    pub fn with_fingerprints(self, fingerprints: Fingerprints) -> Self {
        debug_assert_eq!(fingerprints.buckets(), self.mask as usize + 1);
        Ngrams { fingerprints: Some(fingerprints), ..self }
    }

    /// Calls `sink` with the hash of each n-gram of a text, whatever its fingerprint is.
    pub(super) fn for_each_hash(&self, text: &str, mut sink: impl FnMut(u32)) {
        self.for_each(text, || {}, &mut sink);
    }

    /// Returns the buckets of a text's n-grams, in the order in which the n-grams end. An n-gram that occurs twice is
    /// listed twice.
    pub fn buckets(&self, text: &str) -> Vec<u32> {
        self.buckets_by_word(text).0
    }

    /// Returns the buckets of a text's n-grams, and for each word the number of n-grams up to the end of that word. For
    /// the tokenizers `chars` and `bytes`, each character or byte counts as a word. The n-grams that end with the text
    /// belong to its last word.
    pub fn buckets_by_word(&self, text: &str) -> (Vec<u32>, Vec<usize>) {
        let (mut buckets, mut ends) = (Vec::new(), Vec::new());
        // The number of n-grams so far, which both closures use.
        let count = Cell::new(0);
        let counts = |hash| self.fingerprints.as_ref().is_none_or(|fingerprints| fingerprints.match_hash(hash));
        let end_word = || ends.push(count.get());
        self.for_each(text, end_word, &mut |hash| {
            if counts(hash) {
                buckets.push(hash & self.mask);
                count.set(buckets.len());
            }
        });
        if let Some(end) = ends.last_mut() {
            *end = buckets.len();
        }
        (buckets, ends)
    }

    /// Calls `sink` with the hash of each n-gram of a text, and `end_word` after each word.
    fn for_each(&self, text: &str, mut end_word: impl FnMut(), sink: &mut impl FnMut(u32)) {
        let mut hasher = NgramHasher::new(self.kinds, self.tokenizer);
        let mut buffer = vec![0; tern_runtime::text::buffer_len(self.tokenizer)];
        let mut splitter = Splitter::new(self.tokenizer, &mut buffer);
        let mut feed = |piece: Piece| {
            hasher.feed(piece, sink);
            if matches!(piece, Piece::End) {
                end_word();
            }
        };
        splitter.feed(text.as_bytes(), &mut feed);
        splitter.finish(&mut feed);
        hasher.finish(sink);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ngrams_are_counted_for_each_word() {
        let kinds = Kinds { words: 2, min_chars: 3, max_chars: 3 };
        let ngrams = Ngrams::new(kinds, 1 << 10, Tokenizer::WORDS);
        let (buckets, ends) = ngrams.buckets_by_word("The cat the");
        // <th, the, he>, the; <ca, cat, at>, cat, the cat; <th, the, he>, the, cat the.
        assert_eq!(ends, [4, 9, 14]);
        assert_eq!(buckets.len(), 14);
        assert_eq!(buckets[..4], buckets[9..13]);
        assert!(buckets.iter().all(|&bucket| bucket < 1 << 10));
        assert_eq!(ngrams.buckets_by_word(" "), (vec![], vec![]));
    }

    #[test]
    fn each_character_is_a_word_of_its_own_for_chars() {
        let kinds = Kinds { words: 0, min_chars: 2, max_chars: 2 };
        let (buckets, ends) = Ngrams::new(kinds, 16, Tokenizer::CHARS).buckets_by_word("abc");
        // <a, ab, bc and c>.
        assert_eq!((buckets.len(), ends), (4, vec![1, 2, 4]));
    }
}
