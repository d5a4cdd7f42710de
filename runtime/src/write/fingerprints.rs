//! Computes the fingerprints of a vocabulary.

use alloc::vec::Vec;

use super::{Dtype, Tensor};
use crate::text::fingerprints::{TOKEN_BUCKETS, bucket_and_fingerprint, hash_char};
use tern_format::names::tensor;

/// The seeds that are tried before the number of buckets is doubled.
const SEEDS: u32 = 256;
/// A bucket has at most this number of tokens on average.
const TOKENS_PER_BUCKET: usize = 16;

/// The fingerprints of the tokens of a vocabulary, and the order in which the device numbers the tokens.
#[derive(Clone, Debug)]
pub struct FingerprintVocabulary {
    /// The index of each token among those given, in the order of the ids 2, 3, … of the device.
    pub order: Vec<usize>,
    /// The tensors of the vocabulary.
    pub tensors: [Tensor; 3],
}

impl FingerprintVocabulary {
    /// Computes the fingerprints of distinct tokens. Tries seeds, and then more buckets, until no two tokens have the
    /// same fingerprint in the same bucket. Returns none if it finds no such seed; up to 30,000 tokens it always has.
    pub fn new(tokens: &[&str]) -> Option<Self> {
        let mut buckets = tokens.len().div_ceil(TOKENS_PER_BUCKET).next_power_of_two();
        while buckets <= TOKEN_BUCKETS {
            if let Some(vocabulary) = (0..SEEDS).find_map(|seed| FingerprintVocabulary::with(tokens, buckets, seed)) {
                return Some(vocabulary);
            }
            buckets *= 2;
        }
        None
    }

    /// The fingerprints with this seed; none if two tokens have the same.
    fn with(tokens: &[&str], buckets: usize, seed: u32) -> Option<Self> {
        let places = tokens.iter().map(|token| {
            let hash = token.chars().fold(0, |hash, c| hash_char(hash, seed, c));
            bucket_and_fingerprint(hash, buckets)
        });
        let mut indexed: Vec<((usize, u16), usize)> = places.zip(0..).collect();
        indexed.sort_unstable();
        if indexed.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return None;
        }
        let fingerprints: Vec<u16> = indexed.iter().map(|&((_, fingerprint), _)| fingerprint).collect();
        let start = |bucket| indexed.partition_point(|((other, _), _)| *other < bucket) as u32;
        let starts: Vec<u32> = (0..=buckets).map(start).collect();
        let tensors = [
            Tensor::new(tensor::VOCAB_SEED, Dtype::I32, &[1], &[seed]),
            Tensor::new(tensor::VOCAB_BUCKETS, Dtype::U32, &[starts.len()], &starts),
            Tensor::new(tensor::VOCAB_FINGERPRINTS, Dtype::U16, &[fingerprints.len()], &fingerprints),
        ];
        Some(FingerprintVocabulary { order: indexed.into_iter().map(|(_, index)| index).collect(), tensors })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::vocabulary::Vocabulary;
    use crate::text::{Encoder, Tokenizer};
    use std::format;
    use std::string::String;

    #[test]
    fn every_token_is_found_and_few_others_are() {
        for count in [0, 1, 2, 17, 3_000, 30_000] {
            let words: Vec<String> = (0..count).map(|i| format!("w{}x", i * 7_919)).collect();
            let tokens: Vec<&str> = words.iter().map(String::as_str).collect();
            let FingerprintVocabulary { order, tensors: [seed, starts, fingerprints] } =
                FingerprintVocabulary::new(&tokens).expect("a seed is found");
            let fingerprints: Vec<u16> =
                fingerprints.data.chunks(2).map(|bytes| u16::from_le_bytes(bytes.try_into().unwrap())).collect();
            let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
            let starts: Vec<u32> = starts.data.chunks(4).map(number).collect();
            let vocabulary = Vocabulary::fingerprinted(number(&seed.data), &starts, &fingerprints).unwrap();
            assert_eq!(vocabulary.size(), count + 2);
            let mut encoder = Encoder::new(Tokenizer::WORDS, &mut []);
            let mut id_of = |word: &str| {
                let mut ids = Vec::new();
                encoder.feed(&vocabulary, word.as_bytes(), &mut |id| ids.push(id));
                encoder.finish(&vocabulary, &mut |id| ids.push(id));
                ids[0]
            };
            for (id, &index) in (2..).zip(&order) {
                assert_eq!(id_of(tokens[index]), id, "{}", tokens[index]);
            }
            // About one of 4,096 unknown words is mistaken for a token.
            let mistaken = (0..10_000).filter(|i| id_of(&format!("unknown{i}")) != 1).count();
            assert!(mistaken <= 10, "{mistaken} of 10,000 unknown words have an id among {count} tokens");
        }
    }
}
