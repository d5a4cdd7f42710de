//! Writing and reading of `tokenizer.json`, the vocabulary in the format of the `tokenizers` library.
//!
//! The library builds a tokenizer from components: a normalizer, a pre-tokenizer, a model and a decoder. For each
//! tokenizer of the device, `parts` chooses components that give the same ids for every text, in Rust and in Python.

mod parts;

use crate::vocabulary::{MAX_CHARS, PAD, PAD_TOKEN, UNK_TOKEN, Vocabulary};
use serde_json::{Map, Value};
use tern_runtime::text::{Tokenizer as TokenizerConfig, TokenizerKind};
use tokenizers::{PaddingParams, Tokenizer};

/// Builds the library's tokenizer for a vocabulary. It gives the same ids as [`Vocabulary::encode`]. PAD and UNK are
/// not registered as special tokens: the library matches these before it normalises the text, so that a literal `[UNK]`
/// in a text would get other ids than on the device.
pub fn tokenizer(vocabulary: &Vocabulary) -> tokenizers::Result<Tokenizer> {
    let config = vocabulary.tokenizer();
    let mut tokenizer = Tokenizer::new(parts::model(vocabulary)?);
    tokenizer.with_normalizer(parts::normalizer(config)?)?;
    tokenizer.with_pre_tokenizer(Some(parts::pre_tokenizer(config)?));
    tokenizer.with_decoder(parts::decoder(config));
    tokenizer.with_padding(Some(PaddingParams {
        pad_id: PAD,
        pad_token: PAD_TOKEN.to_owned(),
        ..PaddingParams::default()
    }));
    Ok(tokenizer)
}

/// Returns the text of `tokenizer.json` for a vocabulary. Fails if the library does.
pub fn write(vocabulary: &Vocabulary) -> tokenizers::Result<String> {
    tokenizer(vocabulary)?.to_string(true)
}

/// Reads the vocabulary from the text of a `tokenizer.json`. Fails if its normalizer, its pre-tokenizer, or the type,
/// the UNK token or the WordPiece settings of its model differ from those that [`write()`] writes for `tokenizer`; the
/// error names the key, the value found and the expected one.
pub fn read(json: &str, tokenizer: TokenizerConfig) -> Result<Vocabulary, String> {
    let root: Value = serde_json::from_str(json).map_err(|error| format!("not JSON: {error}"))?;
    for (pointer, expected) in expected_values(tokenizer).map_err(|error| error.to_string())? {
        let found = root.pointer(pointer).unwrap_or(&Value::Null);
        if *found != expected {
            let (key, name) = (pointer[1..].replace('/', "."), tokenizer.name());
            return Err(format!("{key} is {found}, expected {expected} for the tokenizer {name:?}"));
        }
    }
    let Some(Value::Object(vocab)) = root.pointer("/model/vocab") else {
        return Err("model.vocab is missing, expected an object of tokens and ids".to_owned());
    };
    Vocabulary::from_tokens(tokenizer, in_order_of_ids(vocab)?)
}

/// Returns the values that [`write()`] writes for a tokenizer whatever the tokens are, each with its JSON pointer.
fn expected_values(tokenizer: TokenizerConfig) -> tokenizers::Result<Vec<(&'static str, Value)>> {
    let mut expected = vec![
        ("/normalizer", serde_json::to_value(parts::normalizer(tokenizer)?)?),
        ("/pre_tokenizer", serde_json::to_value(parts::pre_tokenizer(tokenizer)?)?),
        ("/model/unk_token", UNK_TOKEN.into()),
    ];
    if tokenizer.kind == TokenizerKind::WordPiece {
        expected.push(("/model/type", "WordPiece".into()));
        expected.push(("/model/continuing_subword_prefix", "##".into()));
        expected.push(("/model/max_input_chars_per_word", MAX_CHARS.into()));
    } else {
        expected.push(("/model/type", "WordLevel".into()));
    }
    Ok(expected)
}

/// Returns the tokens of `vocab`, a JSON object of tokens and ids, in the order of their ids. Fails if the ids are not
/// 0, 1, … without gaps.
pub fn in_order_of_ids(vocab: &Map<String, Value>) -> Result<Vec<String>, String> {
    let mut tokens: Vec<Option<String>> = vec![None; vocab.len()];
    for (token, id) in vocab {
        let index = id.as_u64().and_then(|id| usize::try_from(id).ok());
        match index.and_then(|index| tokens.get_mut(index)) {
            Some(unused @ None) => *unused = Some(token.clone()),
            _ => return Err(format!("token {token:?} has id {id}, expected each id below {} once", vocab.len())),
        }
    }
    Ok(tokens.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests;
