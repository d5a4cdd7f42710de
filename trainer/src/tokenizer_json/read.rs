//! Reads a `tokenizer.json` that [`write`](super::write) wrote.

use super::parts;
use crate::vocabulary::{MAX_CHARS, UNK_TOKEN, Vocabulary};
use serde_json::Value;
use tern_runtime::text::{Tokenizer, TokenizerKind};

/// Reads the vocabulary from the text of a `tokenizer.json` that was written for `tokenizer`.
///
/// # Errors
///
/// Returns a sentence with what was found and what was expected.
pub fn read(json: &str, tokenizer: Tokenizer) -> Result<Vocabulary, String> {
    let root: Value = serde_json::from_str(json).map_err(|error| format!("not JSON: {error}"))?;
    let part = |value: Result<Value, serde_json::Error>| value.map_err(|error| error.to_string());
    let normalizer = parts::normalizer(tokenizer).map_err(|error| error.to_string())?;
    let pre_tokenizer = parts::pre_tokenizer(tokenizer).map_err(|error| error.to_string())?;
    let mut expected = vec![
        ("/normalizer", part(serde_json::to_value(normalizer))?),
        ("/pre_tokenizer", part(serde_json::to_value(pre_tokenizer))?),
        ("/model/unk_token", UNK_TOKEN.into()),
    ];
    if tokenizer.kind == TokenizerKind::WordPiece {
        expected.push(("/model/type", "WordPiece".into()));
        expected.push(("/model/continuing_subword_prefix", "##".into()));
        expected.push(("/model/max_input_chars_per_word", MAX_CHARS.into()));
    } else {
        expected.push(("/model/type", "WordLevel".into()));
    }
    for (pointer, expected) in expected {
        let found = root.pointer(pointer).unwrap_or(&Value::Null);
        if *found != expected {
            let (key, name) = (pointer[1..].replace('/', "."), tokenizer.name());
            return Err(format!("{key} is {found}, expected {expected} for the tokenizer {name:?}"));
        }
    }
    let Some(Value::Object(vocab)) = root.pointer("/model/vocab") else {
        return Err("model.vocab is missing, expected an object of tokens and ids".to_owned());
    };
    let mut tokens: Vec<Option<String>> = vec![None; vocab.len()];
    for (token, id) in vocab {
        let slot = id.as_u64().and_then(|id| tokens.get_mut(usize::try_from(id).ok()?));
        match slot {
            Some(slot @ None) => *slot = Some(token.clone()),
            _ => return Err(format!("token {token:?} has id {id}, expected each id below {} once", vocab.len())),
        }
    }
    Vocabulary::from_tokens(tokenizer, tokens.into_iter().flatten().collect())
}
