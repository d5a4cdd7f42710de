//! Language models: what comes next, and texts that go on.

use tern_runtime::{Logits, Ranked, Sampler};

use super::Classifier;
use crate::port::Port;

/// Candidates among which a token is drawn, at most.
const MOST: usize = 40;

/// How tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// The same seed draws the same tokens.
    pub seed: u32,
    /// Q16; 0: always the likeliest.
    pub temperature: u32,
    /// From how many of the likeliest: 1 … [`MOST_CANDIDATES`](Sampling::MOST_CANDIDATES).
    pub top_k: usize,
}

impl Sampling {
    /// The most candidates.
    pub const MOST_CANDIDATES: usize = MOST;
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling { seed: 1, temperature: Sampler::ONE, top_k: MOST }
    }
}

/// What it took to go on with a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Tokens written.
    pub tokens: u32,
    /// Ticks spent in the runtime.
    pub ticks: u64,
}

impl Classifier<'_> {
    /// The logits after the last text: one for each token.
    pub fn next_logits(&mut self) -> Logits<'_> {
        self.session.logits()
    }

    /// Goes on with the last text by `count` tokens. `write` is told each; writing takes no ticks.
    ///
    /// # Errors
    /// Those of `write`, which end the text.
    pub fn say<P: Port, E>(
        &mut self,
        count: usize,
        sampling: Sampling,
        port: &mut P,
        mut write: impl FnMut(&mut P, u32) -> Result<(), E>,
    ) -> Result<Said, E> {
        let mut sampler = Sampler::new(sampling.seed.into(), sampling.temperature);
        let mut candidates = [Ranked::default(); MOST];
        let candidates = candidates.get_mut(..sampling.top_k.clamp(1, MOST)).unwrap_or(&mut []);
        let mut said = Said::default();
        for _ in 0..count {
            let start = port.ticks();
            let Some(id) = sampler.sample(&self.session.logits(), candidates) else { break };
            self.session.feed_id(id);
            said.ticks += u64::from(port.ticks().wrapping_sub(start));
            said.tokens += 1;
            write(port, id)?;
        }
        // The text is no longer the one that was given.
        self.last = None;
        Ok(said)
    }
}
