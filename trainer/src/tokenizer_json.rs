//! `tokenizer.json`: the vocabulary as the `tokenizers` library reads it.
//!
//! Each tokenizer of the device is expressed by the library's own parts, and gives the same ids for every text.

mod parts;
mod read;

pub use read::read;

use crate::vocabulary::{PAD, PAD_TOKEN, Vocabulary};
use tokenizers::{PaddingParams, Tokenizer};

/// The tokenizer as the `tokenizers` library knows it: it gives the same ids as [`Vocabulary::encode`].
///
/// PAD and UNK are not registered as special tokens: these are looked for before the text is normalised, so that a text
/// with a literal `[UNK]` in it would get other ids than on the device.
///
/// # Errors
///
/// What the library says.
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

/// The text of `tokenizer.json`.
///
/// # Errors
///
/// What the library says.
pub fn write(vocabulary: &Vocabulary) -> tokenizers::Result<String> {
    tokenizer(vocabulary)?.to_string(true)
}

#[cfg(test)]
mod tests;
