//! Text to tokens to ids, a byte at a time, in constant memory.
//!
//! Bytes become characters ([`Utf8`]), characters become pieces of tokens ([`Splitter`]), and pieces become ids ([`Encoder`]). No step
//! can tell how its input was cut into chunks. Most tokenizers keep nothing of the text and so have no limit on a token;
//! two keep a bounded part of it, in memory that they are given: a tag of HTML until it closes, and a word until it is cut into pieces.
//!
//! [`Detokenizer`] is the way back, for language models: it joins tokens into text.
//!
//! The trainer builds its vocabulary with this same [`Splitter`]: there is one definition of a token.

mod detokenizer;
#[cfg(feature = "html_words")]
mod emoticon;
mod encoder;
#[cfg(feature = "html_words")]
mod html;
mod lowercase;
mod runs;
mod splitter;
pub(crate) mod texts;
mod tokenizer;
mod utf8;
pub(crate) mod vocabulary;
mod word;
#[cfg(feature = "wordpiece")]
mod wordpiece;

pub use detokenizer::Detokenizer;
pub use encoder::Encoder;
pub use lowercase::lowercase;
pub use splitter::{Piece, Splitter};
pub use tern_format::{Tokenizer, TokenizerKind};
pub(crate) use tokenizer::{BUILT, PLAIN_NAMES, numbered, state_len};
pub use tokenizer::{buffer_len, is_built};
pub use utf8::Utf8;
pub(crate) use utf8::is_utf8;
pub use word::is_word;

#[cfg(test)]
mod tests;
