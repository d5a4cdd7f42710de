//! Counts a device's answers and compares them with this computer's, which runs the same device file and must compute
//! the same integers.
//!
//! Three kinds of texts get no label: those without a token of the vocabulary, those that the model refuses to answer,
//! and those that the device rejects, which means that it answers with an error.

use std::time::Duration;

use serde::Serialize;
use tern_runtime::{Model, TextSession};

use crate::data::Example;
use crate::display::excerpt;
use crate::link::{Classification, DeviceError, Reply};
use crate::metrics::argmax;

/// The number of characters of a text that a difference or a rejection shows.
const EXCERPT_CHARS: usize = 60;

/// A labelled text and its line in the file.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) example: Example,
    /// The first line of the text in its file, from 1; 0 if the text is a whole file.
    pub(super) line: u64,
}

/// The answer of the device or of this computer to a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Answer {
    /// `None` if no token is in the vocabulary, or if the model refuses to answer.
    pub(super) label: Option<String>,
    /// `[classes]`, integers in units of 2^-16.
    pub(super) logits: Vec<i32>,
    /// The number of tokens of the text.
    pub(super) tokens: u64,
    /// The number of the text's tokens that are not in the vocabulary.
    pub(super) unknown: u64,
}

/// A text for which the device and this computer give different answers.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Difference {
    /// As in [`Sample`].
    pub(super) line: u64,
    /// The beginning of the text.
    pub(super) text: String,
    pub(super) device: Answer,
    pub(super) host: Answer,
}

/// A text that the device rejected: it answered with an error.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Rejection {
    /// As in [`Sample`].
    pub(super) line: u64,
    /// The beginning of the text.
    pub(super) text: String,
    #[serde(flatten)]
    pub(super) error: DeviceError,
}

/// The counts over all replies of the device.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Texts with a reply: an answer or a rejection.
    pub(super) texts: usize,
    /// Texts for which the largest logit of the device is that of the label in the table.
    pub(super) correct: usize,
    /// Texts without a known token, which the device answers with `unknown input`.
    pub(super) unknown_inputs: usize,
    /// Texts with a known token that the model refuses to answer.
    pub(super) refused: usize,
    /// Bytes of all texts with a reply.
    pub(super) bytes: u64,
    /// Tokens of the texts that were not rejected.
    pub(super) tokens: u64,
    /// Those of `tokens` that are not in the vocabulary.
    pub(super) unknown_tokens: u64,
    /// Ticks of the device's clock for which the model ran.
    pub(super) model_ticks: u64,
    pub(super) differences: Vec<Difference>,
    pub(super) rejections: Vec<Rejection>,
    /// Time from the first text sent to the last reply.
    pub(super) elapsed: Duration,
}

impl Tally {
    /// Counts the device's reply to `sample` and compares it with the answer of `model` on this computer. `session`: a
    /// session of `model`.
    pub(super) fn add(&mut self, sample: &Sample, reply: Reply, model: &Model<'_>, session: &mut TextSession<'_>) {
        let Sample { example: Example { text, label }, line } = sample;
        self.texts += 1;
        self.bytes += text.len() as u64;
        let Classification { label: predicted, logits, tokens, unknown, ticks, .. } = match reply {
            Reply::Answer(answer) => answer,
            Reply::Rejected(error) => {
                self.rejections.push(Rejection { line: *line, text: excerpt(text, EXCERPT_CHARS), error });
                return;
            }
        };
        self.model_ticks += ticks;
        self.tokens += tokens;
        self.unknown_tokens += unknown;
        self.unknown_inputs += usize::from(unknown == tokens);
        self.refused += usize::from(predicted.is_none() && unknown < tokens);
        // The largest logit counts even if the device gives no label, as in `tern eval`.
        self.correct += usize::from(argmax(&logits) == *label);
        let host = host_answer(text, model, session);
        let device = Answer { label: predicted, logits, tokens, unknown };
        if device != host {
            self.differences.push(Difference { line: *line, text: excerpt(text, EXCERPT_CHARS), device, host });
        }
    }

    /// Returns [`correct`](Self::correct) as a share of all texts, 0 to 1. A rejected text counts as wrong.
    pub(super) fn accuracy(&self) -> f64 {
        self.correct as f64 / self.texts as f64
    }
}

/// Classifies a text on this computer by the rules of the device: neither a text without a known token nor a text that
/// the model refuses to answer gets a label.
fn host_answer(text: &str, model: &Model<'_>, session: &mut TextSession<'_>) -> Answer {
    let result = session.classify(text.as_bytes());
    let (answer, logits) = (result.answer(), result.iter().collect());
    let (tokens, unknown) = (u64::from(session.tokens()), u64::from(session.unknown()));
    let label = match answer {
        tern_runtime::Answer::Class(class) if unknown < tokens => model.labels().get(class).map(str::to_owned),
        _ => None,
    };
    Answer { label, logits, tokens, unknown }
}
