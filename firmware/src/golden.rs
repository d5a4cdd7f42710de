//! Runs the golden examples that the device file stores, to compare their logits and to measure their time.

use core::mem;

use tern_runtime::{Golden, Session};

use super::Engine;
use crate::port::Port;

/// A logit that differs from the one in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Index of the golden example.
    pub golden: u32,
    /// The class.
    pub class: usize,
    /// The computed logit, Q16.
    pub logit: i32,
    /// The logit in the file, Q16.
    pub expected: i32,
}

/// The result of the self-test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SelfTest {
    /// Examples whose logits are all exact.
    pub exact: u32,
    /// All golden examples.
    pub golden: u32,
    /// Ticks spent in the runtime.
    pub ticks: u64,
    /// The first logit that is wrong.
    pub first_failure: Option<Mismatch>,
}

/// The time that the golden examples take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bench {
    /// Golden examples.
    pub texts: u32,
    /// Their tokens.
    pub tokens: u64,
    /// Ticks of their tokens. Those of a bidirectional model run at the end and include the answers.
    pub ticks: u64,
    /// The most ticks of one token; 0 for a bidirectional model.
    pub worst: u32,
    /// Ticks of the answers beyond the tokens: computing the logits of each example.
    pub answers: u64,
}

impl Engine<'_> {
    /// Runs the golden examples and compares their logits. Afterwards [`last`](Engine::last) is `None`.
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

    /// Runs the golden examples to measure the time of a token. Afterwards [`last`](Engine::last) is `None`.
    pub fn bench(&mut self, port: &mut impl Port) -> Bench {
        let mut result = Bench::default();
        let model = self.model;
        for golden in model.golden() {
            // A bidirectional model runs all its tokens at the end, so single tokens cannot be measured.
            if !model.config().bidirectional {
                result.worst = result.worst.max(self.worst_step(&golden, port));
            }
            self.begin();
            let start = port.ticks();
            let channels = self.channels().max(1);
            match &mut self.session {
                Session::Text(session) => {
                    session.feed(golden.text.as_bytes());
                    session.finish();
                }
                Session::Values(session) => golden.values.chunks(channels).for_each(|values| session.feed(values)),
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
        let channels = self.channels().max(1);
        match &mut self.session {
            Session::Text(session) => {
                session.feed_with(golden.text.as_bytes(), |_| take(port.ticks()));
                session.finish_with(|_| take(port.ticks()));
            }
            Session::Values(session) => {
                for values in golden.values.chunks(channels) {
                    session.feed(values);
                    take(port.ticks());
                }
            }
        }
        worst
    }
}
