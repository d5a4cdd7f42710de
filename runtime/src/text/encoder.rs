//! The encoder: turns a stream of bytes into token ids.

#[cfg(feature = "wordpiece")]
use super::wordpiece::Word;
use super::{Piece, Splitter, Tokenizer, TokenizerKind};
use crate::state_codec::StateCodec;
use crate::text::vocabulary::{Lookup, Vocabulary};

/// Turns a stream of bytes into the ids of its tokens. Every call must be given the same vocabulary.
#[derive(Debug)]
pub struct Encoder<'b> {
    splitter: Splitter<'b>,
    ids: Ids<'b>,
}

/// The current token.
#[derive(Debug)]
struct Ids<'b> {
    lookup: Lookup,
    /// The current word of [`TokenizerKind::WordPiece`].
    #[cfg(feature = "wordpiece")]
    word: Option<Word<'b>>,
    #[cfg(not(feature = "wordpiece"))]
    word: core::marker::PhantomData<&'b ()>,
}

impl<'b> Encoder<'b> {
    /// An encoder at the beginning of a text. `buffer`: at least [`buffer_len`](super::buffer_len) words.
    pub fn new(tokenizer: Tokenizer, buffer: &'b mut [i32]) -> Self {
        #[cfg(feature = "wordpiece")]
        if tokenizer.kind == TokenizerKind::WordPiece {
            let ids = Ids { lookup: Lookup::START, word: Some(Word::new(buffer)) };
            return Encoder { splitter: Splitter::new(tokenizer, &mut []), ids };
        }
        let ids = Ids { lookup: Lookup::START, word: Default::default() };
        Encoder { splitter: Splitter::new(tokenizer, buffer), ids }
    }

    /// Begins a new text.
    pub fn reset(&mut self) {
        self.splitter.reset();
        self.ids.lookup = Lookup::START;
        #[cfg(feature = "wordpiece")]
        if let Some(word) = &mut self.ids.word {
            word.reset();
        }
    }

    /// Passes the state between two bytes of the text through the codec.
    pub(crate) fn visit_state(&mut self, vocabulary: &Vocabulary<'_>, codec: &mut StateCodec<'_>) {
        self.splitter.visit_state(codec);
        #[cfg(feature = "wordpiece")]
        if let Some(word) = &mut self.ids.word {
            return word.visit_state(codec);
        }
        let lookup = &mut self.ids.lookup;
        let under_way = codec.byte((*lookup != Lookup::START).into());
        codec.check(under_way <= 1);
        if under_way == 0 {
            *lookup = Lookup::START;
        } else {
            lookup.visit_state(vocabulary, codec);
        }
    }

    /// Reads the next bytes of the text and passes the ids of the tokens that they complete to `sink`.
    #[inline(never)]
    pub fn feed(&mut self, vocabulary: &Vocabulary<'_>, bytes: &[u8], sink: &mut dyn FnMut(u32)) {
        let Encoder { splitter, ids } = self;
        if splitter.kind() == TokenizerKind::Bytes {
            // The vocabulary holds all bytes in order.
            return bytes.iter().for_each(|&byte| sink(u32::from(byte) + 2));
        }
        splitter.feed_text(bytes, &mut ids.taker(vocabulary, sink));
    }

    /// Ends the text, which completes its last token. The encoder is then at the beginning of a new text.
    pub fn finish(&mut self, vocabulary: &Vocabulary<'_>, sink: &mut dyn FnMut(u32)) {
        let Encoder { splitter, ids } = self;
        splitter.finish(&mut ids.taker(vocabulary, sink));
    }
}

impl Ids<'_> {
    /// The closure for the splitter. All callers share its type, so that the splitter's code is linked once.
    fn taker(&mut self, vocabulary: &Vocabulary<'_>, sink: &mut dyn FnMut(u32)) -> impl FnMut(Piece) {
        |piece| self.take(piece, vocabulary, sink)
    }

    fn take(&mut self, piece: Piece, vocabulary: &Vocabulary<'_>, sink: &mut dyn FnMut(u32)) {
        #[cfg(feature = "wordpiece")]
        if let Some(word) = &mut self.word {
            return match piece {
                Piece::Char(c) => word.push(c),
                Piece::End => word.finish(vocabulary, sink),
            };
        }
        match piece {
            Piece::Char(c) => self.lookup.push(vocabulary, c),
            Piece::End => {
                let id = self.lookup.id(vocabulary);
                self.lookup = Lookup::START;
                sink(id);
            }
        }
    }
}

#[cfg(all(test, feature = "wordpiece"))]
mod tests;
