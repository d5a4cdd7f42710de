//! Sampling: draws the next token of a language model. docs/arithmetic.md, "Sampling".

use crate::layers::head::{Logits, Ranked};
use crate::softmax::exp_neg;
use crate::text::vocabulary::UNK;

/// Draws tokens by their probability. The same seed draws the same tokens from the same logits on every machine.
///
/// ```no_run
/// # fn write(session: &mut tern_runtime::TextSession<'_>) {
/// use tern_runtime::{Ranked, Sampler};
///
/// let mut sampler = Sampler::new(3, Sampler::ONE * 7 / 10); // seed 3, temperature 0.7
/// let mut candidates = [Ranked::default(); 20]; // draws from the 20 most probable tokens
/// for _ in 0..100 {
///     let Some(id) = sampler.sample(&session.logits(), &mut candidates) else { break };
///     session.feed_id(id);
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampler {
    /// The state of the random numbers, at first the seed.
    state: u64,
    /// 2^32 divided by the temperature (Q16), rounded down: 1 to 2^32; none if the temperature is 0.
    inverse: Option<u64>,
}

impl Sampler {
    /// A temperature of 1: tokens are drawn with the model's probabilities.
    pub const ONE: u32 = 1 << 16;

    /// A sampler with a seed and a temperature in Q16. A temperature below [`ONE`](Sampler::ONE) makes probable tokens
    /// more probable, a higher one less; with 0 the most probable token is always drawn.
    pub const fn new(seed: u64, temperature: u32) -> Self {
        Sampler { state: seed, inverse: (1u64 << 32).checked_div(temperature as u64) }
    }

    /// The seed for a sampler that continues this one, to be saved with a session.
    pub const fn seed(&self) -> u64 {
        self.state
    }

    /// Draws one of the `candidates.len()` most probable tokens and returns its id; none if there are no candidates.
    /// PAD and UNK are never drawn. Writes the tokens to `candidates` as [`Logits::next_tokens`] does.
    ///
    /// Cost: one pass over all logits, in which each may be compared with every candidate, and two passes over the
    /// candidates. For many tokens, [`sample_all`](Sampler::sample_all) is faster.
    pub fn sample(&mut self, logits: &Logits<'_>, candidates: &mut [Ranked]) -> Option<u32> {
        let filled = logits.next_tokens(candidates);
        let candidates = candidates.get(..filled)?;
        self.draw(*candidates.first()?, || candidates.iter().copied())
    }

    /// Draws one of all tokens but PAD and UNK and returns its id; none if there are no others. The same seed may draw
    /// another token than [`sample`](Sampler::sample) with room for all tokens, because here the tokens are in the
    /// order of their ids.
    ///
    /// Cost: three passes over all logits.
    pub fn sample_all(&mut self, logits: &Logits<'_>) -> Option<u32> {
        let mut likeliest = [Ranked::default()];
        if logits.next_tokens(&mut likeliest) == 0 {
            return None;
        }
        let [likeliest] = likeliest;
        // PAD and UNK are the first ids.
        let tokens = || logits.iter().enumerate().skip(UNK as usize + 1);
        self.draw(likeliest, || tokens().map(|(class, logit)| Ranked { class, logit }))
    }

    /// Draws one of the candidates and returns its id. `likeliest`: the candidate with the largest logit; `candidates`:
    /// returns an iterator over all candidates at each of two calls.
    fn draw<I: Iterator<Item = Ranked>>(&mut self, likeliest: Ranked, candidates: impl Fn() -> I) -> Option<u32> {
        let Some(inverse) = self.inverse else { return Some(likeliest.class as u32) };
        // The exponential of the difference from the largest logit divided by the temperature, Q30.
        let weight = |rank: &Ranked| {
            // The product is below 2^64: a difference is below 2^32, the inverse at most 2^32.
            let distance = (u64::from(likeliest.logit.abs_diff(rank.logit)) * inverse) >> 16;
            u64::from(exp_neg(u32::try_from(distance).unwrap_or(u32::MAX)))
        };
        // The sum is at least 2^30, the weight of the likeliest token.
        let total: u64 = candidates().map(|rank| weight(&rank)).sum();
        // A random number below the sum: the candidate is drawn in whose part of the sum it lies.
        let mut remaining = self.number().checked_rem(total)?;
        let drawn = candidates().find(|rank| {
            let weight = weight(rank);
            let is_drawn = remaining < weight;
            remaining = remaining.wrapping_sub(weight);
            is_drawn
        });
        drawn.map(|rank| rank.class as u32)
    }

    /// Returns the next number of SplitMix64: <https://prng.di.unimi.it/splitmix64.c>, in the public domain.
    fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests;
