//! Runs the loaded model: takes texts or numbers, gives predictions, and counts the clock ticks that they take.

mod generation;
mod golden;

use core::fmt;

use tern_runtime::{Config, Input, LoadError, Model, Session, Task, TooLong, UNK, file_len, softmax};

pub use generation::{Generated, Sampling};
pub use golden::{Bench, Mismatch, SelfTest};

use crate::boot_count::MAX_FAILED_BOOTS;
use crate::crc32::crc32;
use crate::numbers::{NumberError, NumberParser};
use crate::port::Port;

/// A model that was found in a slot, and its file.
#[derive(Clone, Copy, Debug)]
pub struct LoadedModel<'f> {
    /// The model.
    pub model: Model<'f>,
    /// The file, without the bytes after it in the slot.
    pub file: &'f [u8],
}

impl<'f> LoadedModel<'f> {
    /// Loads the device file at the beginning of a slot.
    ///
    /// # Errors
    /// [`Refusal`] if the slot is empty or the file is refused.
    pub fn from_slot(slot: &'f [u8]) -> Result<Self, Refusal> {
        if LoadedModel::is_blank(slot) {
            return Err(Refusal::Empty);
        }
        let file = slot.get(..file_len(slot)?).unwrap_or(slot);
        Ok(LoadedModel { model: Model::from_bytes(file)?, file })
    }
}

impl LoadedModel<'_> {
    /// Returns true if a slot was never written: erased flash reads as ones, and unwritten memory as zeros.
    pub fn is_blank(slot: &[u8]) -> bool {
        let first = slot.get(..8).unwrap_or(&[]);
        first.iter().all(|&byte| byte == 0) || first.iter().all(|&byte| byte == 0xff)
    }
}

/// Why no model runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The slot is empty.
    Empty,
    /// The model may not run. The lines before the banner give the reason.
    NotRun,
    /// Several starts in a row failed before the prompt, so this one runs no model.
    RepeatedFailures,
    /// The file in the slot is refused.
    File(LoadError),
    /// The model's state and logits do not fit the board's RAM for models.
    Scratch {
        /// Bytes that the model needs.
        needed: usize,
        /// Bytes that the board has.
        available: usize,
    },
}

impl From<LoadError> for Refusal {
    fn from(error: LoadError) -> Self {
        Refusal::File(error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Empty => {
                write!(
                    f,
                    "the model slot is empty; `load` a device file (`tern export`), or write it with `tern flash`"
                )
            }
            Refusal::NotRun => {
                write!(f, "the model failed its checks; the lines after a reset give the reason. `load` another one")
            }
            Refusal::RepeatedFailures => write!(
                f,
                "the last {MAX_FAILED_BOOTS} starts failed before the prompt, so this one runs no model; `load` another model, \
                 `rollback`, or try again with `reset`"
            ),
            Refusal::File(error) => write!(f, "the file in the model slot is refused: {error}"),
            Refusal::Scratch { needed, available } => write!(
                f,
                "the model and its answer need {needed} bytes of RAM, this board reserves {available}; use a smaller model or a larger SCRATCH_BYTES"
            ),
        }
    }
}

/// The result of a complete text. The logits stay in the [`Engine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Tokens of the text.
    pub tokens: u32,
    /// Tokens that are not in the vocabulary.
    pub unknown: u32,
    /// Ticks spent in the runtime.
    pub ticks: u64,
    /// Why there is no prediction for this text.
    pub error: Option<InputError>,
}

/// Why there is no prediction for a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputError {
    /// The text has more tokens than a bidirectional model has room for.
    TooLong(TooLong),
    /// The model reads numbers, and the input is not numbers.
    Numbers(NumberError),
}

impl Answer {
    /// Returns true if any token is in the vocabulary. If none is, a label would be a guess.
    pub fn is_known(&self) -> bool {
        self.unknown < self.tokens
    }
}

/// The prediction after one token of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepAnswer<'t> {
    /// The token, or `?` if the vocabulary has no text for it.
    pub token: &'t str,
    /// The most probable class.
    pub class: usize,
    /// Its probability, Q16.
    pub probability: u32,
}

/// A model with its state in the board's scratch.
#[derive(Debug)]
pub struct Engine<'m> {
    model: &'m Model<'m>,
    session: Session<'m>,
    /// The logits of the last complete text: `[classes]`, Q16. Empty for a language model, which has one for each
    /// token.
    logits: &'m mut [i32],
    /// The time step being filled, for models that read numbers: `[channels]`.
    row: &'m mut [i32],
    /// The number of its channels that have been filled.
    filled: usize,
    numbers: NumberParser,
    /// The first error in the numbers; nothing is read after it.
    number_error: Option<NumberError>,
    file_bytes: usize,
    crc32: u32,
    ticks: u64,
    last: Option<Answer>,
}

impl<'m> Engine<'m> {
    /// Prepares a model to run in `scratch`. A bidirectional model takes all of it, to keep as many tokens as possible.
    ///
    /// # Errors
    /// [`Refusal::Scratch`] if `scratch` is too short for the state, the logits and one time step of numbers.
    pub fn new(found: &'m LoadedModel<'m>, scratch: &'m mut [i32]) -> Result<Self, Refusal> {
        let model = &found.model;
        let Config { task, input, classes, embedding_dim, .. } = *model.config();
        let logits = if task == Task::LanguageModel { 0 } else { classes };
        let channels = if input == Input::Values { embedding_dim } else { 0 };
        let words = model.scratch_len_for(1).saturating_add(logits).saturating_add(channels);
        let needed = words.saturating_mul(size_of::<i32>());
        let refusal = Refusal::Scratch { needed, available: size_of_val(scratch) };
        let (logits, scratch) = scratch.split_at_mut_checked(logits).ok_or(refusal)?;
        let (row, state) = scratch.split_at_mut_checked(channels).ok_or(refusal)?;
        let session = model.session(state).map_err(|_| refusal)?;
        Ok(Engine {
            model,
            session,
            logits,
            row,
            filled: 0,
            numbers: NumberParser::default(),
            number_error: None,
            file_bytes: found.file.len(),
            crc32: crc32(found.file),
            ticks: 0,
            last: None,
        })
    }

    /// The model.
    pub fn model(&self) -> &'m Model<'m> {
        self.model
    }

    /// Length of the device file in bytes.
    pub fn file_bytes(&self) -> usize {
        self.file_bytes
    }

    /// CRC-32 of the device file.
    pub fn crc32(&self) -> u32 {
        self.crc32
    }

    /// RAM that the model needs for its state, in bytes: the same number that `tern export` prints.
    pub fn scratch_bytes(&self) -> usize {
        self.model.scratch_len() * size_of::<i32>()
    }

    /// Begins a text.
    pub fn begin(&mut self) {
        self.session.reset();
        (self.filled, self.numbers, self.number_error) = (0, NumberParser::default(), None);
        self.ticks = 0;
        self.last = None;
    }

    /// Reads the next bytes of the text.
    pub fn feed(&mut self, bytes: &[u8], port: &mut impl Port) {
        let start = port.ticks();
        match &mut self.session {
            Session::Text(session) => session.feed(bytes),
            Session::Values(_) => self.feed_numbers(bytes, false),
        }
        self.count(start, port);
    }

    /// Reads numbers: one for each channel make a time step. Stops at the first error.
    fn feed_numbers(&mut self, bytes: &[u8], is_end: bool) {
        for &byte in bytes {
            if self.number_error.is_some() {
                return;
            }
            let number = if is_end { self.numbers.end(byte) } else { self.numbers.push(byte) };
            match number {
                Ok(Some((numerator, denominator))) => {
                    debug_assert!(self.filled < self.row.len(), "a complete step was fed before");
                    let value =
                        self.model.channel(self.filled).map_or(0, |channel| channel.encode(numerator, denominator));
                    if let Some(place) = self.row.get_mut(self.filled) {
                        *place = value;
                    }
                    self.filled += 1;
                }
                Ok(None) => (),
                Err(error) => self.number_error = Some(error),
            }
            if self.filled >= self.row.len() {
                if let Some(session) = self.session.values() {
                    session.feed(self.row);
                }
                self.filled = 0;
            }
            // `;` and the end of the input may only follow a complete time step.
            if self.filled > 0 && self.number_error.is_none() && (is_end || byte == b';') {
                self.number_error = Some(NumberError::Incomplete { found: self.filled, expected: self.row.len() });
            }
        }
    }

    /// As [`feed`](Engine::feed), and calls `show` with the prediction after each token; the time in `show` is not
    /// counted.
    ///
    /// Only a model that classifies texts from left to right has predictions before the end. For others `show` is never
    /// called.
    pub fn feed_with<P: Port>(&mut self, bytes: &[u8], port: &mut P, mut show: impl FnMut(&mut P, StepAnswer<'_>)) {
        let Config { task, input, bidirectional, .. } = *self.model.config();
        if bidirectional || task != Task::Classify || input != Input::Tokens {
            return self.feed(bytes, port);
        }
        let Engine { model, session, ticks, .. } = self;
        // A label would be a guess until a token is known.
        let Some(session) = session.text() else { return };
        let mut is_known = session.unknown() < session.tokens();
        let mut start = port.ticks();
        session.feed_with(bytes, |step| {
            *ticks += u64::from(port.ticks().wrapping_sub(start));
            is_known |= step.id != UNK;
            if is_known {
                let class = step.logits.best().class;
                let token = model.vocabulary().token(step.id).unwrap_or("?");
                show(port, StepAnswer { token, class, probability: step.logits.probability(class) });
            }
            start = port.ticks();
        });
        self.count(start, port);
    }

    /// Completes the text.
    pub fn finish(&mut self, port: &mut impl Port) -> Answer {
        let start = port.ticks();
        match &mut self.session {
            Session::Text(session) => session.finish(),
            Session::Values(_) => self.feed_numbers(b"\n", true),
        }
        for (to, logit) in self.logits.iter_mut().zip(self.session.logits().iter()) {
            *to = logit;
        }
        self.count(start, port);
        let answer = Answer {
            tokens: self.session.tokens(),
            unknown: self.session.unknown(),
            ticks: self.ticks,
            error: match (self.number_error, self.session.check_length()) {
                (Some(error), _) => Some(InputError::Numbers(error)),
                (None, Err(too_long)) => Some(InputError::TooLong(too_long)),
                (None, Ok(())) => None,
            },
        };
        self.last = Some(answer);
        answer
    }

    /// The number of values in a time step; 0 for a model that reads tokens.
    pub fn channels(&self) -> usize {
        self.row.len()
    }

    /// The value with this index of the forecast after the last input, encoded as [`Model::forecast_channel`]
    /// describes. `None` beyond the last value.
    pub fn forecast(&mut self, index: usize) -> Option<i32> {
        self.session.values()?.predicted(index)
    }

    /// Runs the model over a whole text.
    pub fn classify(&mut self, text: &[u8], port: &mut impl Port) -> Answer {
        self.begin();
        self.feed(text, port);
        self.finish(port)
    }

    /// The answer to the last text, as long as its logits are kept.
    pub fn last(&self) -> Option<Answer> {
        self.last
    }

    /// The logits of the last complete text: `[classes]`, Q16.
    pub fn logits(&self) -> &[i32] {
        self.logits
    }

    /// The classes by falling logit; among equals, the lowest class comes first.
    pub fn ranking(&self) -> impl Iterator<Item = usize> {
        let best = |after: Option<usize>| {
            let follows = |&class: &usize| match after {
                // A class follows if its logit is lower, or equal with a higher class number.
                Some(after) => (self.logits[class], after) < (self.logits[after], class),
                None => true,
            };
            let key = |&class: &usize| (self.logits[class], core::cmp::Reverse(class));
            (0..self.logits.len()).filter(follows).max_by_key(key)
        };
        core::iter::successors(best(None), move |&class| best(Some(class)))
    }

    /// The softmax of one class for the last complete text, Q16.
    pub fn probability(&self, class: usize) -> u32 {
        softmax(self.logits, class)
    }

    /// The label of a class.
    pub fn label(&self, class: usize) -> &'m str {
        self.model.labels().get(class).unwrap_or("")
    }

    /// Adds the ticks since `start`.
    fn count(&mut self, start: u32, port: &mut impl Port) {
        self.ticks += u64::from(port.ticks().wrapping_sub(start));
    }
}
