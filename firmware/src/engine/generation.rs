//! Language models: the probabilities of the next token, and generating text.

use tern_runtime::{Logits, Ranked, Sampler};

use super::Engine;
use crate::port::Port;

/// The parameters for drawing the next token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// The random seed: the same seed gives the same text.
    pub seed: u32,
    /// The temperature in Q16. With 0 the most probable token is always taken.
    pub temperature: u32,
    /// The token is drawn from this many of the most probable ones: 1 to [`MAX_CANDIDATES`](Sampling::MAX_CANDIDATES).
    pub top_k: usize,
}

impl Sampling {
    /// The largest [`top_k`](Sampling::top_k).
    pub const MAX_CANDIDATES: usize = 40;
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling { seed: 1, temperature: Sampler::ONE, top_k: Sampling::MAX_CANDIDATES }
    }
}

/// The cost of generated text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Generated {
    /// Tokens generated.
    pub tokens: u32,
    /// Ticks spent in the runtime.
    pub ticks: u64,
}

impl Engine<'_> {
    /// The logits after the last text, one for each token of the vocabulary.
    pub fn next_logits(&mut self) -> Logits<'_> {
        self.session.logits()
    }

    /// Continues the last text by `count` tokens, and calls `write` with each; the time in `write` is not counted.
    ///
    /// # Errors
    /// Those of `write`. Generation ends at the first one.
    pub fn generate<P: Port, E>(
        &mut self,
        count: usize,
        sampling: Sampling,
        port: &mut P,
        mut write: impl FnMut(&mut P, u32) -> Result<(), E>,
    ) -> Result<Generated, E> {
        let mut sampler = Sampler::new(sampling.seed.into(), sampling.temperature);
        let mut candidates = [Ranked::default(); Sampling::MAX_CANDIDATES];
        let top_k = sampling.top_k.clamp(1, Sampling::MAX_CANDIDATES);
        let candidates = candidates.get_mut(..top_k).unwrap_or(&mut []);
        let mut generated = Generated::default();
        for _ in 0..count {
            let start = port.ticks();
            let Some(session) = self.session.text() else { break };
            let Some(id) = sampler.sample(&session.logits(), candidates) else { break };
            session.feed_id(id);
            generated.ticks += u64::from(port.ticks().wrapping_sub(start));
            generated.tokens += 1;
            write(port, id)?;
        }
        // The session has read more than the last text.
        self.last = None;
        Ok(generated)
    }
}
