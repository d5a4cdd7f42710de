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
/// Its memory does not grow with the length of the text. A bidirectional model keeps the tokens, as many as the scratch
/// has room for.
#[derive(Debug)]
pub struct SessionBase<'s> {
    pub(super) encoder: Encoder<'s>,
    pub(super) forward: Forward<'s>,
}

impl<'s> SessionBase<'s> {
    pub(super) fn new(model: &'s Model<'s>, scratch: &'s mut [i32]) -> Result<Self, ScratchError> {
        // Reset inside the `Result`, because wrapping a session in `Ok` afterwards would copy 88 bytes.
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
    fn before_reset(model: &'s Model<'s>, scratch: &'s mut [i32]) -> Result<Self, ScratchError> {
        // A bidirectional model must be able to keep at least one step.
        let (found, min_steps) = (scratch.len(), usize::from(model.config().reads_both_ways()));
        let error = || ScratchError { found, expected: model.scratch_len_for(min_steps) };
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
        // A model that reads text has no channels, but `chunks` needs a size of at least 1.
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

    /// The logits after the steps so far. A bidirectional model runs over all kept steps when the logits are first
    /// asked for.
    pub fn logits(&mut self) -> Logits<'_> {
        self.forward.logits()
    }

    /// The same as [`logits`](SessionBase::logits), with a call of `go_on` after each step, for example to feed a
    /// watchdog: a bidirectional model runs each kept step once for each layer and direction.
    ///
    /// Returns none as soon as `go_on` returns false. The session has not changed then, and its logits can be asked for
    /// again.
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

    /// The number of tokens so far that are not in the vocabulary.
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
    /// It is the FNV-1a hash of these numbers, each little-endian. For each layer: the hidden state of every unit, then
    /// the state that is kept in a higher precision, which is the cell state of an LSTM and the hidden state of a GRU.
    /// After all layers: the sums and the maxima of the pooling. For a bidirectional model: the kept steps alone. Last:
    /// the sums of the n-gram branch.
    pub fn state_hash(&self) -> u32 {
        self.forward.state_bytes().fold(FNV_START, fnv1a)
    }

    pub(crate) fn model(&self) -> &'s Model<'s> {
        self.forward.model
    }

    /// Passes everything that must be kept from one byte of a text to the next through the codec, which counts, saves
    /// or restores it.
    pub(crate) fn visit_state(&mut self, codec: &mut StateCodec<'_>) {
        self.forward.visit_state(codec);
        if !self.forward.model.config().reads_values() {
            self.encoder.visit_state(&self.forward.model.vocabulary, codec);
        }
    }

    pub(super) fn feed_text(&mut self, bytes: &[u8]) {
        let SessionBase { encoder, forward } = self;
        encoder.feed_tokens(&forward.model.vocabulary, bytes, forward);
    }

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
