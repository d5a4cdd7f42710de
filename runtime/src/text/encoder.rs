//! The encoder: turns a stream of bytes into token ids.

#[cfg(feature = "wordpiece")]
use super::wordpiece::Word;
use super::{Piece, Splitter, Tokenizer, TokenizerKind};
use crate::state_codec::StateCodec;
use crate::text::vocabulary::{Lookup, Vocabulary};

/// Turns a stream of bytes into the ids of its tokens. Within one text, every call must get the same vocabulary.
#[derive(Debug)]
pub struct Encoder<'b> {
    splitter: Splitter<'b>,
    ids: Ids<'b>,
}

/// The receiver of the tokens of a text: of their ids and, for the n-gram branch of a model, of their characters.
pub(crate) trait TokenSink {
    /// Receives the id of a complete token.
    fn id(&mut self, id: u32);

    /// Receives a character of a token.
    #[cfg(feature = "ngrams")]
    fn char(&mut self, c: char);

    /// Receives the end of a word, before its id. For WordPiece, several ids may follow.
    #[cfg(feature = "ngrams")]
    fn word_end(&mut self);
}

/// A receiver of ids only, for tokenizing without a model.
struct IdSink<'f>(&'f mut dyn FnMut(u32));

impl TokenSink for IdSink<'_> {
    fn id(&mut self, id: u32) {
        (self.0)(id);
    }

    #[cfg(feature = "ngrams")]
    fn char(&mut self, _: char) {}

    #[cfg(feature = "ngrams")]
    fn word_end(&mut self) {}
}

/// The second stage of the encoder, after the splitter: turns the pieces of tokens into ids.
#[derive(Debug)]
struct Ids<'b> {
    /// The look-up of the current token.
    lookup: Lookup,
    /// True if the [`TokenSink`] also receives the characters of the tokens.
    #[cfg(feature = "ngrams")]
    passes_chars: bool,
    /// True if the [`TokenSink`] also receives the ends of words.
    #[cfg(feature = "ngrams")]
    passes_word_ends: bool,
    /// The current word of [`TokenizerKind::WordPiece`].
    #[cfg(feature = "wordpiece")]
    word: Option<Word<'b>>,
    #[cfg(not(feature = "wordpiece"))]
    word: core::marker::PhantomData<&'b ()>,
}

impl<'b> Encoder<'b> {
    /// An encoder at the beginning of a text. `buffer`: at least [`buffer_len`](super::buffer_len) words. The tokenizer
    /// must be built in: [`is_built`](super::is_built).
    pub fn new(tokenizer: Tokenizer, buffer: &'b mut [i32]) -> Self {
        // The encoder of WordPiece keeps the buffer; its splitter needs none.
        #[cfg(feature = "wordpiece")]
        let (word, buffer) = match tokenizer.kind {
            TokenizerKind::WordPiece => (Some(Word::new(buffer)), &mut [][..]),
            _ => (None, buffer),
        };
        #[cfg(not(feature = "wordpiece"))]
        let word = Default::default();
        let ids = Ids {
            lookup: Lookup::START,
            #[cfg(feature = "ngrams")]
            passes_chars: false,
            #[cfg(feature = "ngrams")]
            passes_word_ends: false,
            word,
        };
        Encoder { splitter: Splitter::new(tokenizer, buffer), ids }
    }

    /// Makes the encoder also pass the characters to the [`TokenSink`], and the ends of words if the tokenizer has
    /// words. `tokenizer`: that of [`new`](Encoder::new).
    #[cfg(feature = "ngrams")]
    pub(crate) fn pass_chars(&mut self, tokenizer: Tokenizer) {
        (self.ids.passes_chars, self.ids.passes_word_ends) = (true, !tokenizer.is_one_word());
    }

    /// Begins a new text and discards an unfinished token.
    pub fn reset(&mut self) {
        self.splitter.reset();
        self.ids.lookup = Lookup::START;
        #[cfg(feature = "wordpiece")]
        if let Some(word) = &mut self.ids.word {
            word.reset();
        }
    }

    /// Passes the state between two bytes of the text through the codec, which saves or restores it.
    pub(crate) fn visit_state(&mut self, vocabulary: &Vocabulary<'_>, codec: &mut StateCodec<'_>) {
        self.splitter.visit_state(codec);
        #[cfg(feature = "wordpiece")]
        if let Some(word) = &mut self.ids.word {
            return word.visit_state(codec);
        }
        let lookup = &mut self.ids.lookup;
        // A flag comes first, 0 or 1: a look-up that has not begun is not saved.
        let has_begun = codec.byte((*lookup != Lookup::START).into());
        codec.check(has_begun <= 1);
        if has_begun == 0 {
            *lookup = Lookup::START;
        } else {
            lookup.visit_state(vocabulary, codec);
        }
    }

    /// Reads the next bytes of the text and passes the ids of the tokens that they complete to `sink`.
    pub fn feed(&mut self, vocabulary: &Vocabulary<'_>, bytes: &[u8], sink: &mut dyn FnMut(u32)) {
        self.feed_tokens(vocabulary, bytes, &mut IdSink(sink));
    }

    /// Ends the text and passes the ids of its last token, if there is one, to `sink`. The encoder is then at the
    /// beginning of a new text.
    pub fn finish(&mut self, vocabulary: &Vocabulary<'_>, sink: &mut dyn FnMut(u32)) {
        self.finish_tokens(vocabulary, &mut IdSink(sink));
    }

    /// [`feed`](Encoder::feed) with a [`TokenSink`].
    #[inline(never)]
    pub(crate) fn feed_tokens(&mut self, vocabulary: &Vocabulary<'_>, bytes: &[u8], sink: &mut dyn TokenSink) {
        let Encoder { splitter, ids } = self;
        if splitter.kind() == TokenizerKind::Bytes {
            return bytes.iter().for_each(|&byte| {
                #[cfg(feature = "ngrams")]
                if ids.passes_chars {
                    sink.char(char::from(byte));
                }
                // The ids of bytes follow PAD and UNK, in the order of the bytes.
                sink.id(u32::from(byte) + 2);
            });
        }
        splitter.feed_text(bytes, &mut ids.piece_sink(vocabulary, sink));
    }

    /// [`finish`](Encoder::finish) with a [`TokenSink`].
    pub(crate) fn finish_tokens(&mut self, vocabulary: &Vocabulary<'_>, sink: &mut dyn TokenSink) {
        let Encoder { splitter, ids } = self;
        splitter.finish(&mut ids.piece_sink(vocabulary, sink));
    }
}

impl Ids<'_> {
    /// Returns the closure to which the splitter passes pieces. It is created in one place, so that it has one type and
    /// the splitter's generic code is linked once.
    fn piece_sink(&mut self, vocabulary: &Vocabulary<'_>, sink: &mut dyn TokenSink) -> impl FnMut(Piece) {
        |piece| self.take(piece, vocabulary, sink)
    }

    /// Reads a piece of a token. At its end, passes the id, or the ids of WordPieces, to `sink`.
    fn take(&mut self, piece: Piece, vocabulary: &Vocabulary<'_>, sink: &mut dyn TokenSink) {
        match piece {
            Piece::Char(c) => {
                #[cfg(feature = "ngrams")]
                if self.passes_chars {
                    sink.char(c);
                }
                #[cfg(feature = "wordpiece")]
                if let Some(word) = &mut self.word {
                    return word.push(c);
                }
                self.lookup.push(vocabulary, c);
            }
            Piece::End => {
                #[cfg(feature = "ngrams")]
                if self.passes_word_ends {
                    sink.word_end();
                }
                #[cfg(feature = "wordpiece")]
                if let Some(word) = &mut self.word {
                    return word.finish(vocabulary, &mut |id| sink.id(id));
                }
                let id = self.lookup.id(vocabulary);
                self.lookup = Lookup::START;
                sink.id(id);
            }
        }
    }
}

#[cfg(all(test, feature = "wordpiece"))]
mod tests;
