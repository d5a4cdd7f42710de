//! Tokenizers: turn the bytes of a text into token ids, one byte at a time, in constant memory.
//!
//! [`Utf8`] turns bytes into characters, [`Splitter`] cuts the characters into tokens, which it passes on in pieces
//! ([`Piece`]: a character, or the end of a token), and [`Encoder`] turns the pieces into ids. The result does not
//! depend on how the text is cut into chunks. Most tokenizers store nothing of the text, so a token may have any
//! length. Two store a bounded part of it in a buffer of the caller: `html_words` a tag until it closes, `wordpiece` a
//! word until it is cut into pieces.
//!
//! [`Detokenizer`] is the inverse, for language models: it joins tokens into text.
//!
//! [`NgramHasher`] turns the pieces into hashes of n-grams, for the n-gram branch of a classifier.
//!
//! The trainer builds its vocabulary with the same [`Splitter`], so there is one definition of a token.

mod characters;
mod detokenizer;
#[cfg(feature = "html_words")]
mod emoticon;
mod encoder;
pub(crate) mod fingerprints;
mod hash;
#[cfg(feature = "html_words")]
mod html;
mod ngrams;
mod runs;
mod splitter;
pub(crate) mod texts;
mod tokenizer;
mod utf8;
pub(crate) mod vocabulary;
#[cfg(feature = "wordpiece")]
mod wordpiece;

pub use characters::{is_word, lowercase};
pub use detokenizer::Detokenizer;
pub use encoder::Encoder;
pub(crate) use encoder::TokenSink;
pub use ngrams::NgramHasher;
pub use splitter::{Piece, Splitter};
pub use tern_format::{Tokenizer, TokenizerKind};
pub(crate) use tokenizer::{BUILT, PLAIN_COUNT, numbered, state_len};
pub use tokenizer::{buffer_len, is_built};
pub use utf8::Utf8;
pub(crate) use utf8::is_utf8;

#[cfg(test)]
mod tests;
