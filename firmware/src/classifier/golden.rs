//! The golden texts, and sequences: whether their logits are exact, and what they cost.

use core::mem;

use tern_runtime::{Golden, Input};

use super::Classifier;
use crate::port::Port;

/// A golden text's first logit that is not what the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Index of the golden text.
    pub golden: u32,
    /// Which class.
    pub class: usize,
    /// The logit computed, Q16.
    pub logit: i32,
    /// The logit in the file, Q16.
    pub expected: i32,
}

/// What the golden texts gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SelfTest {
    /// Texts whose logits are all exact.
    pub exact: u32,
    /// All golden texts.
    pub golden: u32,
    /// Ticks spent in the runtime.
    pub ticks: u64,
    /// The first that failed.
    pub first_failure: Option<Mismatch>,
}

/// What the golden texts cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bench {
    /// Golden texts.
    pub texts: u32,
    /// Their tokens.
    pub tokens: u64,
    /// Ticks of their tokens; of a bidirectional model, whose tokens all run at the end, with the answers.
    pub ticks: u64,
    /// The most ticks of a token; 0 of a bidirectional model.
    pub worst: u32,
    /// Ticks of the answers, beyond the tokens: the logits of each text.
    pub answers: u64,
}

impl Classifier<'_> {
    /// Runs the golden texts. [`last`](Classifier::last) is none after it.
    pub fn self_test(&mut self, port: &mut impl Port) -> SelfTest {
        let mut result = SelfTest::default();
        let model = self.model;
        for golden in model.golden() {
            self.begin();
            let start = port.ticks();
            let logits = self.session.run_golden(&golden);
            let pairs = logits.iter().zip(golden.logits).enumerate();
            let failure = pairs
                .filter(|&(_, (logit, &expected))| logit != expected)
                .map(|(class, (logit, &expected))| Mismatch { golden: result.golden, class, logit, expected })
                .next();
            self.count(start, port);
            result.ticks += self.ticks;
            result.exact += u32::from(failure.is_none());
            result.golden += 1;
            result.first_failure = result.first_failure.or(failure);
        }
        result
    }

    /// Runs the golden texts to see what a token costs. [`last`](Classifier::last) is none after it.
    pub fn bench(&mut self, port: &mut impl Port) -> Bench {
        let mut result = Bench::default();
        let model = self.model;
        for golden in model.golden() {
            // Of a bidirectional model a step shown costs a run over all before it: there is no cost of one token.
            if !model.config().bidirectional {
                result.worst = result.worst.max(self.worst_step(&golden, port));
            }
            self.begin();
            let start = port.ticks();
            self.session.feed(golden.text.as_bytes());
            self.session.finish();
            for values in golden.values.chunks(self.channels().max(1)) {
                self.session.feed_values(values);
            }
            self.count(start, port);
            result.texts += 1;
            result.tokens += u64::from(self.session.tokens());
            result.ticks += mem::take(&mut self.ticks);
            let start = port.ticks();
            self.session.logits().best();
            self.count(start, port);
            let answer = mem::take(&mut self.ticks);
            if model.config().bidirectional { result.ticks += answer } else { result.answers += answer }
        }
        result
    }

    /// The most ticks between two steps.
    fn worst_step(&mut self, golden: &Golden<'_>, port: &mut impl Port) -> u32 {
        self.begin();
        let (mut worst, mut start) = (0, port.ticks());
        let mut take = |now: u32| {
            worst = worst.max(now.wrapping_sub(start));
            start = now;
        };
        if self.model.config().input == Input::Values {
            for values in golden.values.chunks(self.channels().max(1)) {
                self.session.feed_values(values);
                take(port.ticks());
            }
        } else {
            self.session.feed_with(golden.text.as_bytes(), |_| take(port.ticks()));
            self.session.finish_with(|_| take(port.ticks()));
        }
        worst
    }
}
