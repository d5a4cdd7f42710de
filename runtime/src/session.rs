//! Running a model over a text or a sequence of values.

pub(crate) mod forward;
pub(crate) mod sampling;
mod saved_state;
pub(crate) mod scratch;

use crate::error::{ScratchError, TooLong};
use crate::layers::head::Logits;
use crate::model::SelfTest;
use crate::model::{Golden, Model};
use crate::state_codec::Archive;
use crate::text::vocabulary::UNK;
use crate::text::{self, Encoder};
use forward::Run;
use scratch::{Layout, Memory};

/// One text, or one sequence, on its way through a model. Its memory does not grow with the text; a bidirectional model keeps
/// the tokens, up to a number that the scratch allows.
#[derive(Debug)]
pub struct Session<'s> {
    encoder: Encoder<'s>,
    run: Run<'s>,
}

/// What a step of a [`Session`] shows: the token read and the answer after it.
#[derive(Clone, Copy, Debug)]
pub struct Step<'s> {
    /// The token's id.
    pub id: u32,
    /// The answer so far.
    pub logits: Logits<'s>,
}

impl Model<'_> {
    /// The tokens that [`scratch_len`](Model::scratch_len) has room for in a bidirectional model.
    pub const KEPT_TOKENS: usize = 128;

    /// How many words of scratch a [`Session`] needs. For one layer of LSTM that reads to the last state: 8·H + 2·E bytes, rounded up to
    /// words, and what its tokenizer keeps of the text ([`text::buffer_len`]). For a bidirectional model, which keeps the tokens: as [`scratch_len_for`](Model::scratch_len_for)
    /// [`KEPT_TOKENS`](Model::KEPT_TOKENS).
    pub fn scratch_len(&self) -> usize {
        self.scratch_len_for(Self::KEPT_TOKENS)
    }

    /// How many words of scratch a [`Session`] needs for texts of up to so many tokens; only to bidirectional models their number
    /// matters. They take what they are given, from one token up to 65,534.
    pub fn scratch_len_for(&self, tokens: usize) -> usize {
        Layout::of(self).len(tokens) + text::buffer_len(self.config.tokenizer)
    }

    /// Begins to run texts in `scratch`.
    ///
    /// # Errors
    /// [`ScratchError`] if `scratch` is shorter than [`scratch_len_for`](Model::scratch_len_for) one token.
    pub fn session<'s>(&'s self, scratch: &'s mut [i32]) -> Result<Session<'s>, ScratchError> {
        Session::new(self, scratch)
    }

    /// Runs the golden texts.
    ///
    /// # Errors
    /// [`ScratchError`] if `scratch` is shorter than [`scratch_len`](Model::scratch_len).
    pub fn self_test(&self, scratch: &mut [i32]) -> Result<SelfTest, ScratchError> {
        let mut session = self.session(scratch)?;
        let mut result = SelfTest { passed: 0, total: 0 };
        for golden in self.golden() {
            let exact = session.run_golden(&golden).iter().eq(golden.logits.iter().copied());
            result.passed += usize::from(exact);
            result.total += 1;
        }
        Ok(result)
    }
}

impl<'s> Session<'s> {
    pub(crate) fn new(model: &'s Model<'s>, scratch: &'s mut [i32]) -> Result<Self, ScratchError> {
        // Made where it will be, then reset: it is 88 bytes to move.
        let mut session = Session::begun(model, scratch);
        if let Ok(session) = &mut session {
            session.reset();
        }
        session
    }

    /// Of whatever was in `scratch`.
    fn begun(model: &'s Model<'s>, scratch: &'s mut [i32]) -> Result<Self, ScratchError> {
        let (found, least) = (scratch.len(), usize::from(model.config().reads_both_ways()));
        let error = || ScratchError { found, expected: model.scratch_len_for(least) };
        let tokenizer = model.config().tokenizer;
        let (text, scratch) = scratch.split_at_mut_checked(text::buffer_len(tokenizer)).ok_or_else(error)?;
        let memory = Memory::new(model, scratch).ok_or_else(error)?;
        Ok(Session { encoder: Encoder::new(tokenizer, text), run: Run::new(model, memory) })
    }

    /// Begins a new text.
    pub fn reset(&mut self) {
        self.encoder.reset();
        self.run.reset();
    }

    /// Takes the next bytes of the text, cut anywhere. Each complete token costs one step. A model that reads values ignores text.
    pub fn feed(&mut self, bytes: &[u8]) {
        if let Some((encoder, run)) = self.reads_tokens() {
            encoder.feed(&run.model.vocabulary, bytes, &mut step_of(run));
        }
    }

    /// [`feed`](Session::feed) that shows every step. Of a bidirectional model every step shown costs as much as all that came
    /// before it.
    pub fn feed_with(&mut self, bytes: &[u8], mut on_step: impl FnMut(Step<'_>)) {
        if let Some((encoder, run)) = self.reads_tokens() {
            encoder.feed(&run.model.vocabulary, bytes, &mut step_shown(run, &mut on_step));
        }
    }

    /// Takes one token by its id, past the tokenizer: for callers that have ids already. An id beyond the vocabulary counts as
    /// [`UNK`]. A token of a text under way is not ended by it. A model that reads values ignores it.
    pub fn feed_id(&mut self, id: u32) {
        if !self.run.model.config().reads_values() {
            self.run.take_id(if (id as usize) < self.run.model.config().vocab_size { id } else { UNK });
        }
    }

    /// Takes one value for each channel: integers as [`Model::channel`] describes them. Missing ones count as the mean of their
    /// channel. A model that reads tokens ignores them.
    pub fn feed_values(&mut self, values: &[i32]) {
        if self.run.model.config().reads_values() {
            self.run.take_values(values);
        }
    }

    /// Ends the text: its last token may be waiting for that. The answer stands until [`reset`](Session::reset), and more bytes
    /// go on from it.
    pub fn finish(&mut self) {
        if let Some((encoder, run)) = self.reads_tokens() {
            encoder.finish(&run.model.vocabulary, &mut step_of(run));
        }
    }

    /// [`finish`](Session::finish) that shows the last step, if there is one.
    pub fn finish_with(&mut self, mut on_step: impl FnMut(Step<'_>)) {
        if let Some((encoder, run)) = self.reads_tokens() {
            encoder.finish(&run.model.vocabulary, &mut step_shown(run, &mut on_step));
        }
    }

    /// Classifies one whole text: [`reset`](Session::reset), [`feed`](Session::feed), [`finish`](Session::finish).
    pub fn classify(&mut self, text: &[u8]) -> Logits<'_> {
        self.reset();
        self.feed(text);
        self.finish();
        self.logits()
    }

    /// Runs a golden text, or sequence, as a new one.
    pub fn run_golden(&mut self, golden: &Golden<'_>) -> Logits<'_> {
        let channels = self.run.model.numbers().input.len().max(1);
        self.reset();
        self.feed(golden.text.as_bytes());
        self.finish();
        for values in golden.values.chunks(channels) {
            self.feed_values(values);
        }
        self.logits()
    }

    /// The answer after the tokens so far. Of a bidirectional model it costs a run over all of them, once.
    pub fn logits(&mut self) -> Logits<'_> {
        self.run.logits()
    }

    /// One value of the answer so far of a [`Forecast`](crate::Task::Forecast), as [`Model::forecast`] describes it; none beyond the last,
    /// nor of other models.
    pub fn forecast(&mut self, index: usize) -> Option<i32> {
        let output = self.run.model.numbers().output;
        let value = self.logits().get(index)?;
        output.write(index, value, self.run.memory.last)
    }

    /// How many tokens the text has so far, or steps the sequence.
    pub fn tokens(&self) -> u32 {
        self.run.steps
    }

    /// How many of the tokens are not in the vocabulary.
    pub fn unknown(&self) -> u32 {
        self.run.unknown
    }

    /// Whether a bidirectional model was given more than its scratch can keep: the answer is then that of the first tokens.
    ///
    /// # Errors
    /// [`TooLong`] with both numbers.
    pub fn check_length(&self) -> Result<(), TooLong> {
        match (self.run.steps, self.cap()) {
            (found, Some(kept)) if found > kept => Err(TooLong { found, kept }),
            _ => Ok(()),
        }
    }

    /// How many tokens, or steps, a bidirectional model can keep here; none: there is no limit.
    pub fn cap(&self) -> Option<u32> {
        self.run.memory.kept.as_ref().map(|kept| kept.cap)
    }

    /// A fingerprint of the state: FNV-1a of the hidden state's bytes, then of the finer state's, of one layer after the other, then of
    /// the sums and the largest values that pooling keeps, little-endian by unit; of a bidirectional model of what it keeps of
    /// the steps. The same on every machine after the same tokens.
    pub fn state_hash(&self) -> u32 {
        self.run.state_bytes().fold(FNV_START, fnv1a)
    }

    pub(crate) fn model(&self) -> &'s Model<'s> {
        self.run.model
    }

    /// All that is kept between two bytes of a text.
    pub(crate) fn walk(&mut self, archive: &mut Archive<'_>) {
        self.run.walk(archive);
        if !self.run.model.config().reads_values() {
            self.encoder.walk(&self.run.model.vocabulary, archive);
        }
    }

    /// The parts of a session that reads tokens.
    fn reads_tokens(&mut self) -> Option<(&mut Encoder<'s>, &mut Run<'s>)> {
        let Session { encoder, run } = self;
        if run.model.config().reads_values() { None } else { Some((encoder, run)) }
    }
}

/// A step for each id. Here and below one type serves all who feed: their code is linked once.
fn step_of(run: &mut Run<'_>) -> impl FnMut(u32) {
    |id| run.take_id(id)
}

/// [`step_of`] that shows every step.
fn step_shown(run: &mut Run<'_>, on_step: &mut dyn FnMut(Step<'_>)) -> impl FnMut(u32) {
    |id| {
        run.take_id(id);
        on_step(Step { id, logits: run.logits() });
    }
}

pub(crate) const FNV_START: u32 = 0x811c_9dc5;

pub(crate) fn fnv1a(hash: u32, byte: u8) -> u32 {
    (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
}
