//! Runs the golden examples: short texts or sequences that the device file stores with their exact logits. The command
//! `selftest` compares the logits that this device computes, and `bench` measures the time. Times are in ticks of the
//! board's counter.

use tern_runtime::{Golden, Session};

use crate::engine::Engine;
use crate::port::{Port, ticks_since};

/// A logit that differs from the one in the device file. Both are in Q16.
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
    /// The first logit that differs; `None` if all are exact.
    pub first_failure: Option<Mismatch>,
}

/// The time that the golden examples take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bench {
    /// Number of golden examples.
    pub texts: u32,
    /// Tokens of all examples; time steps for a model that reads numbers. This holds for `worst`, too.
    pub tokens: u64,
    /// Ticks in which the tokens are read. For a bidirectional model this includes the computation of the logits, in
    /// which it runs its tokens.
    pub ticks: u64,
    /// The most ticks of one token; 0 for a bidirectional model, whose single tokens cannot be measured.
    pub worst: u32,
    /// Ticks in which the logits and the best class of each example are computed after its tokens; 0 for a
    /// bidirectional model, for which `ticks` includes them.
    pub answers: u64,
}

/// Runs the golden examples and compares their logits. Afterwards the engine has no last answer.
pub fn self_test(engine: &mut Engine<'_>, port: &mut impl Port) -> SelfTest {
    let mut result = SelfTest::default();
    for golden in engine.model().golden() {
        let start = port.ticks();
        engine.read_golden(&golden, port);
        let logits = engine.current_logits(port);
        let mut logit_pairs = (0..).zip(logits.iter().zip(golden.logits));
        let first_difference = logit_pairs.find(|&(_, (logit, &expected))| logit != expected);
        let failure = first_difference.map(|(class, (logit, &expected))| {
            // So far, `total` counts the examples before this one.
            Mismatch { example: result.total, class, logit, expected }
        });
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
        if !is_bidirectional {
            result.worst = result.worst.max(worst_step(engine, &golden, port));
        }
        let start = port.ticks();
        engine.read_golden(&golden, port);
        result.ticks += ticks_since(start, port);
        result.texts += 1;
        result.tokens += u64::from(engine.session().tokens());
        let answer_start = port.ticks();
        engine.current_logits(port).best();
        let answer_ticks = ticks_since(answer_start, port);
        if is_bidirectional { result.ticks += answer_ticks } else { result.answers += answer_ticks }
    }
    result
}

/// Reads a golden example, and returns the most ticks that one of its steps takes.
fn worst_step(engine: &mut Engine<'_>, golden: &Golden<'_>, port: &mut impl Port) -> u32 {
    engine.begin();
    // For a model that reads values, `embedding_dim` is the number of channels.
    let channels = engine.model().config().embedding_dim;
    let (mut worst, mut step_start) = (0, port.ticks());
    // Called after each step: the next one begins where it ended.
    let mut end_step = || {
        let now = port.ticks();
        worst = worst.max(now.wrapping_sub(step_start));
        step_start = now;
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
