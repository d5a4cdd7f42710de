//! Writes the random texts that all programs train on, and the recipe for Tern.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use tern_messages::rng::Rng;

use super::plan::{Network, VOCABULARY};
use crate::repo;

/// Returns `count` lengths, distributed like those of IMDb reviews: lognormal with mean 235, where the logarithm has
/// the standard deviation 0.65; then limited to 8 … `max_length`. The same in every call.
pub fn lengths_like_reviews(count: usize, max_length: usize) -> Vec<usize> {
    const MEAN: f64 = 235.0;
    const SIGMA: f64 = 0.65;
    let mut rng = Rng::new(1);
    // The mean of a lognormal distribution is exp(μ + σ²/2).
    let mu = MEAN.ln() - SIGMA * SIGMA / 2.0;
    let lengths = (0..count).map(|_| (mu + SIGMA * normal(&mut rng)).exp().round() as usize);
    lengths.map(|length| length.clamp(8, max_length)).collect()
}

/// Returns a uniform number in [0, 1).
fn uniform(rng: &mut Rng) -> f64 {
    // 53 bits, the precision of an f64.
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// Returns an approximately normal number with mean 0 and variance 1, the sum of twelve uniform numbers.
fn normal(rng: &mut Rng) -> f64 {
    (0..12).map(|_| uniform(rng)).sum::<f64>() - 6.0
}

/// Returns the path of the table of texts in `folder`.
pub fn csv(folder: &Path) -> PathBuf {
    folder.join("texts.csv")
}

/// Writes the tables of texts and the recipe; returns the path of the recipe.
pub fn write_texts_and_recipe(folder: &Path, network: &Network, lengths: &[usize]) -> Result<PathBuf> {
    write_tables(folder, lengths)?;
    let path = folder.join("recipe.toml");
    repo::write(&path, recipe(network))?;
    Ok(path)
}

/// Writes the table of texts, which have `lengths` words, with word frequencies by Zipf's law and alternating labels 0
/// and 1; and a table of two validation rows.
pub fn write_tables(folder: &Path, lengths: &[usize]) -> Result<()> {
    let mut rng = Rng::new(2);
    let mut table = "text,label\n".to_owned();
    for (index, &length) in lengths.iter().enumerate() {
        let words = (0..length).map(|_| {
            // A number k from 1 to `VOCABULARY` with a probability proportional to about 1/k. PAD and UNK are two of
            // the tokens, so the words have the numbers up to `VOCABULARY` − 2.
            let k = (uniform(&mut rng) * (VOCABULARY as f64).ln()).exp() as usize;
            format!("w{}", k.min(VOCABULARY - 2))
        });
        writeln!(table, "{},{}", words.collect::<Vec<_>>().join(" "), index % 2)?;
    }
    repo::write(&csv(folder), table)?;
    repo::write(&folder.join("valid.csv"), "text,label\nw1,0\nw2,1\n")
}

/// Returns the recipe of a training that does the same work as `pytorch.py`: plain Adam, without dropout, weight decay
/// or weight averaging.
pub fn recipe(network: &Network) -> String {
    let Network { cell, bidirectional, embedding, hidden, batch, threads, device, .. } = network;
    format!(
        "[data]\ntrain = \"texts.csv\"\nvalid = \"valid.csv\"\n\
         [vocabulary]\nmin_count = 1\nmax_size = {VOCABULARY}\n\
         [model]\ncell = \"{cell}\"\nembedding_dim = {embedding}\nhidden_size = {hidden}\nbidirectional = {bidirectional}\n\
         ngram_buckets = 0\n\
         head_hidden = 64\ndropout = 0.0\nlayer_dropout = 0.0\nembedding_dropout = 0.0\nword_dropout = 0.0\n\
         [training]\nepochs = 1000\npatience = 1000\nbatch_size = {batch}\nbatch_tokens = 1000000\nthreads = {threads}\n\
         device = \"{device}\"\n\
         learning_rate = 1e-3\nweight_decay = 0.0\nweight_averaging = 0.0\nlabel_smoothing = 0.0\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_like_those_of_reviews() {
        let lengths = lengths_like_reviews(2_000, 2_500);
        let mean = lengths.iter().sum::<usize>() as f64 / lengths.len() as f64;
        assert!((220.0..250.0).contains(&mean), "{mean}");
        assert!(lengths_like_reviews(100, 400).iter().all(|length| (8..=400).contains(length)));
        assert_eq!(lengths_like_reviews(10, 400), lengths_like_reviews(10, 400));
    }
}
