//! A device's answers against the host's.

use std::time::Duration;

use tern_runtime::{Model, Session};

use crate::data::Example;
use crate::link::{Answer, DeviceError, Reply};

/// A row of the table.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) example: Example,
    /// Where it stands in the file.
    pub(super) line: u64,
}

/// What a device or a host makes of a text.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Verdict {
    /// None where no token is known.
    pub(super) label: Option<String>,
    /// `[classes]`, Q16.
    pub(super) logits: Vec<i32>,
    pub(super) tokens: u64,
    pub(super) unknown: u64,
}

/// An answer of the device that is not the host's.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    pub(super) line: u64,
    pub(super) text: String,
    pub(super) device: Verdict,
    pub(super) host: Verdict,
}

/// A text without an answer.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) line: u64,
    pub(super) text: String,
    pub(super) error: DeviceError,
}

/// All that is counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Texts that have a reply.
    pub(super) examples: usize,
    /// Texts that the device gives the label of the table.
    pub(super) correct: usize,
    /// Texts without a known token.
    pub(super) without_label: usize,
    /// Bytes of the texts.
    pub(super) bytes: u64,
    pub(super) tokens: u64,
    pub(super) unknown: u64,
    pub(super) ticks: u64,
    pub(super) differences: Vec<Difference>,
    pub(super) refusals: Vec<Refusal>,
    /// From the first text sent to the last reply.
    pub(super) elapsed: Duration,
}

impl Tally {
    /// Counts the device's reply to the next text.
    pub(super) fn add(&mut self, sample: &Sample, reply: Reply, model: &Model<'_>, session: &mut Session<'_>) {
        let Sample { example: Example { text, label }, line } = sample;
        self.examples += 1;
        self.bytes += text.len() as u64;
        let answer = match reply {
            Reply::Answer(answer) => answer,
            Reply::Refused(error) => {
                return self.refusals.push(Refusal { line: *line, text: text.clone(), error });
            }
        };
        self.ticks += answer.ticks;
        self.tokens += answer.tokens;
        self.unknown += answer.unknown;
        self.without_label += usize::from(answer.label.is_none());
        // A text without a known token has a largest logit all the same; `tern eval` decides by it, too.
        self.correct += usize::from(first_largest(&answer.logits) == Some(*label));
        let host = on_host(text, model, session);
        let device = of_device(answer);
        if device != host {
            self.differences.push(Difference { line: *line, text: text.clone(), device, host });
        }
    }

    /// Share of the texts that the device gives the label of the table; a refused one has none.
    pub(super) fn accuracy(&self) -> f64 {
        self.correct as f64 / self.examples as f64
    }
}

fn of_device(answer: Answer) -> Verdict {
    Verdict { label: answer.label, logits: answer.logits, tokens: answer.tokens, unknown: answer.unknown }
}

fn on_host(text: &str, model: &Model<'_>, session: &mut Session<'_>) -> Verdict {
    let logits = session.classify(text.as_bytes());
    let (best, logits) = (logits.best().class, logits.iter().collect());
    let (tokens, unknown) = (u64::from(session.tokens()), u64::from(session.unknown()));
    let label = if unknown < tokens { model.labels().get(best).map(str::to_owned) } else { None };
    Verdict { label, logits, tokens, unknown }
}

fn first_largest(logits: &[i32]) -> Option<usize> {
    (0..logits.len()).rev().max_by_key(|&class| logits[class])
}

#[cfg(test)]
mod tests {
    #[test]
    fn first_largest() {
        assert_eq!(super::first_largest(&[1, 3, 3, 2]), Some(1));
        assert_eq!(super::first_largest(&[-5]), Some(0));
        assert_eq!(super::first_largest(&[]), None);
    }
}
