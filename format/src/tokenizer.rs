//! [`Tokenizer`]: a kind of tokenizer, with or without lowercasing. The table `tokenizers!` lists all.

use crate::TokenizerKind;

/// A rule that cuts text into tokens. `docs/format.md`, "Text", defines each one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Tokenizer {
    /// The kind, which determines what becomes a token.
    pub kind: TokenizerKind,
    /// True if each character is lowercased first. Always false for [`TokenizerKind::Bytes`].
    pub lowercase: bool,
}

/// Declares all tokenizers: the name of each, its kind, and true if it lowercases.
macro_rules! tokenizers {
    ($first:literal = $first_kind:ident $first_case:literal, $($name:literal = $kind:ident $case:literal,)*) => {
        impl Tokenizer {
            /// All tokenizers, in the order of `docs/format.md`.
            pub const ALL: &'static [Self] = &[
                Tokenizer { kind: TokenizerKind::$first_kind, lowercase: $first_case },
                $(Tokenizer { kind: TokenizerKind::$kind, lowercase: $case }),*
            ];

            /// The names of all tokenizers in the order of [`ALL`](Self::ALL), separated by `, `.
            pub const NAMES: &'static str = concat!($first $(, ", ", $name)*);

            /// The name of this tokenizer: `tokenizer` in `config.json`, `tern.tokenizer` in device files.
            pub const fn name(self) -> &'static str {
                match (self.kind, self.lowercase) {
                    (TokenizerKind::$first_kind, $first_case) => $first,
                    $((TokenizerKind::$kind, $case) => $name,)*
                    // `lowercase` has no effect on bytes.
                    (TokenizerKind::Bytes, true) => "bytes",
                }
            }
        }
    };
}

tokenizers! {
    "whitespace" = Whitespace true,
    "whitespace_cased" = Whitespace false,
    "words" = Words true,
    "words_cased" = Words false,
    "chars" = Chars true,
    "chars_cased" = Chars false,
    "bytes" = Bytes false,
    "html_words" = HtmlWords true,
    "html_words_cased" = HtmlWords false,
    "wordpiece" = WordPiece true,
    "wordpiece_cased" = WordPiece false,
}

impl Tokenizer {
    /// Lowercased words, the default of recipes.
    pub const WORDS: Tokenizer = Tokenizer { kind: TokenizerKind::Words, lowercase: true };
    /// Lowercased characters.
    pub const CHARS: Tokenizer = Tokenizer { kind: TokenizerKind::Chars, lowercase: true };
    /// Bytes.
    pub const BYTES: Tokenizer = Tokenizer { kind: TokenizerKind::Bytes, lowercase: false };

    /// The tokenizer with this name; none if there is no such tokenizer.
    pub fn from_name(name: &str) -> Option<Self> {
        Tokenizer::ALL.iter().copied().find(|tokenizer| tokenizer.name() == name)
    }

    /// Returns true for [`Tokenizer::BYTES`], whose ids are the bytes + 2, so that a device file stores no vocabulary.
    pub const fn is_bytes(self) -> bool {
        matches!(self.kind, TokenizerKind::Bytes)
    }

    /// Returns true if each token is a character or a byte. The n-gram branch then reads the whole text as one word.
    pub const fn is_one_word(self) -> bool {
        matches!(self.kind, TokenizerKind::Chars | TokenizerKind::Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tokenizer_is_found_by_its_name() {
        let names: std::vec::Vec<&str> = Tokenizer::NAMES.split(", ").collect();
        assert_eq!(names.len(), Tokenizer::ALL.len());
        for (&tokenizer, name) in Tokenizer::ALL.iter().zip(names) {
            assert_eq!((tokenizer.name(), Tokenizer::from_name(name)), (name, Some(tokenizer)));
        }
        assert_eq!(Tokenizer::from_name("syllables"), None);
    }
}
