//! The part of a session that text and value sessions share.

use super::forward::Forward;
use super::scratch::Scratch;
use crate::error::{ScratchError, TooLong};
use crate::layers::head::Logits;
use crate::model::{Golden, Model};
use crate::state_codec::StateCodec;
use crate::text::{self, Encoder};

/// The part that [`TextSession`](crate::TextSession) and [`ValueSession`](crate::ValueSession) share.
///
/// A session takes the same memory for a text of any length. A bidirectional model keeps as many tokens as its scratch
/// has room for.
#[derive(Debug)]
pub struct SessionBase<'s> {
    /// Cuts a text into tokens and passes them to `forward`; unused if the model reads values.
    pub(super) encoder: Encoder<'s>,
    /// The model and its state.
    pub(super) forward: Forward<'s>,
}

impl<'s> SessionBase<'s> {
    /// A session that is ready for its first text or sequence. Fails if the scratch is too short.
    #[cfg_attr(feature = "errors", inline)]
    pub(super) fn new(model: &'s Model<'s>, scratch: &'s mut [i32]) -> Result<Self, ScratchError> {
        // The session is reset inside the `Result`, because wrapping it in `Ok` afterwards would copy 88 bytes.
        let mut session = SessionBase::before_reset(model, scratch);
        if let Ok(session) = &mut session {
            #[cfg(feature = "ngrams")]
            if model.config().counts_ngrams() {
                session.encoder.pass_chars(model.config().tokenizer);
            }
            session.reset();
        }
        session
    }

    /// A session whose state is undefined until it is reset.
    #[cfg_attr(feature = "errors", inline)]
    fn before_reset(model: &'s Model<'s>, scratch: &'s mut [i32]) -> Result<Self, ScratchError> {
        // A bidirectional model must be able to keep at least one step.
        let (found, min_steps) = (scratch.len(), usize::from(model.config().reads_both_ways()));
        let too_short = || ScratchError { found, expected: model.scratch_len_for(min_steps) };
        let tokenizer = model.config().tokenizer;
        let (buffer, scratch) = scratch.split_at_mut_checked(text::buffer_len(tokenizer)).ok_or_else(too_short)?;
        let scratch = Scratch::new(model, scratch).ok_or_else(too_short)?;
        Ok(SessionBase { encoder: Encoder::new(tokenizer, buffer), forward: Forward::new(model, scratch) })
    }

    /// Begins a new text or sequence. Without a call of `reset`, a second text continues the first one.
    pub fn reset(&mut self) {
        self.encoder.reset();
        self.forward.reset();
    }

    /// Runs a golden example as a new text or sequence, and returns its logits.
    pub fn run_golden(&mut self, golden: &Golden<'_>) -> Logits<'_> {
        // At least 1, because `chunks` panics for 0. A model that reads text has no channels.
        let channels = self.forward.model.value_parts().input.len().max(1);
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

    /// The logits after the steps so far. A bidirectional model runs over all kept steps when the logits are asked for
    /// the first time after it has read more.
    pub fn logits(&mut self) -> Logits<'_> {
        self.forward.logits()
    }

    /// [`logits`](SessionBase::logits) for long texts of a bidirectional model, which runs each kept step once for each
    /// layer and direction. Calls `go_on` after each of these steps, for example to feed a watchdog.
    ///
    /// Returns none as soon as `go_on` returns false. The session keeps what it has read, and its logits can be asked
    /// for again. Other models do not call `go_on` and always return logits.
    pub fn logits_while(&mut self, mut go_on: impl FnMut() -> bool) -> Option<Logits<'_>> {
        self.forward.bring_up_to_date(&mut go_on).then(|| self.forward.logits())
    }

    /// Writes the logits after the steps so far to `to`, Q16, and returns how many it wrote: the number of classes, or
    /// the length of `to` if that is less.
    ///
    /// The last layer runs once for this copy, from which [`softmax`](crate::softmax) computes the probability of any
    /// number of classes; each call of [`Logits::probability`] runs it again.
    pub fn logits_into(&mut self, to: &mut [i32]) -> usize {
        let logits = self.logits();
        to.iter_mut().zip(logits.iter()).for_each(|(to, logit)| *to = logit);
        to.len().min(logits.len())
    }

    /// The number of tokens of the text so far, or of steps of the sequence.
    pub fn tokens(&self) -> u32 {
        self.forward.steps
    }

    /// The number of tokens so far that are not in the vocabulary; 0 if the model has no recurrent branch.
    pub fn unknown(&self) -> u32 {
        self.forward.unknown
    }

    /// Checks that all tokens so far fit the scratch of a bidirectional model. If they do not, the logits are those of
    /// the first tokens. Other models have no limit.
    ///
    /// # Errors
    /// [`TooLong`], with the numbers of tokens read and of tokens kept.
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

    /// A hash of the state, the same on every machine and in every packing after the same tokens.
    ///
    /// It is the 32-bit FNV-1a hash of these numbers, each little-endian: for each layer the hidden state of every
    /// unit, then the finer state, which is the cell state of an LSTM or the 32-bit hidden state of a GRU; then the
    /// sums and the maxima of the pooling; last the sums of the n-gram branch. In a bidirectional model, the inputs of
    /// the kept steps replace the numbers of the layers and of the pooling.
    pub fn state_hash(&self) -> u32 {
        self.forward.state_bytes().fold(FNV_START, fnv1a)
    }

    pub(crate) fn model(&self) -> &'s Model<'s> {
        self.forward.model
    }

    /// Passes everything that the session keeps between two bytes of a text, or two steps of a sequence, through the
    /// codec.
    pub(crate) fn visit_state(&mut self, codec: &mut StateCodec<'_>) {
        self.forward.visit_state(codec);
        if !self.forward.model.config().reads_values() {
            self.encoder.visit_state(&self.forward.model.vocabulary, codec);
        }
    }

    /// Reads the next bytes of a text.
    pub(super) fn feed_text(&mut self, bytes: &[u8]) {
        let SessionBase { encoder, forward } = self;
        encoder.feed_tokens(&forward.model.vocabulary, bytes, forward);
    }

    /// Ends the text: reads its last tokens and its last word.
    pub(super) fn finish_text(&mut self) {
        let SessionBase { encoder, forward } = self;
        encoder.finish_tokens(&forward.model.vocabulary, forward);
        forward.end_text();
    }
}

/// The initial value of the 32-bit FNV-1a hash.
pub(crate) const FNV_START: u32 = 0x811c_9dc5;

/// Adds a byte to an FNV-1a hash.
pub(crate) fn fnv1a(hash: u32, byte: u8) -> u32 {
    (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
}
