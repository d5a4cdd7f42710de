//! `tokenizer.json`: the vocabulary as the `tokenizers` library reads it.

use crate::vocabulary::{PAD, PAD_TOKEN, UNK_TOKEN, Vocabulary};
use serde_json::Value;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::normalizers::Lowercase;
use tokenizers::pre_tokenizers::whitespace::Whitespace;
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
    let ids = vocabulary.tokens().iter().cloned().zip(0..).collect();
    let model = WordLevel::builder().vocab(ids).unk_token(UNK_TOKEN.to_owned()).build()?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_normalizer(Some(Lowercase))?;
    tokenizer.with_pre_tokenizer(Some(Whitespace));
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

/// The vocabulary in the text of a `tokenizer.json` of ours.
///
/// # Errors
///
/// A sentence saying what was found and what was expected.
pub fn read(json: &str) -> Result<Vocabulary, String> {
    let root: Value = serde_json::from_str(json).map_err(|error| format!("not JSON: {error}"))?;
    for (pointer, expected) in [
        ("/normalizer/type", "Lowercase"),
        ("/pre_tokenizer/type", "Whitespace"),
        ("/model/type", "WordLevel"),
        ("/model/unk_token", UNK_TOKEN),
    ] {
        let found = root.pointer(pointer).unwrap_or(&Value::Null);
        if found != expected {
            return Err(format!("{} is {found}, expected \"{expected}\"", pointer[1..].replace('/', ".")));
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
    Vocabulary::from_tokens(tokens.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXTS: [&str; 9] = [
        "WINNER!! You've won £1,000 — call 0800-123 NOW...",
        "Übergröße, STRASSE straße ẞ; naïve café déjà-vu",
        "İstanbul'da ılık bir gün; DİYARBAKIR",
        "Привет, мир! ЁЖИК и Щука",
        "东京タワー、こんにちは世界。 한국어 텍스트",
        "مرحبا بالعالم، كيف الحال؟ हिन्दी में पाठ",
        "👍🏽 emoji 👨‍👩‍👧 flags 🇫🇷 ©®™ a_b snake_case 3.14",
        "ΟΔΥΣΣΕΥΣ Σίσυφος [UNK] [PAD] [unk] <br /><br />",
        "tabs\tand\u{a0}no-break\u{2009}thin\u{200d}joiner\u{ad}soft zero\u{200b}width",
    ];

    fn vocabulary() -> Vocabulary {
        Vocabulary::build(TEXTS.into_iter(), 1, None)
    }

    fn library(vocabulary: &Vocabulary) -> Tokenizer {
        Tokenizer::from_bytes(write(vocabulary).unwrap()).unwrap()
    }

    #[test]
    fn the_library_gives_the_same_ids() {
        let vocabulary = vocabulary();
        let library = library(&vocabulary);
        for text in TEXTS {
            assert_eq!(library.encode(text, true).unwrap().get_ids(), vocabulary.encode(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_library_gives_the_same_ids_on_any_text(text in "\\PC{0,60}|[ -~İßΣς\u{300}-\u{310}\n]{0,60}|.{0,40}") {
            let vocabulary = Vocabulary::build(TEXTS.into_iter().chain([text.as_str()]), 1, None);
            let library = tokenizer(&vocabulary).unwrap();
            let encoding = library.encode(text.as_str(), true).unwrap();
            prop_assert_eq!(encoding.get_ids(), vocabulary.encode(&text));
        }
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let vocabulary = vocabulary();
        assert_eq!(read(&write(&vocabulary).unwrap()), Ok(vocabulary));
    }

    #[test]
    fn is_the_same_text_every_time() {
        assert_eq!(write(&vocabulary()).unwrap(), write(&vocabulary()).unwrap());
    }

    #[test]
    fn says_what_is_wrong() {
        let good = write(&vocabulary()).unwrap();
        for (from, to, expected) in [
            ("\"Lowercase\"", "\"NFC\"", "normalizer.type is \"NFC\", expected \"Lowercase\""),
            ("\"[UNK]\": 1", "\"[UNK]\": 2", "expected each id below"),
            ("\"vocab\"", "\"words\"", "model.vocab is missing"),
            ("{", "", "not JSON"),
        ] {
            let error = read(&good.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
