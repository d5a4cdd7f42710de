//! Turns texts into sparse rows for the linear baseline: a column for each n-gram of the training texts, with the
//! tf-idf of the n-gram as its value.
//!
//! The value grows with tf, the number of occurrences in the text, and with idf, the inverse document frequency, which
//! is larger for an n-gram that few texts contain. An n-gram is represented by its hash only.

use crate::data::Example;
use crate::vocabulary;
use rayon::prelude::*;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};
use tern_runtime::text::{Tokenizer, TokenizerKind};

/// The mean number of words below which texts are treated as names or codes, whose characters are better features than
/// their words.
const FEW_WORDS: f64 = 2.5;

/// The number of training texts from which on the n-grams that occur in only one training text are left out.
const MANY_TEXTS: usize = 20_000;

/// The number of texts whose n-grams are collected in parallel at a time.
const CHUNK: usize = 16_384;

/// The units of which n-grams are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Units {
    /// Tokens of this tokenizer; an n-gram has one or two.
    Tokens(Tokenizer),
    /// Lower-case characters; an n-gram has one to four. The beginning and the end of the text count as characters.
    Characters,
}

impl Units {
    /// Chooses the tokens of the model's `tokenizer`, or characters if its tokens are characters or bytes, or if the
    /// texts have few words.
    pub fn of(tokenizer: Tokenizer, examples: &[&Example]) -> Self {
        let words: usize = examples.par_iter().map(|example| example.text.split_whitespace().count()).sum();
        let has_few_words = (words as f64) < FEW_WORDS * examples.len() as f64;
        let has_small_tokens = matches!(tokenizer.kind, TokenizerKind::Chars | TokenizerKind::Bytes);
        if has_few_words || has_small_tokens {
            Units::Characters
        } else {
            // `for_each_token` yields whole words for WordPiece.
            Units::Tokens(tokenizer)
        }
    }

    /// Calls `sink` with the hash of each n-gram of `text`; an n-gram that occurs twice has two calls.
    ///
    /// Hashes have 64 bits: the probability that any two of a million n-grams have the same hash is 3e-8.
    fn for_each(self, text: &str, mut sink: impl FnMut(u64)) {
        let longest = if self == Units::Characters { 4 } else { 2 };
        // The hashes of the four units that were read last, the latest first.
        let mut latest_units: [u64; 4] = [0; 4];
        let mut units_read = 0;
        self.for_each_unit(text, |unit| {
            latest_units.rotate_right(1);
            latest_units[0] = unit;
            units_read += 1;
            // The n-grams that end with this unit, the shortest first: each is one unit longer at its beginning.
            let mut hash = 0;
            let units_from_latest = latest_units.iter().take(longest.min(units_read));
            for (length, unit) in (1..).zip(units_from_latest) {
                // The length makes the hash of an n-gram differ even if the units XOR to the same number.
                hash = mix(hash ^ unit).wrapping_add(length);
                sink(hash);
            }
        });
    }

    /// Calls `sink` with the hash of each unit of `text`, in their order.
    fn for_each_unit(self, text: &str, mut sink: impl FnMut(u64)) {
        match self {
            Units::Characters => {
                // The control characters 2 and 3 stand for the beginning and the end of the text.
                let inner = text.trim().chars().flat_map(char::to_lowercase);
                // 1 is added because `mix` maps 0 to 0.
                for c in ['\u{2}'].into_iter().chain(inner).chain(['\u{3}']) {
                    sink(mix(u64::from(c) + 1));
                }
            }
            Units::Tokens(tokenizer) => vocabulary::for_each_token(tokenizer, text, |token| {
                let mut hasher = DefaultHasher::new();
                token.hash(&mut hasher);
                sink(hasher.finish());
            }),
        }
    }
}

/// The finaliser of MurmurHash3: every bit of the result depends on every bit of `x`.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    x = (x ^ (x >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

/// A hasher for keys that are hashes already.
#[derive(Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("the keys are u64")
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// The columns of a row whose values are not zero, in ascending order, each with its value.
pub type SparseRow = Vec<(u32, f32)>;

/// The n-grams of the training texts, with their columns and weights.
#[derive(Debug)]
pub struct Features {
    units: Units,
    /// The column and the inverse document frequency of each n-gram, by its hash.
    known: HashMap<u64, (u32, f32), BuildHasherDefault<Identity>>,
}

impl Features {
    /// Collects the n-grams of `examples` and computes their inverse document frequencies.
    pub fn new(examples: &[&Example], units: Units) -> Self {
        // The hashes of the distinct n-grams of an example.
        let distinct_ngrams = |example: &&Example| {
            let mut ngrams = Vec::new();
            units.for_each(&example.text, |hash| ngrams.push(hash));
            ngrams.sort_unstable();
            ngrams.dedup();
            ngrams
        };
        // An entry for each n-gram and each text that contains it. Most n-grams are in one text only, so this list
        // takes less memory than a map of counts.
        let mut hashes: Vec<u64> = Vec::new();
        for chunk in examples.chunks(CHUNK) {
            let hashes_of_texts: Vec<Vec<u64>> = chunk.par_iter().map(distinct_ngrams).collect();
            for hashes_of_text in hashes_of_texts {
                hashes.extend(hashes_of_text);
            }
        }
        hashes.par_sort_unstable();
        let fewest_texts = if examples.len() < MANY_TEXTS { 1 } else { 2 };
        let all_texts = examples.len() as f64;
        // Smoothed as in scikit-learn: as if one additional text contained every n-gram.
        let idf = |texts: usize| (((1.0 + all_texts) / (1.0 + texts as f64)).ln() + 1.0) as f32;
        let mut known = HashMap::default();
        // A group has the entries of one n-gram, one for each text that contains it.
        for group in hashes.chunk_by(|a, b| a == b) {
            if group.len() >= fewest_texts {
                let column = known.len() as u32;
                known.insert(group[0], (column, idf(group.len())));
            }
        }
        Features { units, known }
    }

    /// Returns the number of n-grams, which is the number of columns.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Returns the row of each example: the values (1 + ln tf) · idf, scaled to a Euclidean norm of 1. N-grams that
    /// have no column are left out; a text without any other n-gram has an empty row.
    pub fn rows(&self, examples: &[&Example]) -> Vec<SparseRow> {
        examples.par_iter().map(|example| self.row(&example.text)).collect()
    }

    /// Returns the row of a text, as [`rows`](Self::rows) does.
    fn row(&self, text: &str) -> SparseRow {
        let mut columns_and_idfs: Vec<(u32, f32)> = Vec::new();
        self.units.for_each(text, |hash| columns_and_idfs.extend(self.known.get(&hash)));
        columns_and_idfs.sort_unstable_by_key(|(column, _)| *column);
        // A group has an entry for each occurrence of an n-gram in the text, all with the same idf.
        let groups = || columns_and_idfs.chunk_by(|a, b| a.0 == b.0);
        // All rows are in memory at once, so none has unused capacity.
        let mut row = SparseRow::with_capacity(groups().count());
        for group in groups() {
            let (column, idf) = group[0];
            let tf = group.len() as f32;
            row.push((column, (1.0 + tf.ln()) * idf));
        }
        let norm = row.iter().map(|(_, value)| value * value).sum::<f32>().sqrt();
        for (_, value) in &mut row {
            *value /= norm;
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grams(units: Units, text: &str) -> Vec<u64> {
        let mut grams = Vec::new();
        units.for_each(text, |hash| grams.push(hash));
        grams
    }

    fn example(text: &str) -> Example {
        Example { text: text.into(), label: 0 }
    }

    #[test]
    fn tokens_and_pairs_of_tokens() {
        let grams = |text| grams(Units::Tokens(Tokenizer::WORDS), text);
        // free, prize, (prize after free), "!!", ("!!" after prize)
        assert_eq!(grams("Free prize!!").len(), 5);
        assert_eq!(grams("FREE  prize !!"), grams("free prize!!"));
        assert_ne!(grams("prize free"), grams("free prize"));
        assert_eq!(grams("a b")[2], grams("a b c")[2]);
        assert_eq!((grams(" \t"), grams("")), (vec![], vec![]));
    }

    #[test]
    fn characters_and_ends() {
        // ^ a ^a b ab ^ab $ b$ ab$ ^ab$
        assert_eq!(grams(Units::Characters, " aB\n").len(), 10);
    }

    #[test]
    fn units_follow_the_tokenizer_and_the_length_of_the_texts() {
        let names = [example("Ivanov"), example("O Brien")];
        let texts = [example("see you there")];
        let (names, texts): (Vec<_>, Vec<_>) = (names.iter().collect(), texts.iter().collect());
        let tokenizer = |name| Tokenizer::from_name(name).unwrap();
        assert_eq!(Units::of(Tokenizer::WORDS, &names), Units::Characters);
        assert_eq!(Units::of(Tokenizer::WORDS, &texts), Units::Tokens(Tokenizer::WORDS));
        assert_eq!(Units::of(tokenizer("whitespace_cased"), &texts), Units::Tokens(tokenizer("whitespace_cased")));
        assert_eq!(Units::of(tokenizer("chars"), &texts), Units::Characters);
    }

    #[test]
    fn rows_are_tf_idf_of_length_1() {
        let [train, other, valid, unseen] = ["a a b", "b", "b b a", "unseen"].map(example);
        let features = Features::new(&[&train, &other], Units::Tokens(Tokenizer::WORDS));
        assert_eq!(features.len(), 4, "a, b, a a, a b");
        let rows = features.rows(&[&valid, &unseen]);
        let idf = |count: f32| ((1.0 + 2.0) / (1.0 + count)).ln() + 1.0;
        let (a, b) = (idf(1.0), (1.0 + 2f32.ln()) * idf(2.0));
        let mut expected = [a, b].map(|value| value / a.hypot(b));
        expected.sort_by(f32::total_cmp);
        let mut found: Vec<f32> = rows[0].iter().map(|(_, value)| *value).collect();
        found.sort_by(f32::total_cmp);
        assert_eq!(found.len(), 2);
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} {expected:?}");
        assert!(rows[1].is_empty());
    }
}
