//! Text to tokens, a byte at a time, in constant memory.
//!
//! Bytes become characters ([`Utf8`]), characters become lower-cased pieces of tokens ([`Splitter`]), and pieces become
//! ids in a [`Session`](crate::Session). No step keeps the text or even one token, so neither has a length limit, and no step can
//! tell how its input was cut into chunks.
//!
//! The trainer builds its vocabulary with this same [`Splitter`]: there is one definition of a token.

mod lowercase;
mod splitter;
mod utf8;
mod word;

pub use lowercase::lowercase;
pub use splitter::{Piece, Splitter, Tokenizer};
pub use utf8::Utf8;
pub use word::is_word;

#[cfg(test)]
mod tests;
