//! Runs the golden examples that the device file stores: `selftest` compares their logits, `bench` measures their time.

use tern_runtime::{Golden, Session};

use crate::engine::Engine;
use crate::port::{Port, ticks_since};

/// A logit that differs from the one in the device file. Logits are in Q16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Index of the golden example.
    pub example: u32,
    pub class: usize,
    /// The logit that this device computes.
    pub logit: i32,
    /// The logit in the device file.
    pub expected: i32,
}

/// The result of the self-test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SelfTest {
    /// Examples whose logits are all exact.
    pub exact: u32,
    /// All golden examples.
    pub total: u32,
    /// Ticks spent in the runtime.
    pub ticks: u64,
    pub first_failure: Option<Mismatch>,
}

/// The time that the golden examples take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bench {
    /// Number of golden examples.
    pub texts: u32,
    /// Tokens of all examples.
    pub tokens: u64,
    /// Ticks of the tokens. For a bidirectional model, which runs its tokens at the end, this includes the answers.
    pub ticks: u64,
    /// The most ticks of one token; 0 for a bidirectional model.
    pub worst: u32,
    /// Ticks of the answers, in which the logits of each example are computed; 0 for a bidirectional model.
    pub answers: u64,
}

/// Runs the golden examples and compares their logits. Afterwards the engine has no last answer.
pub fn self_test(engine: &mut Engine<'_>, port: &mut impl Port) -> SelfTest {
    let mut result = SelfTest::default();
    for golden in engine.model().golden() {
        let start = port.ticks();
        engine.read_golden(&golden, port);
        let logits = engine.current_logits(port);
        let failure = (0..)
            .zip(logits.iter().zip(golden.logits))
            .find(|&(_, (logit, &expected))| logit != expected)
            .map(|(class, (logit, &expected))| Mismatch { example: result.total, class, logit, expected });
        result.ticks += ticks_since(start, port);
        result.exact += u32::from(failure.is_none());
        result.total += 1;
        result.first_failure = result.first_failure.or(failure);
    }
    result
}

/// Runs the golden examples to measure their time. Afterwards the engine has no last answer.
pub fn bench(engine: &mut Engine<'_>, port: &mut impl Port) -> Bench {
    let mut result = Bench::default();
    let is_bidirectional = engine.model().config().bidirectional;
    for golden in engine.model().golden() {
        // A bidirectional model runs all its tokens at the end, so single tokens cannot be measured.
        if !is_bidirectional {
            result.worst = result.worst.max(worst_step(engine, &golden, port));
        }
        let start = port.ticks();
        engine.read_golden(&golden, port);
        result.ticks += ticks_since(start, port);
        result.texts += 1;
        result.tokens += u64::from(engine.session().tokens());
        let start = port.ticks();
        engine.current_logits(port).best();
        let answer = ticks_since(start, port);
        if is_bidirectional { result.ticks += answer } else { result.answers += answer }
    }
    result
}

/// Returns the most ticks that one step of a golden example takes.
fn worst_step(engine: &mut Engine<'_>, golden: &Golden<'_>, port: &mut impl Port) -> u32 {
    engine.begin();
    // For a model that reads values, `embedding_dim` is the number of channels.
    let channels = engine.model().config().embedding_dim;
    let (mut worst, mut start) = (0, port.ticks());
    let mut end_step = || {
        let now = port.ticks();
        worst = worst.max(now.wrapping_sub(start));
        start = now;
    };
    match engine.session() {
        Session::Text(session) => {
            session.feed_with(golden.text.as_bytes(), |_| end_step());
            session.finish_with(|_| end_step());
        }
        Session::Values(session) => {
            for values in golden.values.chunks(channels) {
                session.feed(values);
                end_step();
            }
        }
    }
    worst
}
