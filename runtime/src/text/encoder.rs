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

/// The receiver of the tokens of a text.
pub(crate) trait TokenSink {
    /// Receives the id of a complete token.
    fn id(&mut self, id: u32);

    /// Receives a piece of a token, before its id.
    #[cfg(feature = "ngrams")]
    fn piece(&mut self, piece: Piece);
}

/// A receiver of ids alone.
struct IdSink<'f>(&'f mut dyn FnMut(u32));

impl TokenSink for IdSink<'_> {
    fn id(&mut self, id: u32) {
        (self.0)(id);
    }

    #[cfg(feature = "ngrams")]
    fn piece(&mut self, _: Piece) {}
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
    pub fn feed(&mut self, vocabulary: &Vocabulary<'_>, bytes: &[u8], sink: &mut dyn FnMut(u32)) {
        self.feed_tokens(vocabulary, bytes, &mut IdSink(sink));
    }

    /// Ends the text, which completes its last token. The encoder is then at the beginning of a new text.
    pub fn finish(&mut self, vocabulary: &Vocabulary<'_>, sink: &mut dyn FnMut(u32)) {
        self.finish_tokens(vocabulary, &mut IdSink(sink));
    }

    /// Reads the next bytes of the text.
    #[inline(never)]
    pub(crate) fn feed_tokens(&mut self, vocabulary: &Vocabulary<'_>, bytes: &[u8], sink: &mut dyn TokenSink) {
        let Encoder { splitter, ids } = self;
        if splitter.kind() == TokenizerKind::Bytes {
            return bytes.iter().for_each(|&byte| {
                #[cfg(feature = "ngrams")]
                sink.piece(Piece::Char(char::from(byte)));
                // The vocabulary holds all bytes in order.
                sink.id(u32::from(byte) + 2);
            });
        }
        splitter.feed_text(bytes, &mut ids.taker(vocabulary, sink));
    }

    /// Ends the text, which completes its last token.
    pub(crate) fn finish_tokens(&mut self, vocabulary: &Vocabulary<'_>, sink: &mut dyn TokenSink) {
        let Encoder { splitter, ids } = self;
        splitter.finish(&mut ids.taker(vocabulary, sink));
    }
}

impl Ids<'_> {
    /// The closure for the splitter. All callers share its type, so that the splitter's code is linked once.
    fn taker(&mut self, vocabulary: &Vocabulary<'_>, sink: &mut dyn TokenSink) -> impl FnMut(Piece) {
        |piece| self.take(piece, vocabulary, sink)
    }

    fn take(&mut self, piece: Piece, vocabulary: &Vocabulary<'_>, sink: &mut dyn TokenSink) {
        #[cfg(feature = "ngrams")]
        sink.piece(piece);
        #[cfg(feature = "wordpiece")]
        if let Some(word) = &mut self.word {
            return match piece {
                Piece::Char(c) => word.push(c),
                Piece::End => word.finish(vocabulary, &mut |id| sink.id(id)),
            };
        }
        match piece {
            Piece::Char(c) => self.lookup.push(vocabulary, c),
            Piece::End => {
                let id = self.lookup.id(vocabulary);
                self.lookup = Lookup::START;
                sink.id(id);
            }
        }
    }
}

#[cfg(all(test, feature = "wordpiece"))]
mod tests;
