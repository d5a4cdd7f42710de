//! Saving and restoring the state of a session: docs/format.md, "The state of a session".

use super::scratch::Layout;
use crate::error::{StateError, TooLong};
use crate::model::Model;
use crate::session::base::{FNV_START, SessionBase, fnv1a};
use crate::state_codec::StateCodec;
use tern_format::Input;

/// The first bytes of a saved state.
const MAGIC: [u8; 2] = *b"TS";
/// The version of the format of saved states.
const VERSION: u16 = 1;
/// The number of bytes before the state: magic, version, model and length.
const HEADER: usize = 12;
/// The number of bytes after the state: the checksum.
const SUM: usize = 4;

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

    /// The largest number of bytes that [`SessionBase::save`] writes for a session on
    /// [`scratch_len_for`](Model::scratch_len_for) `tokens` words of scratch. Only bidirectional models save tokens;
    /// other models ignore `tokens`.
    pub fn state_len_for(&self, tokens: usize) -> usize {
        let config = self.config();
        let text = if config.input == Input::Tokens { crate::text::state_len(config.tokenizer) } else { 0 };
        HEADER + text + Layout::of(self).state_len(tokens) + SUM
    }
}

impl SessionBase<'_> {
    /// The number of bytes that [`save`](SessionBase::save) writes now.
    pub fn state_len(&mut self) -> usize {
        let mut codec = StateCodec::counting();
        self.visit_state(&mut codec);
        HEADER + codec.len() + SUM
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
        let model = self.model().fingerprint();
        let mut codec = StateCodec::writing(to);
        MAGIC.into_iter().for_each(|byte| _ = codec.byte(byte));
        codec.half(VERSION as i16);
        codec.unsigned(model);
        codec.unsigned(expected as u32);
        self.visit_state(&mut codec);
        // `split_last_chunk_mut` would link a panic.
        if let Some((state, sum)) = to.split_at_mut_checked(expected.saturating_sub(SUM)) {
            sum.iter_mut().zip(hash(state).to_le_bytes()).for_each(|(to, from)| *to = from);
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
        let Some((state, sum)) = from.split_last_chunk::<SUM>() else { return Err(StateError::NoState) };
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
        if hash(state).to_le_bytes() != *sum {
            return Err(StateError::Corrupt);
        }
        self.visit_state(&mut codec);
        if codec.is_valid() && codec.len() == state.len() {
            return Ok(());
        }
        let (found, cap) = (self.tokens(), self.cap());
        self.reset();
        match cap {
            Some(kept) if found > kept => Err(StateError::TooLong(TooLong { found, kept })),
            _ => Err(StateError::Corrupt),
        }
    }
}

#[cfg(test)]
mod tests;
