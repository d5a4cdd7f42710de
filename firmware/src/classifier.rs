//! A model at work: texts and numbers in, answers out, and what they cost.

mod golden;
mod language;

use core::fmt;

use tern_runtime::{Config, Input, LoadError, Model, Session, Task, TooLong, UNK, file_len, softmax};

pub use golden::{Bench, Mismatch, SelfTest};
pub use language::{Said, Sampling};

use crate::crc32::crc32;
use crate::numbers::{NumberError, Numbers};
use crate::port::Port;
use crate::starts::MOST_UNSERVED;

/// A model and the file that it borrows.
#[derive(Clone, Copy, Debug)]
pub struct Found<'f> {
    /// The model.
    pub model: Model<'f>,
    /// Its file, without what follows in the slot.
    pub file: &'f [u8],
}

impl<'f> Found<'f> {
    /// Looks for a device file at the beginning of a slot of flash.
    ///
    /// # Errors
    /// [`Refusal`] if there is none, or one that cannot run.
    pub fn in_slot(slot: &'f [u8]) -> Result<Self, Refusal> {
        if Found::is_blank(slot) {
            return Err(Refusal::Empty);
        }
        let file = slot.get(..file_len(slot)?).unwrap_or(slot);
        Ok(Found { model: Model::from_bytes(file)?, file })
    }
}

impl Found<'_> {
    /// Whether a slot was never written: flash that was erased reads as ones, memory that was never written as zeros.
    pub fn is_blank(slot: &[u8]) -> bool {
        let first = slot.get(..8).unwrap_or(&[]);
        first.iter().all(|&byte| byte == 0) || first.iter().all(|&byte| byte == 0xff)
    }
}

/// Why there is no model to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing was written to the slot.
    Empty,
    /// There is a model that may not run; what is told at the start says why.
    NotRun,
    /// Starts in a row did not come as far as the prompt: whatever model there is, it is not run.
    Held,
    /// The file in the slot is refused.
    File(LoadError),
    /// The model's state and logits do not fit the board's scratch; lengths in bytes.
    Scratch {
        /// What the model needs.
        needed: usize,
        /// What is there.
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
                write!(f, "the model slot is empty; write a device file (`tern export`) there and reset")
            }
            Refusal::NotRun => {
                write!(f, "the model in the slot is not run: the device's first lines say why; load another one")
            }
            Refusal::Held => write!(
                f,
                "the device began anew {MOST_UNSERVED} times in a row before its prompt stood, so no model is run; load another one or \
                 `rollback`, or try once more with `reset`"
            ),
            Refusal::File(error) => write!(f, "the file in the model slot is refused: {error}"),
            Refusal::Scratch { needed, available } => write!(
                f,
                "the model needs {needed} bytes of scratch, this board has {available}; use a smaller model or give its board \
                 file more"
            ),
        }
    }
}

/// What is known of a text that is complete. Its logits stay with the [`Classifier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Tokens of the text.
    pub tokens: u32,
    /// Those that are not in the vocabulary.
    pub unknown: u32,
    /// Ticks spent in the runtime.
    pub ticks: u64,
    /// Why this is no answer to all of the text.
    pub refused: Option<Refused>,
}

/// Why a text has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is longer than what the model's scratch can keep.
    TooLong(TooLong),
    /// The model reads numbers, and these are none.
    Numbers(NumberError),
}

impl Answer {
    /// Whether any token is in the vocabulary. If none is, a label would be a guess.
    pub fn is_known(&self) -> bool {
        self.unknown < self.tokens
    }
}

/// The answer so far, after a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown<'t> {
    /// The token; `?` where the vocabulary has no text for it.
    pub token: &'t str,
    /// The likeliest class.
    pub class: usize,
    /// Its probability, Q16.
    pub probability: u32,
}

/// A model at work in a board's scratch.
#[derive(Debug)]
pub struct Classifier<'m> {
    model: &'m Model<'m>,
    session: Session<'m>,
    /// `[classes]`, Q16: of the last text that is complete. Empty of a language model, which has a logit for each of its tokens.
    logits: &'m mut [i32],
    /// `[channels]`: the step under way of a model that reads numbers.
    row: &'m mut [i32],
    /// How many of them are there.
    filled: usize,
    numbers: Numbers,
    unreadable: Option<NumberError>,
    file_bytes: usize,
    crc32: u32,
    scratch_used: usize,
    ticks: u64,
    last: Option<Answer>,
}

impl<'m> Classifier<'m> {
    /// Puts a model to work in `scratch`.
    ///
    /// # Errors
    /// [`Refusal::Scratch`] if `scratch` is too short for its state, its logits and a step's numbers. A bidirectional model takes all
    /// of it, to keep as many tokens as it can.
    pub fn new(found: &'m Found<'m>, scratch: &'m mut [i32]) -> Result<Self, Refusal> {
        let model = &found.model;
        let Config { task, input, classes, bidirectional, embedding_dim, .. } = *model.config();
        let logits = if task == Task::LanguageModel { 0 } else { classes };
        let channels = if input == Input::Values { embedding_dim } else { 0 };
        let words = model.scratch_len_for(1).saturating_add(logits).saturating_add(channels);
        let needed = words.saturating_mul(size_of::<i32>());
        let scratch_used = if bidirectional { size_of_val(scratch) } else { needed };
        let refusal = Refusal::Scratch { needed, available: size_of_val(scratch) };
        let (logits, scratch) = scratch.split_at_mut_checked(logits).ok_or(refusal)?;
        let (row, state) = scratch.split_at_mut_checked(channels).ok_or(refusal)?;
        let session = model.session(state).map_err(|_| refusal)?;
        Ok(Classifier {
            model,
            session,
            logits,
            row,
            filled: 0,
            numbers: Numbers::default(),
            unreadable: None,
            file_bytes: found.file.len(),
            crc32: crc32(found.file),
            scratch_used,
            ticks: 0,
            last: None,
        })
    }

    /// The model.
    pub fn model(&self) -> &'m Model<'m> {
        self.model
    }

    /// Length of the model's file.
    pub fn file_bytes(&self) -> usize {
        self.file_bytes
    }

    /// CRC-32 of the model's file.
    pub fn crc32(&self) -> u32 {
        self.crc32
    }

    /// Bytes of scratch in use.
    pub fn scratch_used(&self) -> usize {
        self.scratch_used
    }

    /// Begins a text.
    pub fn begin(&mut self) {
        self.session.reset();
        (self.filled, self.numbers, self.unreadable) = (0, Numbers::default(), None);
        self.ticks = 0;
        self.last = None;
    }

    /// Takes the next bytes of the text.
    pub fn feed(&mut self, bytes: &[u8], port: &mut impl Port) {
        let start = port.ticks();
        if self.model.config().input == Input::Values {
            self.feed_numbers(bytes, false);
        } else {
            self.session.feed(bytes);
        }
        self.count(start, port);
    }

    /// Reads numbers: as many as there are channels are a step. From the first that is none, nothing is read.
    fn feed_numbers(&mut self, bytes: &[u8], is_end: bool) {
        for &byte in bytes {
            if self.unreadable.is_some() {
                return;
            }
            let number = if is_end { self.numbers.end(byte) } else { self.numbers.push(byte) };
            match number {
                Ok(Some((numerator, denominator))) => {
                    let value =
                        self.model.channel(self.filled).map_or(0, |channel| channel.encode(numerator, denominator));
                    if let Some(place) = self.row.get_mut(self.filled) {
                        *place = value;
                    }
                    self.filled += 1;
                }
                Ok(None) => (),
                Err(error) => self.unreadable = Some(error),
            }
            if self.filled >= self.row.len() {
                self.session.feed_values(self.row);
                self.filled = 0;
            }
            // A step may be ended, where it is whole.
            if self.filled > 0 && self.unreadable.is_none() && (is_end || byte == b';') {
                self.unreadable = Some(NumberError::Incomplete { found: self.filled, expected: self.row.len() });
            }
        }
    }

    /// [`feed`](Classifier::feed) that shows the answer after every token. Showing takes no ticks. Only a model that classifies texts
    /// from left to right has answers before the end: others show nothing.
    pub fn feed_with<P: Port>(&mut self, bytes: &[u8], port: &mut P, mut show: impl FnMut(&mut P, Shown<'_>)) {
        let Config { task, input, bidirectional, .. } = *self.model.config();
        if bidirectional || task != Task::Classify || input != Input::Tokens {
            return self.feed(bytes, port);
        }
        let Classifier { model, session, ticks, .. } = self;
        // As long as no token is known, a label would be a guess.
        let mut is_known = session.unknown() < session.tokens();
        let mut start = port.ticks();
        session.feed_with(bytes, |step| {
            *ticks += u64::from(port.ticks().wrapping_sub(start));
            is_known |= step.id != UNK;
            if is_known {
                let class = step.logits.best().class;
                let token = model.vocabulary().token(step.id).unwrap_or("?");
                show(port, Shown { token, class, probability: step.logits.probability(class) });
            }
            start = port.ticks();
        });
        self.count(start, port);
    }

    /// Completes the text.
    pub fn finish(&mut self, port: &mut impl Port) -> Answer {
        let start = port.ticks();
        if self.model.config().input == Input::Values {
            self.feed_numbers(b"\n", true);
        }
        self.session.finish();
        for (to, logit) in self.logits.iter_mut().zip(self.session.logits().iter()) {
            *to = logit;
        }
        self.count(start, port);
        let answer = Answer {
            tokens: self.session.tokens(),
            unknown: self.session.unknown(),
            ticks: self.ticks,
            refused: match (self.unreadable, self.session.check_length()) {
                (Some(error), _) => Some(Refused::Numbers(error)),
                (None, Err(too_long)) => Some(Refused::TooLong(too_long)),
                (None, Ok(())) => None,
            },
        };
        self.last = Some(answer);
        answer
    }

    /// How many numbers a step has; 0 of a model that reads tokens.
    pub fn channels(&self) -> usize {
        self.row.len()
    }

    /// One value of a forecast after the last text, as [`Model::forecast`] describes it; none beyond the last.
    pub fn forecast(&mut self, index: usize) -> Option<i32> {
        self.session.forecast(index)
    }

    /// How many tokens of a text the model can keep; none: there is no limit.
    pub fn cap(&self) -> Option<u32> {
        self.session.cap()
    }

    /// Classifies a whole text.
    pub fn classify(&mut self, text: &[u8], port: &mut impl Port) -> Answer {
        self.begin();
        self.feed(text, port);
        self.finish(port)
    }

    /// The answer to the last text, while its logits stand.
    pub fn last(&self) -> Option<Answer> {
        self.last
    }

    /// The logits of the last text that is complete. `[classes]`, Q16.
    pub fn logits(&self) -> &[i32] {
        self.logits
    }

    /// The classes by falling logit, the lowest among equals first.
    pub fn ranking(&self) -> impl Iterator<Item = usize> {
        let best = |after: Option<usize>| {
            let follows = |&class: &usize| match after {
                // Falling logit, then rising class: compared the other way round.
                Some(after) => (self.logits[class], after) < (self.logits[after], class),
                None => true,
            };
            let key = |&class: &usize| (self.logits[class], core::cmp::Reverse(class));
            (0..self.logits.len()).filter(follows).max_by_key(key)
        };
        core::iter::successors(best(None), move |&class| best(Some(class)))
    }

    /// The softmax of one class, Q16, of the last text that is complete.
    pub fn probability(&self, class: usize) -> u32 {
        softmax(self.logits, class)
    }

    /// The name of a class.
    pub fn label(&self, class: usize) -> &'m str {
        self.model.labels().get(class).unwrap_or("")
    }

    fn count(&mut self, start: u32, port: &mut impl Port) {
        self.ticks += u64::from(port.ticks().wrapping_sub(start));
    }
}
