//! The n-grams of a text as buckets, rows of the table of a classifier's n-gram branch. `tern_runtime::text` hashes
//! them, as on the device.

use super::Fingerprints;
use rayon::prelude::*;
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
    /// Creates the n-grams of a branch, without fingerprints. `kinds`: their lengths, which must pass [`Kinds::check`]
    /// for the tokenizer. `buckets`: the number of buckets, a power of 2.
    pub fn new(kinds: Kinds, buckets: usize, tokenizer: Tokenizer) -> Self {
        debug_assert!(buckets.is_power_of_two());
        Ngrams { kinds, mask: buckets as u32 - 1, tokenizer, fingerprints: None }
    }

    /// Counts only the n-grams that have the fingerprint of their bucket; all n-grams if `fingerprints` is `None`.
    /// `fingerprints` must have one for each bucket.
    pub fn with_fingerprints(self, fingerprints: Option<Fingerprints>) -> Self {
        debug_assert!(fingerprints.as_ref().is_none_or(|found| found.buckets() == self.mask as usize + 1));
        Ngrams { fingerprints, ..self }
    }

    /// Chooses the n-gram of each bucket that counts, by the training texts with their labels: `Fingerprints::choose`.
    /// `labels`: the number of labels.
    pub fn choose_fingerprints(&self, texts: &[(&str, usize)], labels: usize) -> Fingerprints {
        let hashes_and_label = |&(text, label): &(&str, usize)| {
            let mut hashes = Vec::new();
            self.for_each(text, || {}, &mut |hash| hashes.push(hash));
            hashes.sort_unstable();
            hashes.dedup();
            hashes.into_iter().map(move |hash| (hash, label))
        };
        let uses = texts.par_iter().flat_map_iter(hashes_and_label).collect();
        let mut texts_of_label = vec![0; labels];
        for &(_, label) in texts {
            texts_of_label[label] += 1;
        }
        Fingerprints::choose(self.mask as usize + 1, uses, &texts_of_label)
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
        let is_counted = |hash| self.fingerprints.as_ref().is_none_or(|fingerprints| fingerprints.match_hash(hash));
        let end_word = || ends.push(count.get());
        self.for_each(text, end_word, &mut |hash| {
            if is_counted(hash) {
                buckets.push(hash & self.mask);
                count.set(buckets.len());
            }
        });
        // The last word has the n-grams that end with the text, too.
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
        // `<` and `>` are word ends: <th, the, he>, the; <ca, cat, at>, cat, the cat; <th, the, he>, the, cat the.
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

    #[test]
    fn a_bucket_belongs_to_the_ngram_that_distinguishes_the_labels_best() {
        let kinds = Kinds { words: 1, min_chars: 0, max_chars: 0 };
        let ngrams = Ngrams::new(kinds, 16, Tokenizer::WORDS);
        // "the" is in every text, "good" and "bad" tell the labels apart, and "once" occurs once.
        let texts = ["the good", "the good once", "the bad", "the bad"];
        let texts: Vec<(&str, usize)> = texts.into_iter().zip([0, 0, 1, 1]).collect();
        let fingerprints = ngrams.choose_fingerprints(&texts, 2);
        let counted = |text: &str| ngrams.clone().with_fingerprints(Some(fingerprints.clone())).buckets(text);
        for word in ["good", "bad"] {
            assert_eq!(counted(word), ngrams.buckets(word), "{word}");
        }
        // Words that were not in the texts are left out, but for one of 256.
        let others: usize = (0..512).map(|number| counted(&format!("word{number}")).len()).sum();
        assert!(others < 20, "{others} of 512 other words are counted");
    }

    #[test]
    fn an_ngram_of_several_texts_comes_before_that_of_one_text() {
        let kinds = Kinds { words: 1, min_chars: 0, max_chars: 0 };
        let ngrams = Ngrams::new(kinds, 16, Tokenizer::WORDS);
        let bucket = |word: &str| ngrams.buckets(word)[0];
        // Another word of the bucket of "free", which occurs in one text of the rare label, so that its G is larger.
        let rare = (0..).map(|number| format!("w{number}")).find(|word| bucket(word) == bucket("free")).unwrap();
        let texts = [("free", 0), ("free", 0), ("free", 1), (rare.as_str(), 1)];
        let with =
            |texts: &[(&str, usize)]| ngrams.clone().with_fingerprints(Some(ngrams.choose_fingerprints(texts, 2)));
        assert_eq!((with(&texts).buckets("free").len(), with(&texts).buckets(&rare).len()), (1, 0));
        assert_eq!(with(&texts[3..]).buckets(&rare).len(), 1);
    }
}
