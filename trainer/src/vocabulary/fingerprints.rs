//! The fingerprints of an n-gram table, by which a bucket belongs to one n-gram, and the choice of that n-gram.

use super::Ngrams;
use crate::data::Example;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rayon::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Arc;

/// The fingerprint of each bucket: the upper 8 bits of the hash of its n-gram. An n-gram with another fingerprint than
/// its bucket is not counted. In `config.json` they are a string in base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprints(Arc<[u8]>);

impl Fingerprints {
    /// The number of buckets.
    pub fn buckets(&self) -> usize {
        self.0.len()
    }

    /// The bytes of the tensor `ngrams.fingerprint`.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns true if an n-gram with this hash is counted.
    pub(super) fn match_hash(&self, hash: u32) -> bool {
        u32::from(self.0[hash as usize % self.0.len()]) == hash >> 24
    }

    /// Chooses the n-gram of each of `buckets` buckets, a power of 2: of those that occur in two or more of the texts,
    /// the one that distinguishes the labels best. A bucket without such an n-gram gets one that occurs in one text,
    /// or the fingerprint 0.
    ///
    /// The measure is G, the log-likelihood ratio of the test of independence: the sum of O · ln(O / E) over the
    /// labels, where O is the number of texts of the label that contain the n-gram, and E the number that would be
    /// expected if the n-gram were independent of the label (Dunning, "Accurate methods for the statistics of surprise
    /// and coincidence", 1993).
    pub fn choose(ngrams: &Ngrams, buckets: usize, examples: &[Example], labels: usize) -> Self {
        let hashes_and_labels = |example: &Example| {
            let mut hashes = Vec::new();
            ngrams.for_each_hash(&example.text, |hash| hashes.push(hash));
            hashes.sort_unstable();
            hashes.dedup();
            hashes.into_iter().map(|hash| (hash, example.label as u32)).collect::<Vec<_>>()
        };
        let mut uses: Vec<(u32, u32)> = examples.par_iter().flat_map_iter(hashes_and_labels).collect();
        uses.par_sort_unstable();
        let mut shares = vec![0.0; labels];
        examples.iter().for_each(|example| shares[example.label] += 1.0 / examples.len() as f64);
        // The best n-gram of each bucket: true if it occurs in several texts, its G, and its hash.
        let mut best: Vec<(bool, f64, u32)> = vec![(false, f64::NEG_INFINITY, 0); buckets];
        for same_hash in uses.chunk_by(|a, b| a.0 == b.0) {
            let (hash, texts) = (same_hash[0].0, same_hash.len() as f64);
            let of_label = |same: &[(u32, u32)]| {
                let observed = same.len() as f64;
                observed * (observed / (texts * shares[same[0].1 as usize])).ln()
            };
            let g: f64 = same_hash.chunk_by(|a, b| a.1 == b.1).map(of_label).sum();
            let bucket = &mut best[hash as usize % buckets];
            let candidate = (same_hash.len() > 1, g, hash);
            // Among equals the lowest hash stays, which comes first.
            if (candidate.0, candidate.1) > (bucket.0, bucket.1) {
                *bucket = candidate;
            }
        }
        Fingerprints(best.into_iter().map(|(_, _, hash)| (hash >> 24) as u8).collect())
    }
}

impl Serialize for Fingerprints {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Fingerprints {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD
            .decode(&text)
            .map_err(|error| serde::de::Error::custom(format!("`fingerprints` is not a string in base64: {error}")))?;
        Ok(Fingerprints(bytes.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tern_format::Ngrams as Kinds;
    use tern_runtime::text::Tokenizer;

    fn example(text: &str, label: usize) -> Example {
        Example { text: text.into(), label }
    }

    #[test]
    fn a_bucket_belongs_to_the_ngram_that_distinguishes_the_labels_best() {
        let kinds = Kinds { words: 1, min_chars: 0, max_chars: 0 };
        let ngrams = Ngrams::new(kinds, 16, Tokenizer::WORDS);
        // "the" is in every text, "good" and "bad" tell the labels apart, and "once" occurs once.
        let texts = ["the good", "the good once", "the bad", "the bad"];
        let examples: Vec<Example> = texts.iter().zip([0, 0, 1, 1]).map(|(text, label)| example(text, label)).collect();
        let fingerprints = Fingerprints::choose(&ngrams, 16, &examples, 2);
        let counted = |text: &str| ngrams.clone().with_fingerprints(fingerprints.clone()).buckets(text);
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
        let texts =
            [("free", 0), ("free", 0), ("free", 1), (rare.as_str(), 1)].map(|(text, label)| example(text, label));
        let with =
            |examples: &[Example]| ngrams.clone().with_fingerprints(Fingerprints::choose(&ngrams, 16, examples, 2));
        assert_eq!((with(&texts).buckets("free").len(), with(&texts).buckets(&rare).len()), (1, 0));
        assert_eq!(with(&texts[3..]).buckets(&rare).len(), 1);
    }

    #[test]
    fn fingerprints_are_base64_in_json() {
        let fingerprints = Fingerprints([0, 1, 255].into());
        let json = serde_json::to_string(&fingerprints).unwrap();
        assert_eq!(json, "\"AAH/\"");
        assert_eq!(serde_json::from_str::<Fingerprints>(&json).unwrap(), fingerprints);
        let error = serde_json::from_str::<Fingerprints>("\"?\"").unwrap_err().to_string();
        assert!(error.contains("not a string in base64"), "{error}");
    }
}
