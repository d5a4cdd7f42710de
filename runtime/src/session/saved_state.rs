//! Saves and restores the state of a session: docs/format.md, "The state of a session". Also lists the bytes of the
//! numbers that [`SessionBase::state_hash`] hashes.

use super::forward::Forward;
use super::scratch::{Layout, Scratch, states_of};
use crate::error::{StateError, TooLong};
use crate::layers::visit_state;
use crate::model::Model;
use crate::session::base::{FNV_START, SessionBase, fnv1a};
use crate::state_codec::StateCodec;
use tern_format::Input;

/// The first bytes of a saved state.
const MAGIC: [u8; 2] = *b"TS";
/// The version of the format of saved states.
const VERSION: u16 = 1;
/// The number of bytes before the state: magic (2), version (2), fingerprint of the model (4) and length of the whole
/// saved state (4).
const HEADER: usize = 12;
/// The number of bytes after the state: the checksum.
const CHECKSUM: usize = 4;

/// Returns the 32-bit FNV-1a hash of `bytes`, which is the checksum of a state.
fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().copied().fold(FNV_START, fnv1a)
}

impl Model<'_> {
    /// A number that identifies the model: the 32-bit FNV-1a hash of the sizes V, E, H, layers, directions and C, of
    /// the logits of the first golden example and of the last layer's biases, all as 32 bits, little-endian. It is the
    /// same in every packing.
    pub fn fingerprint(&self) -> u32 {
        let config = self.config();
        let directions = 1 + usize::from(config.bidirectional);
        let sizes =
            [config.vocab_size, config.embedding_dim, config.hidden_size, config.layers, directions, config.classes];
        let sizes = sizes.into_iter().flat_map(|size| (size as u32).to_le_bytes());
        let logits = self.golden().next().map_or(&[][..], |golden| golden.logits);
        let numbers = logits.iter().chain(self.head.linear.bias).flat_map(|number| number.to_le_bytes());
        sizes.chain(numbers).fold(FNV_START, fnv1a)
    }

    /// The largest number of bytes that [`SessionBase::save`] writes for a session on
    /// [`scratch_len`](Model::scratch_len) words of scratch.
    pub fn state_len(&self) -> usize {
        self.state_len_for(Self::KEPT_TOKENS)
    }

    /// The largest number of bytes that [`SessionBase::save`] writes for a session whose scratch has the length that
    /// [`scratch_len_for`](Model::scratch_len_for) gives for `tokens`. Only bidirectional models save tokens; other
    /// models ignore `tokens`.
    pub fn state_len_for(&self, tokens: usize) -> usize {
        let config = self.config();
        let text = if config.input == Input::Tokens { crate::text::state_len(config.tokenizer) } else { 0 };
        HEADER + text + Layout::of(self).state_len(tokens) + CHECKSUM
    }
}

impl SessionBase<'_> {
    /// The number of bytes that [`save`](SessionBase::save) writes now.
    pub fn state_len(&mut self) -> usize {
        let mut codec = StateCodec::counting();
        self.visit_state(&mut codec);
        HEADER + codec.len() + CHECKSUM
    }

    /// Writes the state to the beginning of `to` and returns its length in bytes: at most [`Model::state_len`] if the
    /// session has [`Model::scratch_len`] words of scratch. After [`restore`](SessionBase::restore), on any machine,
    /// the session continues as if it had not been interrupted.
    ///
    /// # Errors
    /// [`StateError::Buffer`] if `to` is too short.
    pub fn save(&mut self, to: &mut [u8]) -> Result<usize, StateError> {
        let (found, expected) = (to.len(), self.state_len());
        let to = to.get_mut(..expected).ok_or(StateError::Buffer { found, expected })?;
        let fingerprint = self.model().fingerprint();
        // The results of a codec that writes are the numbers that it is given.
        let mut codec = StateCodec::writing(to);
        MAGIC.into_iter().for_each(|byte| _ = codec.byte(byte));
        codec.half(VERSION as i16);
        codec.unsigned(fingerprint);
        codec.unsigned(expected as u32);
        self.visit_state(&mut codec);
        // `split_last_chunk_mut` would link a panic.
        if let Some((state, checksum)) = to.split_at_mut_checked(expected.saturating_sub(CHECKSUM)) {
            checksum.iter_mut().zip(hash(state).to_le_bytes()).for_each(|(to, from)| *to = from);
        }
        Ok(expected)
    }

    /// Continues from a state that [`save`](SessionBase::save) wrote; `from` must be exactly the bytes of that state.
    /// If the state is refused, the session begins a new text or sequence.
    ///
    /// # Errors
    /// The fault of the state: [`StateError`].
    pub fn restore(&mut self, from: &[u8]) -> Result<(), StateError> {
        self.reset();
        let Some((state, checksum)) = from.split_last_chunk::<CHECKSUM>() else { return Err(StateError::NoState) };
        // A codec that reads ignores the numbers that it is given.
        let mut codec = StateCodec::reading(state);
        if [codec.byte(0), codec.byte(0)] != MAGIC {
            return Err(StateError::NoState);
        }
        let found = codec.half(0) as u16;
        if found != VERSION {
            return Err(StateError::Version { found, expected: VERSION });
        }
        let (found, expected) = (codec.unsigned(0), self.model().fingerprint());
        if found != expected {
            return Err(StateError::Model { found, expected });
        }
        let (found, expected) = (from.len(), codec.unsigned(0) as usize);
        if found != expected {
            return Err(StateError::Length { found, expected });
        }
        if hash(state).to_le_bytes() != *checksum {
            return Err(StateError::Corrupt);
        }
        self.visit_state(&mut codec);
        if codec.is_valid() && codec.len() == state.len() {
            return Ok(());
        }
        // `tokens` is the number in the state; `reset` sets it to 0.
        let (found, cap) = (self.tokens(), self.cap());
        self.reset();
        match cap {
            Some(kept) if found > kept => Err(StateError::TooLong(TooLong { found, kept })),
            _ => Err(StateError::Corrupt),
        }
    }
}

impl Forward<'_> {
    /// Passes everything that is kept between two steps through the codec.
    pub(super) fn visit_state(&mut self, codec: &mut StateCodec<'_>) {
        self.is_up_to_date = false;
        self.steps = codec.unsigned(self.steps);
        self.unknown = codec.unsigned(self.unknown);
        codec.check(self.unknown <= self.steps);
        codec.words(self.scratch.last.iter_mut());
        if let Some(kept) = &mut self.scratch.kept {
            kept.visit_state(self.steps, self.scratch.x.len(), self.model.config.vocab_size, codec);
        } else {
            let in_use = states_of(&self.model.config);
            let Scratch { first, above, pool, .. } = &mut self.scratch;
            let states = core::iter::once(first).chain(above).take(in_use);
            states.for_each(|state| visit_state(state, self.model.config.cell, codec));
            if let Some(pool) = pool
                && !self.model.config.pools_last()
            {
                pool.visit_state(codec);
            }
        }
        #[cfg(feature = "ngrams")]
        if let Some(ngrams) = &mut self.scratch.ngrams {
            ngrams.visit_state(codec);
        }
    }

    /// The bytes of the sums of the n-gram branch, little-endian.
    fn ngram_bytes(&self) -> impl Iterator<Item = u8> {
        #[cfg(feature = "ngrams")]
        let sums = self.scratch.ngrams.as_ref().map_or(&[][..], |ngrams| ngrams.sums());
        #[cfg(not(feature = "ngrams"))]
        let sums: &[i32] = &[];
        sums.iter().flat_map(|sum| sum.to_le_bytes())
    }

    /// The bytes of the numbers that [`state_hash`](crate::SessionBase::state_hash) hashes, little-endian. Counts and
    /// the last values of a forecast are not among them.
    pub(super) fn state_bytes(&self) -> impl Iterator<Item = u8> {
        let Scratch { pool, kept, .. } = &self.scratch;
        let reads_forwards = kept.is_none();
        let states = self.scratch.states().filter(move |_| reads_forwards).flat_map(|state| {
            let hidden = state.h.iter().flat_map(|h| h.to_le_bytes());
            hidden.chain(state.c.iter().flat_map(|c| c.to_le_bytes()))
        });
        let pool = pool.as_ref().filter(|_| reads_forwards && !self.model.config.pools_last());
        let sums = pool.into_iter().flat_map(|pool| pool.sum.iter()).flat_map(|sum| sum.to_le_bytes());
        let maxima = pool.into_iter().flat_map(|pool| pool.maxima());
        // The inputs of the steps that a bidirectional model has kept.
        let (ids, inputs, cap): (&[i32], &[i16], u32) =
            kept.as_ref().map_or((&[], &[], 0), |kept| (kept.ids, kept.inputs, kept.cap));
        let steps = self.steps.min(cap) as usize;
        let ids = ids.iter().take(steps).flat_map(|id| id.to_le_bytes());
        let inputs = inputs.iter().take(steps.saturating_mul(self.scratch.x.len()));
        let halves = maxima.chain(inputs).flat_map(|v| v.to_le_bytes());
        states.chain(sums).chain(ids).chain(halves).chain(self.ngram_bytes())
    }
}

#[cfg(test)]
mod tests;
