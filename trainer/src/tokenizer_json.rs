//! Writes and reads `tokenizer.json`, the vocabulary in the format of the `tokenizers` library.
//!
//! Each tokenizer of the device is built from components of the library and gives the same ids for every text, in
//! Rust and in Python.

mod parts;
mod read;

pub use read::read;

use crate::vocabulary::{PAD, PAD_TOKEN, Vocabulary};
use tokenizers::{PaddingParams, Tokenizer};

/// Builds the library's tokenizer for a vocabulary. It gives the same ids as [`Vocabulary::encode`].
///
/// PAD and UNK are not registered as special tokens. The library matches special tokens before it normalises the
/// text, so a literal `[UNK]` in a text would get other ids than on the device.
///
/// # Errors
///
/// Returns the library's error.
pub fn tokenizer(vocabulary: &Vocabulary) -> tokenizers::Result<Tokenizer> {
    let kind = vocabulary.tokenizer();
    let mut tokenizer = Tokenizer::new(parts::model(vocabulary)?);
    tokenizer.with_normalizer(parts::normalizer(kind)?)?;
    tokenizer.with_pre_tokenizer(Some(parts::pre_tokenizer(kind)?));
    tokenizer.with_decoder(parts::decoder(kind));
    tokenizer.with_padding(Some(PaddingParams {
        pad_id: PAD,
        pad_token: PAD_TOKEN.to_owned(),
        ..PaddingParams::default()
    }));
    Ok(tokenizer)
}

/// Returns the text of `tokenizer.json`.
///
/// # Errors
///
/// Returns the library's error.
pub fn write(vocabulary: &Vocabulary) -> tokenizers::Result<String> {
    tokenizer(vocabulary)?.to_string(true)
}

#[cfg(test)]
mod tests;
