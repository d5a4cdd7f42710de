//! Characters to tokens.

use super::{Utf8, is_word, lowercase};

/// How text is cut into tokens. The name is what a device file says under `tern.tokenizer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Tokenizer {
    /// Lower-cased runs of word characters, and runs of everything else but white space: the regular expression
    /// `\w+|[^\w\s]+` on text lower-cased a character at a time. In the `tokenizers` library: normalizer `Lowercase`,
    /// pre-tokenizer `Whitespace`.
    Words,
}

/// One step of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The token under way goes on with this character.
    Char(char),
    /// The token under way is complete. Always follows at least one [`Piece::Char`].
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Space,
    Word,
    Other,
}

/// Cuts a stream of bytes into tokens.
///
/// ```
/// use tern_runtime::text::{Piece, Splitter, Tokenizer};
///
/// let mut tokens = vec![String::new()];
/// let mut sink = |piece| match piece {
///     Piece::Char(c) => tokens.last_mut().unwrap().push(c),
///     Piece::End => tokens.push(String::new()),
/// };
/// let mut splitter = Splitter::new(Tokenizer::Words);
/// splitter.feed(b"Fre", &mut sink); // any chunking gives the same tokens
/// splitter.feed(b"e prize!!", &mut sink);
/// splitter.finish(&mut sink);
/// assert_eq!(tokens, ["free", "prize", "!!", ""]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Splitter {
    tokenizer: Tokenizer,
    utf8: Utf8,
    class: Class,
}

impl Splitter {
    /// A splitter at the beginning of a text.
    pub const fn new(tokenizer: Tokenizer) -> Self {
        Splitter { tokenizer, utf8: Utf8::new(), class: Class::Space }
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
        let Splitter { tokenizer: Tokenizer::Words, utf8, class } = self;
        utf8.feed(byte, |c| words(class, c, sink));
    }

    /// Ends the text: the token under way, if any, is complete. The splitter is then at the beginning of a new text.
    pub fn finish(&mut self, sink: &mut (impl FnMut(Piece) + ?Sized)) {
        let Splitter { tokenizer: Tokenizer::Words, utf8, class } = self;
        utf8.finish(|c| words(class, c, sink));
        if *class != Class::Space {
            sink(Piece::End);
        }
        *class = Class::Space;
    }
}

/// One character of [`Tokenizer::Words`].
fn words(class: &mut Class, c: char, sink: &mut (impl FnMut(Piece) + ?Sized)) {
    for c in lowercase(c) {
        let next = if is_word(c) {
            Class::Word
        } else if c.is_whitespace() {
            Class::Space
        } else {
            Class::Other
        };
        if next != *class && *class != Class::Space {
            sink(Piece::End);
        }
        if next != Class::Space {
            sink(Piece::Char(c));
        }
        *class = next;
    }
}
