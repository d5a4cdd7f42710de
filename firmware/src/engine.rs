//! Runs the loaded model for the console: reads texts or numbers, predicts, and counts the clock ticks that this takes.
//!
//! A model reads either the tokens of a text or series of decimal numbers, one for each channel and time step. Below,
//! "text" stands for both. `begin`, `feed` and `finish` of [`Engine`] read one text.

#[cfg(feature = "models")]
use tern_runtime::TooLong;
use tern_runtime::{Config, Golden, Input, Logits, Model, Ranked, Sampler, Session, Task, UNK, softmax};
use thiserror::Error;

use crate::features::TASKS;
use crate::loaded_model::{LoadedModel, Refusal};
use crate::numbers::{NumberError, NumberParser};
use crate::pieces::{piece_bytes, read_golden};
use crate::port::{Port, ticks_since};

/// The result of a complete text, without its logits, which stay in the [`Engine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Tokens of the text; time steps for a model that reads numbers.
    pub tokens: u32,
    /// Tokens of the text that are not in the vocabulary; 0 for a model that reads numbers.
    pub unknown: u32,
    /// Clock ticks spent in the runtime.
    pub ticks: u64,
    /// The reason why the text has no prediction, if it has none.
    pub error: Option<InputError>,
}

impl Answer {
    /// Returns true if any token is in the vocabulary, or any time step was read. If not, a label would be a guess.
    pub fn is_known(&self) -> bool {
        self.unknown < self.tokens
    }
}

/// The reason why a text has no prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InputError {
    /// The model reads in both directions, and the text has more tokens than the scratch has room for.
    #[cfg(feature = "models")]
    #[error(
        "text too long: {} tokens, a bidirectional model must keep them all and has room for {}; send it in parts, or \
         raise SCRATCH_BYTES", .0.found, .0.kept
    )]
    TooLong(TooLong),
    /// The model reads numbers, and the input is not a series of numbers that form complete time steps.
    #[cfg(feature = "tasks")]
    #[error("numbers: {0}")]
    Numbers(NumberError),
}

/// The prediction after one token of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepAnswer<'t> {
    /// The token, or `?` if the vocabulary has no text for it.
    pub token: &'t str,
    /// The most probable class.
    pub class: usize,
    /// The probability of that class, Q16.
    pub probability: u32,
}

/// The parameters for drawing a language model's next token.
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
    /// The largest `top_k`. The candidates are kept on the stack.
    pub const MAX_CANDIDATES: usize = 40;
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling { seed: 1, temperature: Sampler::ONE, top_k: Sampling::MAX_CANDIDATES }
    }
}

/// The cost of generated text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GenerationCost {
    /// Tokens generated.
    pub tokens: u32,
    /// Ticks spent in the runtime.
    pub ticks: u64,
}

/// Feeds the watchdog. Returns true, so that the runtime continues its work.
fn stay_alive(port: &mut impl Port) -> bool {
    port.keep_alive();
    true
}

/// A model with its state in the board's scratch.
#[derive(Debug)]
pub struct Engine<'m> {
    model: &'m Model<'m>,
    session: Session<'m>,
    /// The logits of the last complete text: `[classes]`, Q16. Empty for a language model, whose logits (one for each
    /// token of the vocabulary) stay in the session.
    logits: &'m mut [i32],
    /// The time step being filled: `[channels]`. Empty for models that read tokens.
    row: &'m mut [i32],
    /// The number of channels of `row` that have been filled.
    filled: usize,
    numbers: NumberParser,
    /// The first error in the numbers; the input after it is ignored.
    number_error: Option<NumberError>,
    file_bytes: usize,
    crc32: u32,
    /// Ticks that the current text has taken so far.
    ticks: u64,
    /// The answer to the last complete text; `None` if its logits are no longer stored, as while a text is being read.
    last_answer: Option<Answer>,
}

impl<'m> Engine<'m> {
    /// Prepares a model to run in `scratch`. A bidirectional model uses all of `scratch`, to keep as many tokens as
    /// possible.
    ///
    /// # Errors
    /// [`Refusal::Task`] if this build does not run the model's task; [`Refusal::Scratch`] if `scratch` is too short
    /// for the state, the logits and one time step of numbers.
    pub fn new(loaded: &'m LoadedModel<'m>, scratch: &'m mut [i32]) -> Result<Self, Refusal> {
        let model = &loaded.model;
        let Config { task, input, classes, embedding_dim, .. } = *model.config();
        if !TASKS && task != Task::Classify {
            return Err(Refusal::Task(task));
        }
        let logit_count = if task == Task::LanguageModel { 0 } else { classes };
        let channels = if input == Input::Values { embedding_dim } else { 0 };
        let needed_words = model.scratch_len_for(1).saturating_add(logit_count).saturating_add(channels);
        let needed = needed_words.saturating_mul(size_of::<i32>());
        let refusal = Refusal::Scratch { needed, available: size_of_val(scratch) };
        let (logits, after_logits) = scratch.split_at_mut_checked(logit_count).ok_or(refusal)?;
        let (row, state) = after_logits.split_at_mut_checked(channels).ok_or(refusal)?;
        let session = model.session(state).map_err(|_| refusal)?;
        Ok(Engine {
            model,
            session,
            logits,
            row,
            filled: 0,
            numbers: NumberParser::default(),
            number_error: None,
            file_bytes: loaded.file.len(),
            crc32: loaded.crc32,
            ticks: 0,
            last_answer: None,
        })
    }

    /// The model.
    pub fn model(&self) -> &'m Model<'m> {
        self.model
    }

    /// The task of the model.
    pub fn task(&self) -> Task {
        self.model.config().task
    }

    /// The session that holds the model's state.
    pub(crate) fn session(&mut self) -> &mut Session<'m> {
        &mut self.session
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

    /// Begins a new text and reads a golden example into it.
    pub(crate) fn read_golden(&mut self, golden: &Golden<'_>, port: &mut impl Port) {
        self.begin();
        read_golden(self.model, &mut self.session, golden, &mut || stay_alive(port));
    }

    /// The logits of the session after the steps so far. A bidirectional model runs its tokens for them.
    pub(crate) fn current_logits(&mut self, port: &mut impl Port) -> Logits<'_> {
        self.session.logits_while(|| stay_alive(port));
        self.session.logits()
    }

    /// Begins a new text: resets the session, the ticks and the last answer.
    pub(crate) fn begin(&mut self) {
        self.session.reset();
        (self.filled, self.numbers, self.number_error) = (0, NumberParser::default(), None);
        self.ticks = 0;
        self.last_answer = None;
    }

    /// Reads the next bytes of the text.
    pub(crate) fn feed(&mut self, bytes: &[u8], port: &mut impl Port) {
        let start = port.ticks();
        match &mut self.session {
            Session::Text(session) => {
                for piece in bytes.chunks(piece_bytes(self.model.config())) {
                    session.feed(piece);
                    port.keep_alive();
                }
            }
            Session::Values(_) if TASKS => {
                for &byte in bytes {
                    self.feed_number_byte(byte, false);
                    port.keep_alive();
                }
            }
            Session::Values(_) => (),
        }
        self.ticks += ticks_since(start, port);
    }

    /// Reads one byte of the decimal numbers. One number for each channel makes a time step, which goes to the session.
    /// After an error, all further bytes are ignored. `is_end` is true at the end of the input; `byte` is then a line
    /// end that the input does not contain.
    fn feed_number_byte(&mut self, byte: u8, is_end: bool) {
        if self.number_error.is_some() {
            return;
        }
        let number = if is_end { self.numbers.end(byte) } else { self.numbers.push(byte) };
        match number {
            Ok(Some((numerator, denominator))) => {
                debug_assert!(self.filled < self.row.len(), "the row is emptied as soon as it is complete");
                let value = self.model.channel(self.filled).map_or(0, |channel| channel.encode(numerator, denominator));
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

    /// Reads the next bytes as [`feed`](Engine::feed) does, and calls `show` with the prediction after each token, from
    /// the first known token on. The time in `show` is not counted.
    ///
    /// Only a model that classifies texts from left to right has predictions before the end. For others `show` is never
    /// called.
    pub(crate) fn feed_with<P: Port>(
        &mut self,
        bytes: &[u8],
        port: &mut P,
        mut show: impl FnMut(&mut P, StepAnswer<'_>),
    ) {
        let Config { task, input, bidirectional, .. } = *self.model.config();
        if bidirectional || task != Task::Classify || input != Input::Tokens {
            return self.feed(bytes, port);
        }
        let Engine { model, session, ticks, .. } = self;
        let Some(session) = session.text() else { return };
        // A label would be a guess until a token is known.
        let mut is_known = session.unknown() < session.tokens();
        let mut start = port.ticks();
        session.feed_with(bytes, |step| {
            *ticks += ticks_since(start, port);
            is_known |= step.id != UNK;
            if is_known {
                let class = step.logits.best().class;
                let token = model.vocabulary().token(step.id).unwrap_or("?");
                show(port, StepAnswer { token, class, probability: step.logits.probability(class) });
            }
            start = port.ticks();
        });
        self.ticks += ticks_since(start, port);
    }

    /// Ends the text, stores its [`logits`](Engine::logits), and returns its answer.
    pub(crate) fn finish(&mut self, port: &mut impl Port) -> Answer {
        let start = port.ticks();
        match &mut self.session {
            Session::Text(session) => session.finish(),
            Session::Values(_) if TASKS => self.feed_number_byte(b'\n', true),
            Session::Values(_) => (),
        }
        self.session.logits_while(|| stay_alive(port));
        for (stored, logit) in self.logits.iter_mut().zip(self.session.logits().iter()) {
            *stored = logit;
        }
        self.ticks += ticks_since(start, port);
        // Each feature brings one kind of error; an error in the numbers comes first.
        let error = None;
        #[cfg(feature = "models")]
        let error = self.session.check_length().err().map(InputError::TooLong).or(error);
        #[cfg(feature = "tasks")]
        let error = self.number_error.map(InputError::Numbers).or(error);
        let (tokens, unknown) = (self.session.tokens(), self.session.unknown());
        let answer = Answer { tokens, unknown, ticks: self.ticks, error };
        self.last_answer = Some(answer);
        answer
    }

    /// Runs the model over a whole text, or over the numbers in it. The model may have any task.
    pub(crate) fn predict(&mut self, text: &[u8], port: &mut impl Port) -> Answer {
        self.begin();
        self.feed(text, port);
        self.finish(port)
    }

    /// The answer to the last complete text; `None` if its logits are no longer stored.
    pub(crate) fn last_answer(&self) -> Option<Answer> {
        self.last_answer
    }

    /// The logits of the last complete text: `[classes]`, Q16. Empty for a language model.
    pub(crate) fn logits(&self) -> &[i32] {
        self.logits
    }

    /// The classes in the order of decreasing logits; among equal logits, the lowest class comes first.
    pub(crate) fn ranking(&self) -> impl Iterator<Item = usize> {
        // Finds the first of the classes that come after `previous`, or of all with `None`. The ranking is not stored.
        let successor = |previous: Option<Ranked>| {
            let precedes = |a: Ranked, b: Ranked| a.logit > b.logit || (a.logit == b.logit && a.class < b.class);
            let mut first = None;
            for (class, &logit) in self.logits.iter().enumerate() {
                let ranked = Ranked { class, logit };
                let is_after = previous.is_none_or(|previous| precedes(previous, ranked));
                if is_after && first.is_none_or(|first| precedes(ranked, first)) {
                    first = Some(ranked);
                }
            }
            first
        };
        core::iter::successors(successor(None), move |&ranked| successor(Some(ranked))).map(|ranked| ranked.class)
    }

    /// The probability of one class for the last complete text, Q16: the softmax of the stored logits.
    pub(crate) fn probability(&self, class: usize) -> u32 {
        softmax(self.logits, class)
    }

    /// Returns true if the model's [rule](tern_runtime::Refusal) lets it refuse to answer the last complete text, whose
    /// most probable class is `class`; `None` for a model that always answers.
    pub(crate) fn refuses(&self, class: usize) -> Option<bool> {
        Some(self.model.refusal()?.applies(class, self.probability(class)))
    }

    /// The label of a class; empty if there is no such class.
    pub(crate) fn label(&self, class: usize) -> &'m str {
        self.model.labels().get(class).unwrap_or("")
    }

    /// Continues the last text by `count` tokens, and calls `write` with the id of each; the time in `write` is not
    /// counted. Generation ends at the first error of `write`.
    pub(crate) fn generate<P: Port, E>(
        &mut self,
        count: usize,
        sampling: Sampling,
        port: &mut P,
        mut write: impl FnMut(&mut P, u32) -> Result<(), E>,
    ) -> Result<GenerationCost, E> {
        let mut sampler = Sampler::new(sampling.seed.into(), sampling.temperature);
        let mut candidates = [Ranked::default(); Sampling::MAX_CANDIDATES];
        let top_k = sampling.top_k.clamp(1, Sampling::MAX_CANDIDATES);
        let candidates = candidates.get_mut(..top_k).unwrap_or(&mut []);
        let mut cost = GenerationCost::default();
        for _ in 0..count {
            let start = port.ticks();
            // Generation ends if the model reads no tokens, or if its vocabulary has no token that can be drawn.
            let Some(session) = self.session.text() else { break };
            let Some(id) = sampler.sample(&session.logits(), candidates) else { break };
            session.feed_id(id);
            cost.ticks += ticks_since(start, port);
            cost.tokens += 1;
            write(port, id)?;
        }
        // The generated tokens have changed the state of the session.
        self.last_answer = None;
        Ok(cost)
    }
}
