//! Words to pieces: greedy longest match.

use crate::state_codec::StateCodec;
use crate::text::vocabulary::{Lookup, UNK, Vocabulary};

/// Longer words are unknown, in characters. The limit of BERT.
pub(super) const MAX_CHARS: usize = 100;

/// A word under way. All or nothing of it is known, so it is kept until its end.
#[derive(Debug)]
pub(super) struct Word<'b> {
    /// Its characters. `[MAX_CHARS]`
    chars: &'b mut [i32],
    /// How many it has, those beyond `chars` too.
    length: usize,
}

impl<'b> Word<'b> {
    pub(super) fn new(buffer: &'b mut [i32]) -> Self {
        Word { chars: buffer, length: 0 }
    }

    pub(super) fn reset(&mut self) {
        self.length = 0;
    }

    /// Its characters; of one that is too long, how many there are at least and no more.
    pub(super) fn visit_state(&mut self, codec: &mut StateCodec<'_>) {
        self.length = codec.byte(self.length.min(MAX_CHARS + 1) as u8).into();
        codec.check(self.length <= MAX_CHARS + 1);
        let kept = if self.length <= MAX_CHARS { self.length } else { 0 };
        codec.words(self.chars.iter_mut().take(kept));
    }

    pub(super) fn push(&mut self, c: char) {
        if let Some(slot) = self.chars.get_mut(self.length) {
            *slot = c as i32;
        }
        self.length = self.length.saturating_add(1);
    }

    /// Ends the word: the ids of its pieces, or UNK alone where some part of it is no piece.
    ///
    /// Cost: a look-up of at most all that follows for each piece.
    pub(super) fn finish(&mut self, vocabulary: &Vocabulary<'_>, sink: &mut dyn FnMut(u32)) {
        match self.cut(vocabulary) {
            Some(pieces) => self.chars.iter().take(pieces).for_each(|&id| sink(id as u32)),
            None => sink(UNK),
        }
        self.length = 0;
    }

    /// Leaves the ids of the pieces where the characters were, and says how many there are. A piece has at least a character, so
    /// ids only overwrite what is read.
    fn cut(&mut self, vocabulary: &Vocabulary<'_>) -> Option<usize> {
        let (mut start, mut pieces) = (0, 0);
        while start < self.length {
            let rest = self.chars.get(start..self.length)?;
            let mut lookup = Lookup::START;
            if start > 0 {
                lookup.push(vocabulary, '#');
                lookup.push(vocabulary, '#');
            }
            let mut longest = None;
            for (before, &code) in rest.iter().enumerate() {
                lookup.push(vocabulary, char::from_u32(code as u32).unwrap_or(char::REPLACEMENT_CHARACTER));
                if lookup.is_hopeless() {
                    break;
                }
                longest = lookup.known(vocabulary).map(|id| (id, before + 1)).or(longest);
            }
            let (id, length) = longest?;
            *self.chars.get_mut(pieces)? = id as i32;
            (start, pieces) = (start + length, pieces + 1);
        }
        Some(pieces)
    }
}
