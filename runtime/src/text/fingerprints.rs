//! A vocabulary that stores a fingerprint of each token in place of its text: docs/format.md, "Fingerprints of tokens".
//!
//! The hash of a token selects one of the buckets, and 16 other bits of it are the token's fingerprint. A token of a
//! text has the id of the fingerprint that equals its own. No two tokens of the vocabulary have the same bucket and the
//! same fingerprint. A word that is not in the vocabulary may have those of one: with 16 tokens in each bucket, one of
//! 4,096 unknown words has.

use super::hash::{add, finish};
#[cfg(feature = "token_fingerprints")]
use super::texts::check_offsets;

/// The largest number of buckets.
#[cfg(feature = "token_fingerprints")]
pub(crate) const TOKEN_BUCKETS: usize = 1 << 16;

/// The fingerprints of all tokens but PAD and UNK, borrowed from a device file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fingerprints<'a> {
    /// The number that [`hash_char`] adds to every character.
    pub seed: u32,
    /// The index of the first fingerprint of each bucket, and the number of all fingerprints; checked at load. The
    /// number of buckets is a power of 2.
    pub starts: &'a [u32],
    /// The fingerprints, bucket by bucket; strictly ascending within each bucket, checked at load.
    pub fingerprints: &'a [u16],
}

/// Returns the hash of a token's characters with one more. The hash of no character is 0.
pub(crate) fn hash_char(hash: u32, seed: u32, c: char) -> u32 {
    add(hash, u32::from(c).wrapping_add(seed))
}

/// Returns the bucket and the fingerprint of a token from the hash of all its characters. `buckets`: a power of 2.
pub(crate) fn bucket_and_fingerprint(hash: u32, buckets: usize) -> (usize, u16) {
    let hash = finish(hash);
    ((hash >> 16) as usize & buckets.wrapping_sub(1), hash as u16)
}

impl Fingerprints<'_> {
    /// The number of bytes in the file.
    pub(crate) fn byte_len(&self) -> usize {
        size_of_val(&self.seed) + size_of_val(self.starts) + size_of_val(self.fingerprints)
    }

    /// The fingerprints of a bucket, and the index of the first of them.
    fn bucket(&self, bucket: usize) -> (usize, &[u16]) {
        match (self.starts.get(bucket), self.starts.get(bucket + 1)) {
            (Some(&start), Some(&end)) => {
                (start as usize, self.fingerprints.get(start as usize..end as usize).unwrap_or(&[]))
            }
            _ => (0, &[]),
        }
    }

    /// The index of the token with this hash of all its characters; none if it is not in the vocabulary.
    pub(crate) fn position(&self, hash: u32) -> Option<u32> {
        let (bucket, fingerprint) = bucket_and_fingerprint(hash, self.starts.len().wrapping_sub(1));
        let (start, fingerprints) = self.bucket(bucket);
        fingerprints.binary_search(&fingerprint).ok().map(|index| (start + index) as u32)
    }

    /// Checks the starts of the buckets. The error is the index of the first bucket with a wrong start or end, or the
    /// number of buckets if that is not a power of 2 up to [`TOKEN_BUCKETS`].
    #[cfg(feature = "token_fingerprints")]
    pub(crate) fn check_starts(&self) -> Result<(), usize> {
        let buckets = self.starts.len().wrapping_sub(1);
        if !buckets.is_power_of_two() || buckets > TOKEN_BUCKETS {
            return Err(buckets);
        }
        check_offsets(self.starts, self.fingerprints.len())
    }

    /// The index of the first fingerprint that is not greater than the one before it in its bucket.
    #[cfg(feature = "token_fingerprints")]
    pub(crate) fn out_of_order(&self) -> Option<usize> {
        (0..self.starts.len()).find_map(|bucket| {
            let (start, fingerprints) = self.bucket(bucket);
            let index = fingerprints.windows(2).position(|pair| pair[0] >= pair[1])?;
            Some(start + index + 1)
        })
    }
}
