//! The division of the training sequences into batches.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Number of batches whose sequences are sorted by length together. With a larger number, the lengths in a batch would
/// differ less, but the same sequences would share a batch in every epoch.
const BATCHES_SORTED_TOGETHER: usize = 50;

/// The largest size of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest number of sequences.
    pub sequences: usize,
    /// Largest number of tokens or rows, unless a single sequence has more.
    pub tokens: usize,
}

/// Divides sequences into batches, so that the sequences of a batch have similar lengths. Returns the indices of each
/// batch's sequences; the batches are in random order. `lengths`: the number of tokens or rows of each sequence.
pub fn shuffled(lengths: &[usize], limits: Limits, rng: &mut ChaCha8Rng) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.shuffle(rng);
    let mut batches = Vec::new();
    for group in order.chunks_mut(limits.sequences * BATCHES_SORTED_TOGETHER) {
        group.sort_by_key(|&sequence| lengths[sequence]);
        let mut batch: Vec<usize> = Vec::new();
        let mut tokens = 0;
        for &sequence in group.iter() {
            let is_full = batch.len() == limits.sequences || tokens + lengths[sequence] > limits.tokens;
            // A sequence with more tokens than the limit becomes a batch of its own.
            if is_full && !batch.is_empty() {
                batches.push(std::mem::take(&mut batch));
                tokens = 0;
            }
            tokens += lengths[sequence];
            batch.push(sequence);
        }
        batches.push(batch);
    }
    batches.shuffle(rng);
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn batches(lengths: &[usize], tokens: usize) -> Vec<Vec<usize>> {
        shuffled(lengths, Limits { sequences: 8, tokens }, &mut ChaCha8Rng::seed_from_u64(1))
    }

    #[test]
    fn every_text_once_within_the_limits() {
        let lengths: Vec<usize> = (0..1000).map(|text| text * 7919 % 200).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let batches = shuffled(&lengths, Limits { sequences: 8, tokens: 500 }, &mut rng);
        let mut all = batches.concat();
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
        for batch in &batches {
            assert!(batch.len() <= 8 && batch.iter().map(|&text| lengths[text]).sum::<usize>() <= 500);
        }
        assert_ne!(batches, shuffled(&lengths, Limits { sequences: 8, tokens: 500 }, &mut rng));
    }

    #[test]
    fn a_text_longer_than_the_limit_is_alone() {
        let batches = batches(&[3, 50, 3], 10);
        assert!(batches.contains(&vec![1]));
        assert_eq!(batches.len(), 2);
    }

    #[test]
    fn no_texts_no_batches() {
        assert!(batches(&[], 10).is_empty());
    }
}
