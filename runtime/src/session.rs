//! Running a model over a text.

use crate::error::ScratchError;
use crate::head::Logits;
use crate::lstm::State;
use crate::model::Model;
use crate::text::Encoder;
use crate::vocabulary::{UNK, Vocabulary};

/// One text on its way through a model. Its memory does not grow with the text.
#[derive(Debug)]
pub struct Session<'s> {
    model: &'s Model<'s>,
    encoder: Encoder<'s>,
    /// The embedded token. `[embedding_dim]`, Q15.
    x: &'s mut [i16],
    state: State<'s>,
    tokens: u32,
    unknown: u32,
}

/// What a step of a [`Session`] shows: the token read and the answer after it.
#[derive(Clone, Copy, Debug)]
pub struct Step<'s> {
    /// The token's id.
    pub id: u32,
    /// The answer so far.
    pub logits: Logits<'s>,
}

impl<'s> Session<'s> {
    pub(crate) fn new(model: &'s Model<'s>, scratch: &'s mut [i32]) -> Result<Self, ScratchError> {
        let error = ScratchError { found: scratch.len(), expected: model.scratch_len() };
        let (hidden_size, embedding_dim) = (model.config().hidden_size, model.config().embedding_dim);
        let tokenizer = model.config().tokenizer;
        let (text, scratch) = scratch.split_at_mut_checked(tokenizer.buffer_len()).ok_or(error)?;
        let (c, rest) = scratch.split_at_mut_checked(hidden_size).ok_or(error)?;
        let rest: &mut [i16] = bytemuck::try_cast_slice_mut(rest).map_err(|_| error)?;
        let (h, rest) = rest.split_at_mut_checked(hidden_size).ok_or(error)?;
        let (next_h, rest) = rest.split_at_mut_checked(hidden_size).ok_or(error)?;
        let x = rest.get_mut(..embedding_dim).ok_or(error)?;
        let encoder = Encoder::new(tokenizer, text);
        let state = State { h, next_h, c };
        let mut session = Session { model, encoder, x, state, tokens: 0, unknown: 0 };
        session.reset();
        Ok(session)
    }

    /// Begins a new text.
    pub fn reset(&mut self) {
        self.encoder.reset();
        self.state.h.fill(0);
        self.state.c.fill(0);
        (self.tokens, self.unknown) = (0, 0);
    }

    /// Takes the next bytes of the text, cut anywhere. Each complete token costs one step.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.feed_with(bytes, |_| ());
    }

    /// [`feed`](Session::feed) that shows every step.
    pub fn feed_with(&mut self, bytes: &[u8], mut on_step: impl FnMut(Step<'_>)) {
        self.encode(|encoder, vocabulary, sink| encoder.feed(vocabulary, bytes, sink), &mut on_step);
    }

    /// Takes one token by its id, past the tokenizer: for callers that have ids already. An id beyond the vocabulary counts as
    /// [`UNK`]. A token of a text under way is not ended by it.
    pub fn feed_id(&mut self, id: u32) {
        let id = if (id as usize) < self.model.config().vocab_size { id } else { UNK };
        self.tokens = self.tokens.saturating_add(1);
        self.unknown = self.unknown.saturating_add(u32::from(id == UNK));
        self.model.embedding.embed(id, self.x);
        self.model.lstm.step(self.x, &mut self.state);
    }

    /// Ends the text: its last token may be waiting for that. The answer stands until [`reset`](Session::reset), and more bytes
    /// go on from it.
    pub fn finish(&mut self) {
        self.finish_with(|_| ());
    }

    /// [`finish`](Session::finish) that shows the last step, if there is one.
    pub fn finish_with(&mut self, mut on_step: impl FnMut(Step<'_>)) {
        self.encode(|encoder, vocabulary, sink| encoder.finish(vocabulary, sink), &mut on_step);
    }

    /// Classifies one whole text: [`reset`](Session::reset), [`feed`](Session::feed), [`finish`](Session::finish).
    pub fn classify(&mut self, text: &[u8]) -> Logits<'_> {
        self.reset();
        self.feed(text);
        self.finish();
        self.logits()
    }

    /// The answer after the tokens so far.
    pub fn logits(&self) -> Logits<'_> {
        Logits { head: self.model.head, features: self.state.h }
    }

    /// How many tokens the text has so far.
    pub fn tokens(&self) -> u32 {
        self.tokens
    }

    /// How many of the tokens are not in the vocabulary.
    pub fn unknown(&self) -> u32 {
        self.unknown
    }

    /// A fingerprint of the state: FNV-1a of the hidden state's bytes, then the cell state's, little-endian by unit. The same on every
    /// machine after the same tokens.
    pub fn state_hash(&self) -> u32 {
        let hidden = self.state.h.iter().flat_map(|h| h.to_le_bytes());
        let bytes = hidden.chain(self.state.c.iter().flat_map(|c| c.to_le_bytes()));
        bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }

    fn encode(
        &mut self,
        encode: impl FnOnce(&mut Encoder<'_>, &Vocabulary<'_>, &mut dyn FnMut(u32)),
        on_step: &mut dyn FnMut(Step<'_>),
    ) {
        let Session { model, encoder, x, state, tokens, unknown } = self;
        encode(encoder, &model.vocabulary, &mut |id| {
            *tokens = tokens.saturating_add(1);
            *unknown = unknown.saturating_add(u32::from(id == UNK));
            model.embedding.embed(id, x);
            model.lstm.step(x, state);
            on_step(Step { id, logits: Logits { head: model.head, features: state.h } });
        });
    }
}
