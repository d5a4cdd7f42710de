//! Cuts words into WordPiece tokens by greedy longest match, as BERT does: the longest piece in the vocabulary that
//! begins the word, then the longest one that continues it, and so on. In the vocabulary, a piece that continues a word
//! begins with `##`.

use crate::state_codec::StateCodec;
use crate::text::vocabulary::{Lookup, UNK, Vocabulary};

/// The longest word in characters; longer words are unknown. BERT's tokenizer has the same limit.
pub(super) const MAX_CHARS: usize = 100;

/// The current word. Its characters are stored until its end, because the whole word is unknown if any part of it is no
/// known piece.
#[derive(Debug)]
pub(super) struct Word<'b> {
    /// The characters, `[MAX_CHARS]`. In the end, [`cut`](Word::cut) replaces them by the ids of its pieces.
    chars: &'b mut [i32],
    /// The number of characters, including those beyond `chars`.
    length: usize,
}

impl<'b> Word<'b> {
    /// An empty word. `buffer`: at least [`MAX_CHARS`] elements; the others are not used.
    pub(super) fn new(buffer: &'b mut [i32]) -> Self {
        Word { chars: buffer.get_mut(..MAX_CHARS).unwrap_or_default(), length: 0 }
    }

    pub(super) fn reset(&mut self) {
        self.length = 0;
    }

    /// Passes the word through the codec: its length, then its characters unless it is too long.
    pub(super) fn visit_state(&mut self, codec: &mut StateCodec<'_>) {
        self.length = codec.byte(self.length.min(MAX_CHARS + 1) as u8).into();
        codec.check(self.length <= MAX_CHARS + 1);
        let saved = if self.length <= MAX_CHARS { self.length } else { 0 };
        codec.words(self.chars.iter_mut().take(saved));
    }

    /// Appends a character; those beyond [`MAX_CHARS`] are only counted.
    pub(super) fn push(&mut self, c: char) {
        if let Some(slot) = self.chars.get_mut(self.length) {
            *slot = c as i32;
        }
        self.length = self.length.saturating_add(1);
    }

    /// Ends the word and passes the ids of its pieces to `sink`, or UNK alone if a part of it is not a known piece.
    ///
    /// Cost: for each piece, one look-up of at most the remaining characters of the word.
    pub(super) fn finish(&mut self, vocabulary: &Vocabulary<'_>, sink: &mut dyn FnMut(u32)) {
        match self.cut(vocabulary) {
            Some(piece_count) => self.chars.iter().take(piece_count).for_each(|&id| sink(id as u32)),
            None => sink(UNK),
        }
        self.length = 0;
    }

    /// Replaces the characters by the ids of the pieces. Returns the number of pieces; none if a part of the word is no
    /// known piece, or the word is too long. A piece has at least one character, so an id never overwrites a character
    /// that is still to be read.
    fn cut(&mut self, vocabulary: &Vocabulary<'_>) -> Option<usize> {
        // `start`: the characters before it are cut.
        let (mut start, mut piece_count) = (0, 0);
        while start < self.length {
            // None if the word is longer than `chars`.
            let remaining = self.chars.get(start..self.length)?;
            let mut lookup = Lookup::START;
            if start > 0 {
                lookup.push(vocabulary, '#');
                lookup.push(vocabulary, '#');
            }
            // The id of the longest known piece, and the number of its characters.
            let mut longest = None;
            for (index, &code) in remaining.iter().enumerate() {
                lookup.push(vocabulary, char::from_u32(code as u32).unwrap_or(char::REPLACEMENT_CHARACTER));
                if lookup.has_no_candidate() {
                    break;
                }
                longest = lookup.known(vocabulary).map(|id| (id, index + 1)).or(longest);
            }
            let (id, length) = longest?;
            *self.chars.get_mut(piece_count)? = id as i32;
            (start, piece_count) = (start + length, piece_count + 1);
        }
        Some(piece_count)
    }
}
