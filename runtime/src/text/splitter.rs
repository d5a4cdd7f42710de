//! The splitter: cuts a stream of bytes into tokens. It decodes UTF-8; for `html_words` it replaces tags and entities
//! and finds emoticons; it lowercases characters; and [`Tokens`] finds where tokens end.

use core::marker::PhantomData;

use super::characters::{CAPITAL_I_WITH_DOT, COMBINING_DOT, is_space, lowercase_of_other};
use super::{Tokenizer, TokenizerKind, Utf8, is_word};
#[cfg(feature = "html_words")]
use super::{
    emoticon::{Emoticons, Found},
    html::{Entities, Tags},
};
use crate::state_codec::StateCodec;

/// A piece of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The current token continues with this character. For [`TokenizerKind::Bytes`] it is the character whose code is
    /// the byte.
    Char(char),
    /// The current token is complete. It has at least one [`Piece::Char`].
    End,
}

/// The class of a token's characters, or `Space` for white space and between tokens. A saved state stores the number of
/// the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Space = 0,
    Word = 1,
    Other = 2,
}

/// Cuts a stream of bytes into tokens; for [`TokenizerKind::WordPiece`] into words, which an
/// [`Encoder`](super::Encoder) cuts into pieces.
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
    /// Uses the lifetime in builds without `html_words`.
    buffer: PhantomData<&'b mut [i32]>,
}

/// The last stage: cuts characters into tokens by their class.
#[derive(Clone, Copy, Debug)]
struct Tokens {
    kind: TokenizerKind,
    /// The class of the current token; always [`Class::Space`] for [`TokenizerKind::Chars`], whose tokens end at once.
    class: Class,
}

/// The stages before [`Tokens`] for [`TokenizerKind::HtmlWords`], in their order. A tokenizer that lowercases does so
/// between `entities` and `emoticons`.
#[cfg(feature = "html_words")]
#[derive(Debug)]
struct Html<'b> {
    tags: Tags<'b>,
    entities: Entities,
    emoticons: Emoticons,
}

impl<'b> Splitter<'b> {
    /// A splitter at the beginning of a text. `buffer`: at least [`buffer_len`](super::buffer_len) words. The tokenizer
    /// must be built in: [`is_built`](super::is_built).
    pub fn new(tokenizer: Tokenizer, buffer: &'b mut [i32]) -> Self {
        debug_assert!(super::is_built(tokenizer), "{} is not built in", tokenizer.name());
        // For WordPiece, the encoder has the buffer: its splitter gets an empty one.
        debug_assert!(buffer.len() >= super::buffer_len(tokenizer) || tokenizer.kind == TokenizerKind::WordPiece);
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

    /// Begins a new text and discards an unfinished token.
    pub fn reset(&mut self) {
        self.utf8 = Utf8::new();
        self.tokens.class = Class::Space;
        #[cfg(feature = "html_words")]
        {
            self.html.tags.reset();
            (self.html.entities, self.html.emoticons) = (Entities::default(), Emoticons::default());
        }
    }

    /// Passes the incomplete character, the HTML stages and the class of the current token through the codec.
    pub(crate) fn visit_state(&mut self, codec: &mut StateCodec<'_>) {
        if self.tokens.kind == TokenizerKind::Bytes {
            // Each byte is a whole token: there is nothing to save.
            return;
        }
        self.utf8.visit_state(codec);
        #[cfg(feature = "html_words")]
        if self.tokens.kind == TokenizerKind::HtmlWords {
            self.html.tags.visit_state(codec);
            self.html.entities.visit_state(codec);
            self.html.emoticons.visit_state(codec);
        }
        let number = codec.byte(self.tokens.class as u8);
        let class = [Class::Space, Class::Word, Class::Other].into_iter().find(|&class| class as u8 == number);
        codec.check(class.is_some());
        self.tokens.class = class.unwrap_or(Class::Space);
    }

    /// The kind of tokenizer.
    pub(super) fn kind(&self) -> TokenizerKind {
        self.tokens.kind
    }

    /// Reads the next bytes of the text and passes the pieces of tokens to `sink`.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut (impl FnMut(Piece) + ?Sized)) {
        for &byte in bytes {
            self.feed_byte(byte, sink);
        }
    }

    /// Reads the next byte of the text and passes the pieces of tokens to `sink`.
    #[inline]
    pub fn feed_byte(&mut self, byte: u8, sink: &mut (impl FnMut(Piece) + ?Sized)) {
        if self.kind() == TokenizerKind::Bytes {
            sink(Piece::Char(char::from(byte)));
            return sink(Piece::End);
        }
        self.feed_text(&[byte], sink);
    }

    /// [`feed`](Splitter::feed) for all kinds but [`TokenizerKind::Bytes`].
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

    /// Ends the text, which completes the current token, if there is one. The splitter is then at the beginning of a
    /// new text.
    pub fn finish(&mut self, sink: &mut (impl FnMut(Piece) + ?Sized)) {
        let Splitter { utf8, tokens, .. } = self;
        #[cfg(feature = "html_words")]
        if tokens.kind == TokenizerKind::HtmlWords {
            let (html, lowercase) = (&mut self.html, self.lowercase);
            // The HTML stages take a `dyn` sink, so that their code is linked once for all types of `sink`.
            let sink: &mut dyn FnMut(Piece) = &mut |piece| sink(piece);
            utf8.finish(|c| html.feed(c, lowercase, tokens, sink));
            html.finish(lowercase, tokens, sink);
            return tokens.end(sink);
        }
        // An incomplete character becomes U+FFFD, which needs no lowercasing.
        utf8.finish(|c| tokens.feed(c, sink));
        tokens.end(sink);
    }
}

/// Passes the character on, lowercased if `lower` is true; U+0130 becomes two characters then.
#[inline]
fn in_case(mut c: char, lower: bool, mut sink: impl FnMut(char)) {
    if lower {
        if c == CAPITAL_I_WITH_DOT {
            sink('i');
            c = COMBINING_DOT;
        }
        c = lowercase_of_other(c);
    }
    sink(c)
}

impl Tokens {
    /// Reads a character and passes the pieces of tokens to `sink`.
    fn feed(&mut self, c: char, sink: &mut (impl FnMut(Piece) + ?Sized)) {
        let next_class = match self.kind {
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
        if next_class != self.class && self.class != Class::Space {
            sink(Piece::End);
        }
        if next_class != Class::Space {
            sink(Piece::Char(c));
        }
        self.class = next_class;
    }

    /// Ends the current token, if there is one.
    fn end(&mut self, sink: &mut (impl FnMut(Piece) + ?Sized)) {
        if self.class != Class::Space {
            sink(Piece::End);
        }
        self.class = Class::Space;
    }
}

#[cfg(feature = "html_words")]
impl Tokens {
    /// Reads the output of the emoticon stage and passes the pieces of tokens to `sink`. An emoticon is one token.
    fn take(&mut self, found: Found, sink: &mut dyn FnMut(Piece)) {
        match found {
            Found::Plain(c) => self.feed(c, sink),
            Found::Emoticon(chars) => {
                self.end(sink);
                // A missing part is NUL.
                chars.into_iter().filter(|&c| c != '\0').for_each(|c| sink(Piece::Char(c)));
                sink(Piece::End);
            }
        }
    }
}

#[cfg(feature = "html_words")]
impl Html<'_> {
    /// Reads a character and passes it through all stages to `tokens`.
    fn feed(&mut self, c: char, lower: bool, tokens: &mut Tokens, sink: &mut dyn FnMut(Piece)) {
        let Html { tags, entities, emoticons } = self;
        tags.feed(c, &mut |c| entities.feed(c, &mut |c| emoticons.feed_cased(c, lower, tokens, sink)));
    }

    /// Ends the text: flushes every stage into the next one.
    fn finish(&mut self, lower: bool, tokens: &mut Tokens, sink: &mut dyn FnMut(Piece)) {
        let Html { tags, entities, emoticons } = self;
        tags.finish(&mut |c| entities.feed(c, &mut |c| emoticons.feed_cased(c, lower, tokens, sink)));
        entities.finish(&mut |c| emoticons.feed_cased(c, lower, tokens, sink));
        emoticons.finish(&mut |found| tokens.take(found, sink));
    }
}

#[cfg(feature = "html_words")]
impl Emoticons {
    /// Reads a character, after lowercasing it if `lower` is true.
    fn feed_cased(&mut self, c: char, lower: bool, tokens: &mut Tokens, sink: &mut dyn FnMut(Piece)) {
        in_case(c, lower, |c| self.feed(c, &mut |found| tokens.take(found, sink)));
    }
}
