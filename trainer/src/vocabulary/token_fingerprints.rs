//! The vocabulary of a device file that stores fingerprints of its tokens in place of their texts: docs/format.md,
//! "Fingerprints of tokens".

use tern_runtime::text::{Encoder, Tokenizer, buffer_len};
use tern_runtime::{LoadError, Vocabulary};

/// The fingerprints of the tokens from id 2 on.
#[derive(Clone, Debug)]
pub struct TokenFingerprints {
    /// The number that the hash adds to every character.
    seed: u32,
    /// The index of the first fingerprint of each bucket, and the number of all fingerprints.
    starts: Vec<u32>,
    /// The fingerprints, bucket by bucket.
    fingerprints: Vec<u16>,
}

impl TokenFingerprints {
    /// Checks fingerprints. Fails as [`Vocabulary::fingerprinted`] does.
    pub fn new(seed: u32, starts: Vec<u32>, fingerprints: Vec<u16>) -> Result<Self, LoadError> {
        Vocabulary::fingerprinted(seed, &starts, &fingerprints)?;
        Ok(TokenFingerprints { seed, starts, fingerprints })
    }

    /// The number of tokens, without PAD and UNK.
    pub fn len(&self) -> usize {
        self.fingerprints.len()
    }

    /// Returns true if there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.fingerprints.is_empty()
    }

    /// Returns the ids of a text's tokens, as the device finds them.
    pub fn encode(&self, tokenizer: Tokenizer, text: &str) -> Vec<u32> {
        let vocabulary = Vocabulary::fingerprinted(self.seed, &self.starts, &self.fingerprints)
            .expect("`new` has checked the fingerprints");
        let mut buffer = vec![0; buffer_len(tokenizer)];
        let mut encoder = Encoder::new(tokenizer, &mut buffer);
        let mut ids = Vec::new();
        encoder.feed(&vocabulary, text.as_bytes(), &mut |id| ids.push(id));
        encoder.finish(&vocabulary, &mut |id| ids.push(id));
        ids
    }
}
