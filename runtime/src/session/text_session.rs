//! Sessions of models that read text.

use core::ops::{Deref, DerefMut};

use super::{SessionBase, forward::Forward};
use crate::layers::head::Logits;
use crate::text::vocabulary::UNK;

/// One text on its way through a model. It dereferences to [`SessionBase`], which has `reset`, `logits`, `save` and
/// `restore`.
#[derive(Debug)]
pub struct TextSession<'s>(pub(super) SessionBase<'s>);

/// A token that a [`TextSession`] has read, with the logits after it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Step<'s> {
    /// The token's id.
    pub id: u32,
    /// The logits after this token.
    pub logits: Logits<'s>,
}

impl TextSession<'_> {
    /// Reads the next bytes of the text, which may be cut anywhere. Each complete token costs one step.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.0.feed_text(bytes);
    }

    /// Reads the next bytes of the text and calls `on_step` after every token. A bidirectional model runs over all kept
    /// tokens for each call.
    pub fn feed_with(&mut self, bytes: &[u8], mut on_step: impl FnMut(Step<'_>)) {
        let SessionBase { encoder, forward } = &mut self.0;
        encoder.feed(&forward.model.vocabulary, bytes, &mut shown_step_of(forward, &mut on_step));
    }

    /// Reads one token by its id, past the tokenizer. An id beyond the vocabulary counts as [`UNK`]. It does not end a
    /// token whose bytes are still arriving.
    pub fn feed_id(&mut self, id: u32) {
        let forward = &mut self.0.forward;
        forward.take_id(if (id as usize) < forward.model.config().vocab_size { id } else { UNK });
    }

    /// Ends the text, which completes its last token. More bytes continue the text; [`reset`](SessionBase::reset)
    /// begins a new one.
    pub fn finish(&mut self) {
        self.0.finish_text();
    }

    /// Ends the text and calls `on_step` if that completes a token.
    pub fn finish_with(&mut self, mut on_step: impl FnMut(Step<'_>)) {
        let SessionBase { encoder, forward } = &mut self.0;
        encoder.finish(&forward.model.vocabulary, &mut shown_step_of(forward, &mut on_step));
    }

    /// Reads one whole text: [`reset`](SessionBase::reset), [`feed`](TextSession::feed),
    /// [`finish`](TextSession::finish).
    pub fn classify(&mut self, text: &[u8]) -> Logits<'_> {
        self.reset();
        self.feed(text);
        self.finish();
        self.0.logits()
    }
}

/// A step for each id, shown to `on_step`. All callers share this one closure type.
fn shown_step_of(forward: &mut Forward<'_>, on_step: &mut dyn FnMut(Step<'_>)) -> impl FnMut(u32) {
    |id| {
        forward.take_id(id);
        on_step(Step { id, logits: forward.logits() });
    }
}

impl<'s> Deref for TextSession<'s> {
    type Target = SessionBase<'s>;

    fn deref(&self) -> &SessionBase<'s> {
        &self.0
    }
}

impl<'s> DerefMut for TextSession<'s> {
    fn deref_mut(&mut self) -> &mut SessionBase<'s> {
        &mut self.0
    }
}
