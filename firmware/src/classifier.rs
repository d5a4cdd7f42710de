//! A model at work: texts in, answers out, and what they cost.

use core::fmt;

use tern_runtime::{Config, Input, LoadError, Model, Session, Task, TooLong, UNK, file_len, softmax};

use crate::crc32::crc32;
use crate::port::Port;

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
    /// The file in the slot is refused.
    File(LoadError),
    /// The model is not one that classifies texts.
    Task {
        /// What it is for.
        task: Task,
        /// What it reads.
        input: Input,
    },
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
            Refusal::File(error) => write!(f, "the file in the model slot is refused: {error}"),
            Refusal::Task { task, input } => write!(
                f,
                "the model's task is `{}` and it reads {}, this console classifies texts; run it with `tern` on a host, or with the \
                 crate `tern-runtime` in a firmware of your own",
                task.word(),
                input.word()
            ),
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
    /// The text is longer than what the model's scratch can keep, so this is the answer to its beginning.
    pub too_long: Option<TooLong>,
}

impl Answer {
    /// Whether any token is in the vocabulary. If none is, a label would be a guess.
    pub fn is_known(&self) -> bool {
        self.unknown < self.tokens
    }
}

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

/// What the golden texts cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bench {
    /// Golden texts.
    pub texts: u32,
    /// Their tokens.
    pub tokens: u64,
    /// Ticks spent in the runtime: tokens, and the logits of each text.
    pub ticks: u64,
    /// The most ticks between two tokens; 0 of a bidirectional model, whose tokens all run at the end.
    pub worst: u32,
}

/// A model at work in a board's scratch.
#[derive(Debug)]
pub struct Classifier<'m> {
    model: &'m Model<'m>,
    session: Session<'m>,
    /// `[classes]`, Q16: of the last text that is complete.
    logits: &'m mut [i32],
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
    /// [`Refusal::Task`] if it does not classify texts; [`Refusal::Scratch`] if `scratch` is too short for its state and its
    /// logits. A bidirectional model takes all of it, to keep as many tokens as it can.
    pub fn new(found: &'m Found<'m>, scratch: &'m mut [i32]) -> Result<Self, Refusal> {
        let model = &found.model;
        let Config { task, input, classes, bidirectional, .. } = *model.config();
        if task != Task::Classify || input != Input::Tokens {
            return Err(Refusal::Task { task, input });
        }
        let needed = model.scratch_len_for(1).saturating_add(classes).saturating_mul(size_of::<i32>());
        let scratch_used = if bidirectional { size_of_val(scratch) } else { needed };
        let refusal = Refusal::Scratch { needed, available: size_of_val(scratch) };
        let (logits, state) = scratch.split_at_mut_checked(classes).ok_or(refusal)?;
        let session = model.session(state).map_err(|_| refusal)?;
        Ok(Classifier {
            model,
            session,
            logits,
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
        self.ticks = 0;
        self.last = None;
    }

    /// Takes the next bytes of the text.
    pub fn feed(&mut self, bytes: &[u8], port: &mut impl Port) {
        let start = port.ticks();
        self.session.feed(bytes);
        self.count(start, port);
    }

    /// [`feed`](Classifier::feed) that shows the answer after every token. Showing takes no ticks. A bidirectional model has no
    /// answer before the end: it shows nothing.
    pub fn feed_with<P: Port>(&mut self, bytes: &[u8], port: &mut P, mut show: impl FnMut(&mut P, Shown<'_>)) {
        if self.model.config().bidirectional {
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
        self.session.finish();
        for (to, logit) in self.logits.iter_mut().zip(self.session.logits().iter()) {
            *to = logit;
        }
        self.count(start, port);
        let answer = Answer {
            tokens: self.session.tokens(),
            unknown: self.session.unknown(),
            ticks: self.ticks,
            too_long: self.session.check_length().err(),
        };
        self.last = Some(answer);
        answer
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

    /// Runs the golden texts. [`last`](Classifier::last) is none after it.
    pub fn self_test(&mut self, port: &mut impl Port) -> SelfTest {
        let mut result = SelfTest::default();
        for golden in self.model.golden() {
            result.ticks += self.classify(golden.text.as_bytes(), port).ticks;
            let pairs = self.logits.iter().zip(golden.logits).enumerate();
            let failure = pairs
                .filter(|(_, (logit, expected))| logit != expected)
                .map(|(class, (&logit, &expected))| Mismatch { golden: result.golden, class, logit, expected })
                .next();
            result.exact += u32::from(failure.is_none());
            result.golden += 1;
            result.first_failure = result.first_failure.or(failure);
        }
        self.last = None;
        result
    }

    /// Runs the golden texts to see what a token costs. [`last`](Classifier::last) is none after it.
    pub fn bench(&mut self, port: &mut impl Port) -> Bench {
        let mut result = Bench::default();
        let model = self.model;
        for golden in model.golden() {
            let mut worst = 0;
            let answer = if model.config().bidirectional {
                // To show a step costs a run over all before it: there is no cost of one token.
                self.classify(golden.text.as_bytes(), port)
            } else {
                self.begin();
                let mut start = port.ticks();
                let mut take = |now: u32| {
                    worst = worst.max(now.wrapping_sub(start));
                    start = now;
                };
                self.session.feed_with(golden.text.as_bytes(), |_| take(port.ticks()));
                self.session.finish_with(|_| take(port.ticks()));
                self.classify(golden.text.as_bytes(), port)
            };
            result.texts += 1;
            result.tokens += u64::from(answer.tokens);
            result.ticks += answer.ticks;
            result.worst = result.worst.max(worst);
        }
        self.last = None;
        result
    }

    fn count(&mut self, start: u32, port: &mut impl Port) {
        self.ticks += u64::from(port.ticks().wrapping_sub(start));
    }
}
