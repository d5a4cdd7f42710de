//! Putting texts into batches.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Batches that are sorted by length together: enough for short steps, few enough to keep chance in who meets whom.
const BUCKET: usize = 50;

/// The limits of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most texts.
    pub texts: usize,
    /// The most tokens, unless a single text has more.
    pub tokens: usize,
}

/// Deals out all texts in batches of similar length, in random order.
///
/// `lengths`: number of tokens of each text. Returns the texts' indices.
pub fn shuffled(lengths: &[usize], limits: Limits, rng: &mut ChaCha8Rng) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.shuffle(rng);
    let mut batches = Vec::new();
    for bucket in order.chunks_mut(limits.texts * BUCKET) {
        bucket.sort_by_key(|&text| lengths[text]);
        let mut batch: Vec<usize> = Vec::new();
        let mut tokens = 0;
        for &text in bucket.iter() {
            if !batch.is_empty() && (batch.len() == limits.texts || tokens + lengths[text] > limits.tokens) {
                batches.push(std::mem::take(&mut batch));
                tokens = 0;
            }
            tokens += lengths[text];
            batch.push(text);
        }
        if !batch.is_empty() {
            batches.push(batch);
        }
    }
    batches.shuffle(rng);
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn every_text_once_within_the_limits() {
        let lengths: Vec<usize> = (0..1000).map(|text| text * 7919 % 200).collect();
        let limits = Limits { texts: 8, tokens: 500 };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let batches = shuffled(&lengths, limits, &mut rng);
        let mut all = batches.concat();
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
        for batch in &batches {
            assert!(batch.len() <= 8 && batch.iter().map(|&text| lengths[text]).sum::<usize>() <= 500);
        }
        assert_ne!(batches, shuffled(&lengths, limits, &mut rng));
    }

    #[test]
    fn a_text_longer_than_the_limit_is_alone() {
        let limits = Limits { texts: 8, tokens: 10 };
        let batches = shuffled(&[3, 50, 3], limits, &mut ChaCha8Rng::seed_from_u64(1));
        assert!(batches.contains(&vec![1]));
        assert_eq!(batches.len(), 2);
    }

    #[test]
    fn no_texts_no_batches() {
        assert!(shuffled(&[], Limits { texts: 8, tokens: 10 }, &mut ChaCha8Rng::seed_from_u64(1)).is_empty());
    }
}
