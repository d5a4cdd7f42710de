//! The fingerprints of an n-gram table, and the choice of the n-grams that it counts.
//!
//! The hash of an n-gram selects its bucket, a row of the table, so several n-grams share a bucket. A fingerprint of
//! each bucket makes only one of them count.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rayon::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Arc;

/// The fingerprint of each bucket: the upper 8 bits of the hash of the n-gram to which the bucket belongs. An n-gram
/// whose hash has other upper bits is not counted. In `config.json` the fingerprints are a string in base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprints(Arc<[u8]>);

impl Fingerprints {
    /// Returns the number of buckets.
    pub fn buckets(&self) -> usize {
        self.0.len()
    }

    /// Returns the bytes of the tensor `ngrams.fingerprint`, one for each bucket.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns true if an n-gram with this hash is counted.
    pub(super) fn match_hash(&self, hash: u32) -> bool {
        u32::from(self.0[hash as usize % self.0.len()]) == hash >> 24
    }

    /// Chooses the n-gram of each of `buckets` buckets, a power of 2: of those that occur in two or more of the texts,
    /// the one that distinguishes the labels best. A bucket without such an n-gram gets one that occurs in one text,
    /// and a bucket without any n-gram gets the fingerprint 0. `uses`: the hash of each different n-gram of each text,
    /// with the label of the text. `texts_of_label`: the number of texts with each label.
    ///
    /// The measure is G, the log-likelihood ratio of the test of independence: the sum of O · ln(O / E) over the
    /// labels, where O is the number of texts of the label that contain the n-gram, and E the number that would be
    /// expected if the n-gram were independent of the label (Dunning, "Accurate methods for the statistics of surprise
    /// and coincidence", 1993).
    pub(super) fn choose(buckets: usize, mut uses: Vec<(u32, usize)>, texts_of_label: &[usize]) -> Self {
        // By hash, and by label among equal hashes.
        uses.par_sort_unstable();
        let texts: usize = texts_of_label.iter().sum();
        let share = |label: usize| texts_of_label[label] as f64 / texts.max(1) as f64;
        // The best n-gram of each bucket: its rank (true if it occurs in several texts, and its G) and its hash.
        let mut best: Vec<((bool, f64), u32)> = vec![((false, f64::NEG_INFINITY), 0); buckets];
        for uses_of_ngram in uses.chunk_by(|a, b| a.0 == b.0) {
            let (hash, texts_with_ngram) = (uses_of_ngram[0].0, uses_of_ngram.len() as f64);
            let term_of_label = |uses_with_label: &[(u32, usize)]| {
                let observed = uses_with_label.len() as f64;
                let expected = texts_with_ngram * share(uses_with_label[0].1);
                observed * (observed / expected).ln()
            };
            let g: f64 = uses_of_ngram.chunk_by(|a, b| a.1 == b.1).map(term_of_label).sum();
            let rank = (uses_of_ngram.len() > 1, g);
            let (best_rank, best_hash) = &mut best[hash as usize % buckets];
            // Among equals the lowest hash stays, which comes first.
            if rank > *best_rank {
                (*best_rank, *best_hash) = (rank, hash);
            }
        }
        Fingerprints(best.into_iter().map(|(_, hash)| (hash >> 24) as u8).collect())
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
