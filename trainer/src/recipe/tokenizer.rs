//! `[tokenizer]`: how text is cut.

use super::RecipeError;
use serde::{Deserialize, Serialize};
use tern_runtime::text;

/// How text is cut.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tokenizer {
    /// The kind of tokenizer.
    pub kind: TokenizerKind,
    /// Whether each character becomes its lower case first. Without it: yes where tokens are words or pieces of words, no where they
    /// are characters. Bytes are never changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lowercase: Option<bool>,
}

/// Kinds of tokenizers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum TokenizerKind {
    /// What stands between white space.
    Whitespace,
    /// Words and runs of punctuation.
    #[default]
    Words,
    /// Words without HTML's tags and entities, and emoticons.
    HtmlWords,
    /// Characters, white space too.
    Chars,
    /// Bytes.
    Bytes,
    /// Pieces of words, learnt from the texts.
    #[serde(rename = "wordpiece")]
    #[value(name = "wordpiece")]
    WordPiece,
}

impl TokenizerKind {
    fn kind(self) -> text::TokenizerKind {
        match self {
            TokenizerKind::Whitespace => text::TokenizerKind::Whitespace,
            TokenizerKind::Words => text::TokenizerKind::Words,
            TokenizerKind::HtmlWords => text::TokenizerKind::HtmlWords,
            TokenizerKind::Chars => text::TokenizerKind::Chars,
            TokenizerKind::Bytes => text::TokenizerKind::Bytes,
            TokenizerKind::WordPiece => text::TokenizerKind::WordPiece,
        }
    }
}

impl Tokenizer {
    /// The tokenizer, with the default case resolved.
    pub fn tokenizer(&self) -> text::Tokenizer {
        let default = !matches!(self.kind, TokenizerKind::Chars | TokenizerKind::Bytes);
        let lowercase = self.lowercase.unwrap_or(default) && self.kind != TokenizerKind::Bytes;
        text::Tokenizer { kind: self.kind.kind(), lowercase }
    }

    pub(super) fn check(&self) -> Result<(), RecipeError> {
        if self.kind == TokenizerKind::Bytes && self.lowercase == Some(true) {
            return Err(RecipeError::Value {
                key: "[tokenizer] lowercase",
                found: "true".to_owned(),
                expected: "false or nothing where kind is \"bytes\": bytes have no case".to_owned(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Tokenizer {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn every_tokenizer_of_the_device_has_a_recipe() {
        let mut names = Vec::new();
        for kind in ["whitespace", "words", "html_words", "chars", "bytes", "wordpiece"] {
            for lowercase in ["lowercase = true", "lowercase = false"] {
                let tokenizer = read(&format!("kind = \"{kind}\"\n{lowercase}"));
                if tokenizer.check().is_ok() {
                    names.push(tokenizer.tokenizer().name());
                }
            }
        }
        let mut all: Vec<&str> = text::Tokenizer::ALL.iter().map(|tokenizer| tokenizer.name()).collect();
        names.sort_unstable();
        all.sort_unstable();
        assert_eq!(names, all);
    }

    #[test]
    fn case_by_default() {
        let name = |toml: &str| read(toml).tokenizer().name();
        assert_eq!(name(""), "words");
        assert_eq!(name("kind = \"wordpiece\""), "wordpiece");
        assert_eq!(name("kind = \"chars\""), "chars_cased");
        assert_eq!(name("kind = \"bytes\""), "bytes");
        assert_eq!(name("lowercase = false"), "words_cased");
    }

    #[test]
    fn bytes_have_no_case() {
        let error = read("kind = \"bytes\"\nlowercase = true").check().unwrap_err().to_string();
        assert!(error.starts_with("[tokenizer] lowercase is true, expected false or nothing"), "{error}");
    }
}
