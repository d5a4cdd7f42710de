//! Characters to tokens.

use core::marker::PhantomData;

use super::lowercase::{SECOND, TWO, single};
use super::word::is_space;
use super::{Tokenizer, TokenizerKind, Utf8, is_word};
#[cfg(feature = "html_words")]
use super::{
    emoticon::{Emoticons, Found},
    html::{Entities, Tags},
};
use crate::state_codec::StateCodec;

/// One step of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The token under way goes on with this character. A byte of [`TokenizerKind::Bytes`] is the character of that number.
    Char(char),
    /// The token under way is complete. Always follows at least one [`Piece::Char`].
    End,
}

/// What kind of characters the token under way has. A state keeps its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Space = 0,
    Word = 1,
    Other = 2,
}

/// Cuts a stream of bytes into tokens; for [`TokenizerKind::WordPiece`] into words, which an [`Encoder`](super::Encoder) cuts into pieces.
///
/// ```
/// use tern_runtime::text::{Piece, Splitter, Tokenizer, buffer_len};
///
/// let mut tokens = vec![String::new()];
/// let mut sink = |piece| match piece {
///     Piece::Char(c) => tokens.last_mut().unwrap().push(c),
///     Piece::End => tokens.push(String::new()),
/// };
/// let mut buffer = [0; buffer_len(Tokenizer::WORDS)];
/// let mut splitter = Splitter::new(Tokenizer::WORDS, &mut buffer);
/// splitter.feed(b"Fre", &mut sink); // any chunking gives the same tokens
/// splitter.feed(b"e prize!!", &mut sink);
/// splitter.finish(&mut sink);
/// assert_eq!(tokens, ["free", "prize", "!!", ""]);
/// ```
#[derive(Debug)]
pub struct Splitter<'b> {
    lowercase: bool,
    utf8: Utf8,
    tokens: Tokens,
    #[cfg(feature = "html_words")]
    html: Html<'b>,
    buffer: PhantomData<&'b mut [i32]>,
}

/// The token under way.
#[derive(Clone, Copy, Debug)]
struct Tokens {
    kind: TokenizerKind,
    class: Class,
}

/// What stands before the tokens of [`TokenizerKind::HtmlWords`].
#[cfg(feature = "html_words")]
#[derive(Debug)]
struct Html<'b> {
    tags: Tags<'b>,
    entities: Entities,
    emoticons: Emoticons,
}

impl<'b> Splitter<'b> {
    /// A splitter at the beginning of a text. `buffer`: [`buffer_len`](super::buffer_len) words at least.
    pub fn new(tokenizer: Tokenizer, buffer: &'b mut [i32]) -> Self {
        #[cfg(not(feature = "html_words"))]
        let _ = buffer;
        Splitter {
            lowercase: tokenizer.lowercase,
            utf8: Utf8::new(),
            tokens: Tokens { kind: tokenizer.kind, class: Class::Space },
            #[cfg(feature = "html_words")]
            html: Html { tags: Tags::new(buffer), entities: Entities::default(), emoticons: Emoticons::default() },
            buffer: PhantomData,
        }
    }

    /// Begins a new text; what the text under way leaves unfinished is forgotten.
    pub fn reset(&mut self) {
        self.utf8 = Utf8::new();
        self.tokens.class = Class::Space;
        #[cfg(feature = "html_words")]
        {
            self.html.tags.reset();
            (self.html.entities, self.html.emoticons) = (Entities::default(), Emoticons::default());
        }
    }

    /// The character, what HTML holds back, and the token under way.
    pub(crate) fn visit_state(&mut self, codec: &mut StateCodec<'_>) {
        if self.tokens.kind == TokenizerKind::Bytes {
            return;
        }
        self.utf8.visit_state(codec);
        #[cfg(feature = "html_words")]
        if self.tokens.kind == TokenizerKind::HtmlWords {
            self.html.tags.visit_state(codec);
            self.html.entities.visit_state(codec);
            self.html.emoticons.visit_state(codec);
        }
        let class = codec.byte(self.tokens.class as u8);
        let known = [Class::Space, Class::Word, Class::Other].into_iter().find(|&known| known as u8 == class);
        codec.check(known.is_some());
        self.tokens.class = known.unwrap_or(Class::Space);
    }

    /// What a token is.
    pub(super) fn kind(&self) -> TokenizerKind {
        self.tokens.kind
    }

    /// Takes the next bytes of the text.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut (impl FnMut(Piece) + ?Sized)) {
        for &byte in bytes {
            self.feed_byte(byte, sink);
        }
    }

    /// Takes the next byte of the text.
    #[inline]
    pub fn feed_byte(&mut self, byte: u8, sink: &mut (impl FnMut(Piece) + ?Sized)) {
        if self.kind() == TokenizerKind::Bytes {
            sink(Piece::Char(char::from(byte)));
            return sink(Piece::End);
        }
        self.feed_text(&[byte], sink);
    }

    /// [`feed`](Splitter::feed), of other kinds than [`TokenizerKind::Bytes`].
    #[inline]
    pub(super) fn feed_text(&mut self, bytes: &[u8], sink: &mut (impl FnMut(Piece) + ?Sized)) {
        let Splitter { lowercase, utf8, tokens, .. } = self;
        #[cfg(feature = "html_words")]
        if tokens.kind == TokenizerKind::HtmlWords {
            let html = &mut self.html;
            for &byte in bytes {
                utf8.feed(byte, |c| html.feed(c, *lowercase, tokens, &mut |piece| sink(piece)));
            }
            return;
        }
        for &byte in bytes {
            utf8.feed(byte, |c| in_case(c, *lowercase, |c| tokens.feed(c, sink)));
        }
    }

    /// Ends the text: the token under way, if any, is complete. The splitter is then at the beginning of a new text.
    pub fn finish(&mut self, sink: &mut (impl FnMut(Piece) + ?Sized)) {
        let Splitter { utf8, tokens, .. } = self;
        #[cfg(feature = "html_words")]
        if tokens.kind == TokenizerKind::HtmlWords {
            let (html, lowercase) = (&mut self.html, self.lowercase);
            let sink: &mut dyn FnMut(Piece) = &mut |piece| sink(piece);
            utf8.finish(|c| html.feed(c, lowercase, tokens, sink));
            html.finish(lowercase, tokens, sink);
            return tokens.end(sink);
        }
        // It gives a U+FFFD, which has no lower case.
        utf8.finish(|c| tokens.feed(c, sink));
        tokens.end(sink);
    }
}

/// The character, or what its lower case is.
#[inline]
fn in_case(mut c: char, lower: bool, mut sink: impl FnMut(char)) {
    if lower {
        if c == TWO {
            sink('i');
            c = SECOND;
        }
        c = single(c);
    }
    sink(c)
}

impl Tokens {
    /// Takes a character.
    fn feed(&mut self, c: char, sink: &mut (impl FnMut(Piece) + ?Sized)) {
        let next = match self.kind {
            TokenizerKind::Chars => {
                sink(Piece::Char(c));
                return sink(Piece::End);
            }
            TokenizerKind::Whitespace if is_space(c) => Class::Space,
            TokenizerKind::Whitespace => Class::Other,
            _ if is_word(c) => Class::Word,
            _ if is_space(c) => Class::Space,
            _ => Class::Other,
        };
        if next != self.class && self.class != Class::Space {
            sink(Piece::End);
        }
        if next != Class::Space {
            sink(Piece::Char(c));
        }
        self.class = next;
    }

    /// Ends the token under way, if any.
    fn end(&mut self, sink: &mut (impl FnMut(Piece) + ?Sized)) {
        if self.class != Class::Space {
            sink(Piece::End);
        }
        self.class = Class::Space;
    }
}

#[cfg(feature = "html_words")]
impl Tokens {
    /// Takes what the emoticons leave of the text.
    fn take(&mut self, found: Found, sink: &mut dyn FnMut(Piece)) {
        match found {
            Found::Plain(c) => self.feed(c, sink),
            Found::Emoticon(chars) => {
                self.end(sink);
                chars.into_iter().filter(|&c| c != '\0').for_each(|c| sink(Piece::Char(c)));
                sink(Piece::End);
            }
        }
    }
}

#[cfg(feature = "html_words")]
impl Html<'_> {
    fn feed(&mut self, c: char, lower: bool, tokens: &mut Tokens, sink: &mut dyn FnMut(Piece)) {
        let Html { tags, entities, emoticons } = self;
        tags.feed(c, &mut |c| entities.feed(c, &mut |c| emoticons.feed_cased(c, lower, tokens, sink)));
    }

    /// Gives what any stage holds back to the next.
    fn finish(&mut self, lower: bool, tokens: &mut Tokens, sink: &mut dyn FnMut(Piece)) {
        let Html { tags, entities, emoticons } = self;
        tags.finish(&mut |c| entities.feed(c, &mut |c| emoticons.feed_cased(c, lower, tokens, sink)));
        entities.finish(&mut |c| emoticons.feed_cased(c, lower, tokens, sink));
        emoticons.finish(&mut |found| tokens.take(found, sink));
    }
}

#[cfg(feature = "html_words")]
impl Emoticons {
    fn feed_cased(&mut self, c: char, lower: bool, tokens: &mut Tokens, sink: &mut dyn FnMut(Piece)) {
        in_case(c, lower, |c| self.feed(c, &mut |found| tokens.take(found, sink)));
    }
}
