//! Bytes to ids.

#[cfg(feature = "wordpiece")]
use super::{Kind, wordpiece::Word};
use super::{Piece, Splitter, Tokenizer};
use crate::archive::Archive;
use crate::vocabulary::{Lookup, Vocabulary};

/// Turns a stream of bytes into the ids of its tokens. Each call must be given the same vocabulary.
#[derive(Debug)]
pub struct Encoder<'b> {
    splitter: Splitter<'b>,
    ids: Ids<'b>,
}

/// The token under way.
#[derive(Debug)]
struct Ids<'b> {
    lookup: Option<Lookup>,
    /// The word under way of [`Kind::WordPiece`].
    #[cfg(feature = "wordpiece")]
    word: Option<Word<'b>>,
    #[cfg(not(feature = "wordpiece"))]
    word: core::marker::PhantomData<&'b ()>,
}

impl<'b> Encoder<'b> {
    /// An encoder at the beginning of a text. `buffer`: [`Tokenizer::buffer_len`] words at least.
    pub fn new(tokenizer: Tokenizer, buffer: &'b mut [i32]) -> Self {
        #[cfg(feature = "wordpiece")]
        if tokenizer.kind == Kind::WordPiece {
            let ids = Ids { lookup: None, word: Some(Word::new(buffer)) };
            return Encoder { splitter: Splitter::new(tokenizer, &mut []), ids };
        }
        let ids = Ids { lookup: None, word: Default::default() };
        Encoder { splitter: Splitter::new(tokenizer, buffer), ids }
    }

    /// Begins a new text.
    pub fn reset(&mut self) {
        self.splitter.reset();
        self.ids.lookup = None;
        #[cfg(feature = "wordpiece")]
        if let Some(word) = &mut self.ids.word {
            word.reset();
        }
    }

    /// All that is kept between two bytes of the text.
    pub(crate) fn walk(&mut self, vocabulary: &Vocabulary<'_>, archive: &mut Archive<'_>) {
        self.splitter.walk(archive);
        #[cfg(feature = "wordpiece")]
        if let Some(word) = &mut self.ids.word {
            return word.walk(archive);
        }
        let under_way = archive.byte(self.ids.lookup.is_some().into());
        archive.check(under_way <= 1);
        self.ids.lookup = match (under_way, self.ids.lookup) {
            (0, _) => None,
            (_, lookup) => Some(lookup.unwrap_or_else(|| Lookup::new(vocabulary))),
        };
        if let Some(lookup) = &mut self.ids.lookup {
            lookup.walk(vocabulary, archive);
        }
    }

    /// Takes the next bytes of the text and gives the ids of the tokens that they complete.
    pub fn feed(&mut self, vocabulary: &Vocabulary<'_>, bytes: &[u8], sink: &mut dyn FnMut(u32)) {
        let Encoder { splitter, ids } = self;
        splitter.feed(bytes, &mut ids.taker(vocabulary, sink));
    }

    /// Ends the text: its last token may be waiting for that. The encoder is then at the beginning of a new text.
    pub fn finish(&mut self, vocabulary: &Vocabulary<'_>, sink: &mut dyn FnMut(u32)) {
        let Encoder { splitter, ids } = self;
        splitter.finish(&mut ids.taker(vocabulary, sink));
    }
}

impl Ids<'_> {
    /// One type for all who feed it: their code is linked once.
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
            Piece::Char(c) => self.lookup.get_or_insert_with(|| Lookup::new(vocabulary)).push(vocabulary, c),
            Piece::End => {
                let lookup = self.lookup.take().unwrap_or_else(|| Lookup::new(vocabulary));
                sink(lookup.id(vocabulary));
            }
        }
    }
}

#[cfg(all(test, feature = "wordpiece"))]
mod tests;
