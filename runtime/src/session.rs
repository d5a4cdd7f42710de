//! Sessions: one text or one sequence of values on its way through a model.
//!
//! [`Model::text_session`] and [`Model::value_session`] are for programs that run one kind of model; [`Model::session`]
//! is for programs that run both.

pub(crate) mod forward;
pub(crate) mod sampling;
mod saved_state;
pub(crate) mod scratch;
mod text_session;
mod value_session;

use core::ops::{Deref, DerefMut};

use crate::error::{ScratchError, SessionError, TooLong};
use crate::layers::head::Logits;
use crate::model::{Golden, Model, SelfTest};
use crate::state_codec::StateCodec;
use crate::text::{self, Encoder};
use forward::Forward;
use scratch::{Layout, Scratch};

pub use text_session::{Step, TextSession};
pub use value_session::ValueSession;

impl<'a> Model<'a> {
    /// The number of tokens for which [`scratch_len`](Model::scratch_len) has room in a bidirectional model.
    pub const KEPT_TOKENS: usize = 128;

    /// The length of the scratch that a session needs, in words of 32 bits.
    ///
    /// For one LSTM layer that reads forwards: 8·H + 2·E bytes, rounded up to words, and the buffer of the tokenizer
    /// ([`text::buffer_len`]). A bidirectional model keeps the tokens, here up to [`KEPT_TOKENS`](Model::KEPT_TOKENS)
    /// of them.
    pub fn scratch_len(&self) -> usize {
        self.scratch_len_for(Self::KEPT_TOKENS)
    }

    /// The length of the scratch for texts of up to `tokens` tokens, in words of 32 bits. The number of tokens matters
    /// to bidirectional models only, which keep from 1 to 65,534 of them.
    pub fn scratch_len_for(&self, tokens: usize) -> usize {
        Layout::of(self).len(tokens) + text::buffer_len(self.config.tokenizer)
    }

    /// Begins a session on the caller's scratch, for programs that run models of either kind.
    ///
    /// # Errors
    /// [`ScratchError`] if `scratch` is shorter than [`scratch_len_for`](Model::scratch_len_for) one token.
    pub fn session<'s>(&'s self, scratch: &'s mut [i32]) -> Result<Session<'s>, ScratchError> {
        let base = SessionBase::new(self, scratch)?;
        Ok(if self.config.reads_values() {
            Session::Values(ValueSession(base))
        } else {
            Session::Text(TextSession(base))
        })
    }

    /// Begins a session of a model that reads text.
    ///
    /// # Errors
    /// [`SessionError::ReadsValues`] if the model reads values; [`SessionError::Scratch`] if `scratch` is too short.
    pub fn text_session<'s>(&'s self, scratch: &'s mut [i32]) -> Result<TextSession<'s>, SessionError> {
        if self.config.reads_values() {
            return Err(SessionError::ReadsValues);
        }
        SessionBase::new(self, scratch).map(TextSession).map_err(SessionError::Scratch)
    }

    /// Begins a session of a model that reads values.
    ///
    /// # Errors
    /// [`SessionError::ReadsText`] if the model reads text; [`SessionError::Scratch`] if `scratch` is too short.
    pub fn value_session<'s>(&'s self, scratch: &'s mut [i32]) -> Result<ValueSession<'s>, SessionError> {
        if !self.config.reads_values() {
            return Err(SessionError::ReadsText);
        }
        SessionBase::new(self, scratch).map(ValueSession).map_err(SessionError::Scratch)
    }

    /// Runs the golden examples and compares their logits with those in the file.
    ///
    /// # Errors
    /// [`ScratchError`] if `scratch` is shorter than [`scratch_len`](Model::scratch_len).
    pub fn self_test(&self, scratch: &mut [i32]) -> Result<SelfTest, ScratchError> {
        let mut session = SessionBase::new(self, scratch)?;
        let mut result = SelfTest { passed: 0, total: 0 };
        for golden in self.golden() {
            let exact = session.run_golden(&golden).iter().eq(golden.logits.iter().copied());
            result.passed += usize::from(exact);
            result.total += 1;
        }
        Ok(result)
    }
}

/// A session of a model of either kind. It dereferences to [`SessionBase`], which has the methods that both kinds
/// share.
#[derive(Debug)]
pub enum Session<'s> {
    /// A session of a model that reads text.
    Text(TextSession<'s>),
    /// A session of a model that reads values.
    Values(ValueSession<'s>),
}

impl<'s> Session<'s> {
    /// The session of a model that reads text; none of a model that reads values.
    pub fn text(&mut self) -> Option<&mut TextSession<'s>> {
        match self {
            Session::Text(session) => Some(session),
            Session::Values(_) => None,
        }
    }

    /// The session of a model that reads values; none of a model that reads text.
    pub fn values(&mut self) -> Option<&mut ValueSession<'s>> {
        match self {
            Session::Text(_) => None,
            Session::Values(session) => Some(session),
        }
    }
}

impl<'s> Deref for Session<'s> {
    type Target = SessionBase<'s>;

    fn deref(&self) -> &SessionBase<'s> {
        match self {
            Session::Text(session) => session,
            Session::Values(session) => session,
        }
    }
}

impl<'s> DerefMut for Session<'s> {
    fn deref_mut(&mut self) -> &mut SessionBase<'s> {
        match self {
            Session::Text(session) => session,
            Session::Values(session) => session,
        }
    }
}

/// The part that [`TextSession`] and [`ValueSession`] share.
///
/// Its memory does not grow with the length of the text. A bidirectional model keeps the tokens, as many as the scratch
/// has room for.
#[derive(Debug)]
pub struct SessionBase<'s> {
    encoder: Encoder<'s>,
    forward: Forward<'s>,
}

impl<'s> SessionBase<'s> {
    fn new(model: &'s Model<'s>, scratch: &'s mut [i32]) -> Result<Self, ScratchError> {
        // The session is built in place and then reset, because moving it would copy 88 bytes.
        let mut session = SessionBase::before_reset(model, scratch);
        if let Ok(session) = &mut session {
            session.reset();
        }
        session
    }

    /// A session whose state is whatever `scratch` holds.
    fn before_reset(model: &'s Model<'s>, scratch: &'s mut [i32]) -> Result<Self, ScratchError> {
        let (found, least) = (scratch.len(), usize::from(model.config().reads_both_ways()));
        let error = || ScratchError { found, expected: model.scratch_len_for(least) };
        let tokenizer = model.config().tokenizer;
        let (buffer, scratch) = scratch.split_at_mut_checked(text::buffer_len(tokenizer)).ok_or_else(error)?;
        let scratch = Scratch::new(model, scratch).ok_or_else(error)?;
        Ok(SessionBase { encoder: Encoder::new(tokenizer, buffer), forward: Forward::new(model, scratch) })
    }

    /// Begins a new text or sequence. Without it, a second text continues the first one.
    pub fn reset(&mut self) {
        self.encoder.reset();
        self.forward.reset();
    }

    /// Runs a golden example as a new text or sequence.
    pub fn run_golden(&mut self, golden: &Golden<'_>) -> Logits<'_> {
        let channels = self.forward.model.numbers().input.len().max(1);
        self.reset();
        if self.forward.model.config().reads_values() {
            for values in golden.values.chunks(channels) {
                self.forward.take_values(values);
            }
        } else {
            self.feed_text(golden.text.as_bytes());
            self.finish_text();
        }
        self.logits()
    }

    /// The logits after the steps so far. A bidirectional model runs over all kept steps when the logits are first
    /// asked for.
    pub fn logits(&mut self) -> Logits<'_> {
        self.forward.logits()
    }

    /// Writes the logits after the steps so far to `to`, Q16, and returns how many it wrote: the number of classes, or
    /// the length of `to` if that is less. With [`softmax`](crate::softmax) the probabilities of several classes then
    /// cost one pass over the head.
    pub fn logits_into(&mut self, to: &mut [i32]) -> usize {
        let logits = self.logits();
        to.iter_mut().zip(logits.iter()).for_each(|(to, logit)| *to = logit);
        to.len().min(logits.len())
    }

    /// The number of tokens of the text so far, or of steps of the sequence.
    pub fn tokens(&self) -> u32 {
        self.forward.steps
    }

    /// The number of these tokens that are not in the vocabulary.
    pub fn unknown(&self) -> u32 {
        self.forward.unknown
    }

    /// Checks that a bidirectional model could keep all tokens. If it could not, the logits are those of the first
    /// tokens.
    ///
    /// # Errors
    /// [`TooLong`] with both numbers.
    pub fn check_length(&self) -> Result<(), TooLong> {
        match (self.forward.steps, self.cap()) {
            (found, Some(kept)) if found > kept => Err(TooLong { found, kept }),
            _ => Ok(()),
        }
    }

    /// The number of tokens or steps that a bidirectional model can keep in this scratch; none if there is no limit.
    pub fn cap(&self) -> Option<u32> {
        self.forward.scratch.kept.as_ref().map(|kept| kept.cap)
    }

    /// A hash of the state, the same on every machine after the same tokens.
    ///
    /// It is the FNV-1a hash of these numbers, little-endian and by unit: of each layer the hidden state, then the
    /// finer state; then the sums and the maxima of the pooling; of a bidirectional model the kept steps.
    pub fn state_hash(&self) -> u32 {
        self.forward.state_bytes().fold(FNV_START, fnv1a)
    }

    pub(crate) fn model(&self) -> &'s Model<'s> {
        self.forward.model
    }

    /// Passes everything that is kept between two bytes of a text through the codec.
    pub(crate) fn visit_state(&mut self, codec: &mut StateCodec<'_>) {
        self.forward.visit_state(codec);
        if !self.forward.model.config().reads_values() {
            self.encoder.visit_state(&self.forward.model.vocabulary, codec);
        }
    }

    fn feed_text(&mut self, bytes: &[u8]) {
        let SessionBase { encoder, forward } = self;
        encoder.feed(&forward.model.vocabulary, bytes, &mut step_of(forward));
    }

    fn finish_text(&mut self) {
        let SessionBase { encoder, forward } = self;
        encoder.finish(&forward.model.vocabulary, &mut step_of(forward));
    }
}

/// A step for each id. All callers share this one closure type, so that the encoder's code is linked once.
fn step_of(forward: &mut Forward<'_>) -> impl FnMut(u32) {
    |id| forward.take_id(id)
}

pub(crate) const FNV_START: u32 = 0x811c_9dc5;

pub(crate) fn fnv1a(hash: u32, byte: u8) -> u32 {
    (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
}
