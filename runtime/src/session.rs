//! Sessions: one text or one sequence of values that a model reads, with its hidden state in the caller's scratch,
//! which is memory that the caller lends.
//!
//! [`Model::text_session`] and [`Model::value_session`] are for programs that run one kind of model; [`Model::session`]
//! is for programs that run both. [`SessionBase`] has what both kinds share; `forward` computes the steps.
//!
//! The functions that begin a session are marked `inline` for the reason that the module `load` gives.

mod base;
pub(crate) mod forward;
pub(crate) mod sampling;
mod saved_state;
pub(crate) mod scratch;

use core::ops::{Deref, DerefMut};

use crate::error::{ScratchError, SessionError};
use crate::layers::head::Logits;
use crate::model::{Model, SelfTest};
use crate::text::vocabulary::UNK;
use crate::text::{self, TokenSink};
use forward::Forward;
use scratch::Layout;

pub use base::SessionBase;

impl<'a> Model<'a> {
    /// The number of tokens for which [`scratch_len`](Model::scratch_len) has room in a bidirectional model.
    pub const KEPT_TOKENS: usize = 128;

    /// The length of the scratch that a session needs, in words of 32 bits.
    ///
    /// For one forward LSTM layer whose last hidden state goes to a head of one layer: 8·H + 2·E bytes, rounded up to
    /// words, and the buffer of the tokenizer ([`text::buffer_len`]). H is the hidden size, E the embedding dimension.
    /// The scratch of a bidirectional model also holds [`KEPT_TOKENS`](Model::KEPT_TOKENS) tokens.
    pub fn scratch_len(&self) -> usize {
        self.scratch_len_for(Self::KEPT_TOKENS)
    }

    /// The length of the scratch for texts of up to `tokens` tokens, or sequences of so many steps, in words of 32
    /// bits. A bidirectional model must keep at least 1 token and keeps at most 65,534; other models ignore `tokens`.
    pub fn scratch_len_for(&self, tokens: usize) -> usize {
        Layout::of(self).len(tokens) + text::buffer_len(self.config.tokenizer)
    }

    /// Begins a session on the caller's scratch, for programs that run models of either kind.
    ///
    /// # Errors
    /// [`ScratchError`] if `scratch` is shorter than [`scratch_len_for`](Model::scratch_len_for) one token.
    #[cfg_attr(feature = "errors", inline)]
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
    /// [`ScratchError`] if `scratch` is shorter than [`scratch_len_for`](Model::scratch_len_for) one token. In a
    /// bidirectional model, a golden example that is too long for the scratch counts as failed.
    pub fn self_test(&self, scratch: &mut [i32]) -> Result<SelfTest, ScratchError> {
        let mut session = SessionBase::new(self, scratch)?;
        let mut result = SelfTest { passed: 0, total: 0 };
        for golden in self.golden() {
            let is_exact = session.run_golden(&golden).iter().eq(golden.logits.iter().copied());
            result.passed += usize::from(is_exact);
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
    /// Returns the session of a model that reads text; none if the model reads values.
    pub fn text(&mut self) -> Option<&mut TextSession<'s>> {
        match self {
            Session::Text(session) => Some(session),
            Session::Values(_) => None,
        }
    }

    /// Returns the session of a model that reads values; none if the model reads text.
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

/// A session of a model that reads text. It dereferences to [`SessionBase`], which has `reset`, `logits`, `save` and
/// `restore`.
#[derive(Debug)]
pub struct TextSession<'s>(SessionBase<'s>);

/// A token that a [`TextSession`] has read, and the logits after it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Step<'s> {
    /// The token's id.
    pub id: u32,
    /// The logits after this token.
    pub logits: Logits<'s>,
}

impl TextSession<'_> {
    /// Reads the next bytes of the text. The text may be cut into chunks anywhere. Each complete token costs one step.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.0.feed_text(bytes);
    }

    /// Reads the next bytes of the text and calls `on_step` after every token. A bidirectional model runs over all kept
    /// tokens for each call.
    pub fn feed_with(&mut self, bytes: &[u8], mut on_step: impl FnMut(Step<'_>)) {
        let SessionBase { encoder, forward } = &mut self.0;
        encoder.feed_tokens(&forward.model.vocabulary, bytes, &mut ShownSteps { forward, on_step: &mut on_step });
    }

    /// Reads one token by its id, without the tokenizer. An id beyond the vocabulary counts as [`UNK`]. A token that
    /// [`feed`](TextSession::feed) has begun is neither completed nor discarded. The n-gram branch does not read the
    /// id.
    pub fn feed_id(&mut self, id: u32) {
        let forward = &mut self.0.forward;
        forward.take_id(if (id as usize) < forward.model.config().vocab_size { id } else { UNK });
    }

    /// Counts one n-gram by its hash, which [`NgramHasher`](crate::text::NgramHasher) computes, or by its bucket,
    /// without the tokenizer and whatever its fingerprint is. Does nothing if the model has no n-gram branch.
    #[cfg(feature = "ngrams")]
    pub fn feed_ngram(&mut self, hash: u32) {
        self.0.forward.take_ngram(hash);
    }

    /// Ends the text and reads its last token: with `html_words` and `wordpiece` possibly several. More bytes continue
    /// the text; [`reset`](SessionBase::reset) begins a new one.
    pub fn finish(&mut self) {
        self.0.finish_text();
    }

    /// [`finish`](TextSession::finish), with a call of `on_step` after every token that it reads.
    pub fn finish_with(&mut self, mut on_step: impl FnMut(Step<'_>)) {
        let SessionBase { encoder, forward } = &mut self.0;
        encoder.finish_tokens(&forward.model.vocabulary, &mut ShownSteps { forward, on_step: &mut on_step });
        forward.end_text();
    }

    /// Reads one whole text and returns its logits: [`reset`](SessionBase::reset), [`feed`](TextSession::feed),
    /// [`finish`](TextSession::finish), [`logits`](SessionBase::logits).
    pub fn classify(&mut self, text: &[u8]) -> Logits<'_> {
        self.reset();
        self.feed(text);
        self.finish();
        self.0.logits()
    }
}

/// A receiver of tokens that runs a step for each token, and passes the token and its logits to `on_step`.
struct ShownSteps<'f, 's> {
    forward: &'f mut Forward<'s>,
    on_step: &'f mut dyn FnMut(Step<'_>),
}

impl TokenSink for ShownSteps<'_, '_> {
    fn id(&mut self, id: u32) {
        self.forward.take_id(id);
        (self.on_step)(Step { id, logits: self.forward.logits() });
    }

    #[cfg(feature = "ngrams")]
    fn char(&mut self, c: char) {
        self.forward.char(c);
    }

    #[cfg(feature = "ngrams")]
    fn word_end(&mut self) {
        self.forward.word_end();
    }
}

/// A session of a model that reads values. It dereferences to [`SessionBase`], which has `reset`, `logits`, `save` and
/// `restore`.
#[derive(Debug)]
pub struct ValueSession<'s>(SessionBase<'s>);

impl ValueSession<'_> {
    /// Reads one time step: one integer for each channel, as [`Model::channel`](crate::Model::channel) describes them.
    /// A missing value counts as the mean of its channel; values beyond the last channel are ignored.
    pub fn feed(&mut self, values: &[i32]) {
        self.0.forward.take_values(values);
    }

    /// Returns one predicted value of a forecast, an integer as
    /// [`Model::forecast_channel`](crate::Model::forecast_channel) describes it; none beyond the last value, and none
    /// if the model is a classifier.
    pub fn predicted(&mut self, index: usize) -> Option<i32> {
        let output = self.0.forward.model.value_parts().output;
        let normalised = self.0.logits().get(index)?;
        output.predicted(index, normalised, self.0.forward.scratch.last)
    }
}

/// Lets the methods of [`SessionBase`] be called on a session of one kind.
macro_rules! deref_to_base {
    ($session:ident) => {
        impl<'s> Deref for $session<'s> {
            type Target = SessionBase<'s>;

            fn deref(&self) -> &SessionBase<'s> {
                &self.0
            }
        }

        impl<'s> DerefMut for $session<'s> {
            fn deref_mut(&mut self) -> &mut SessionBase<'s> {
                &mut self.0
            }
        }
    };
}

deref_to_base!(TextSession);
deref_to_base!(ValueSession);
