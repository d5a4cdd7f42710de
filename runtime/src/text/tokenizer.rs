//! The kinds of tokenizers and the words that name them.

use crate::parts::{HTML_WORDS, WORDPIECE};

/// How text is cut into tokens. `docs/format.md`, "Text", defines each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Tokenizer {
    /// What a token is.
    pub kind: Kind,
    /// Whether each character first becomes its lower case. Never for [`Kind::Bytes`].
    pub lowercase: bool,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Kind {
    /// A run of anything but white space.
    Whitespace,
    /// A run of word characters, or a run of everything else but white space: the regular expression `\w+|[^\w\s]+`.
    Words,
    /// As [`Kind::Words`] after tags and entities of HTML, with emoticons whole.
    #[cfg(feature = "html_words")]
    HtmlWords,
    /// A character, white space too.
    Chars,
    /// A byte. Its id is the byte + 2.
    Bytes,
    /// A piece of a word of [`Kind::Words`], by greedy longest match; `##` begins a piece that continues a word.
    #[cfg(feature = "wordpiece")]
    WordPiece,
}

impl Tokenizer {
    /// Lower-cased words, what most models read.
    pub const WORDS: Tokenizer = Tokenizer { kind: Kind::Words, lowercase: true };

    /// Every tokenizer of this build by the name that a device file gives it under `tern.tokenizer`.
    pub const ALL: &[(&str, Tokenizer)] = &[
        ("whitespace", Tokenizer { kind: Kind::Whitespace, lowercase: true }),
        ("whitespace_cased", Tokenizer { kind: Kind::Whitespace, lowercase: false }),
        ("words", Tokenizer::WORDS),
        ("words_cased", Tokenizer { kind: Kind::Words, lowercase: false }),
        ("chars", Tokenizer { kind: Kind::Chars, lowercase: true }),
        ("chars_cased", Tokenizer { kind: Kind::Chars, lowercase: false }),
        ("bytes", Tokenizer { kind: Kind::Bytes, lowercase: false }),
        #[cfg(feature = "html_words")]
        ("html_words", Tokenizer { kind: Kind::HtmlWords, lowercase: true }),
        #[cfg(feature = "html_words")]
        ("html_words_cased", Tokenizer { kind: Kind::HtmlWords, lowercase: false }),
        #[cfg(feature = "wordpiece")]
        ("wordpiece", Tokenizer { kind: Kind::WordPiece, lowercase: true }),
        #[cfg(feature = "wordpiece")]
        ("wordpiece_cased", Tokenizer { kind: Kind::WordPiece, lowercase: false }),
    ];

    /// The names that the format knows, separated by `, `; this build runs those of [`ALL`](Tokenizer::ALL).
    pub const NAMES: &str = "whitespace, whitespace_cased, words, words_cased, chars, chars_cased, bytes, html_words, html_words_cased, \
        wordpiece, wordpiece_cased";

    /// The first of them, which every build runs.
    pub(crate) const PLAIN_NAMES: &str = "whitespace, whitespace_cased, words, words_cased, chars, chars_cased, bytes";

    /// Which of [`NAMES`](Tokenizer::NAMES) this build runs, a bit each.
    pub(crate) const BUILT: u16 = 0x7f | (HTML_WORDS as u16 * 0b11) << 7 | (WORDPIECE as u16 * 0b11) << 9;

    /// The tokenizer of a place in [`NAMES`](Tokenizer::NAMES), of those that this build runs.
    pub(crate) const fn numbered(number: u8) -> Self {
        let (kind, lowercase) = match number {
            0 | 1 => (Kind::Whitespace, number == 0),
            4 | 5 => (Kind::Chars, number == 4),
            6 => (Kind::Bytes, false),
            #[cfg(feature = "html_words")]
            7 | 8 => (Kind::HtmlWords, number == 7),
            #[cfg(feature = "wordpiece")]
            9 | 10 => (Kind::WordPiece, number == 9),
            _ => (Kind::Words, number == 2),
        };
        Tokenizer { kind, lowercase }
    }

    /// The tokenizer of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Tokenizer::ALL.iter().find(|(known, _)| *known == name).map(|&(_, tokenizer)| tokenizer)
    }

    /// The name of a tokenizer.
    pub fn name(self) -> &'static str {
        Tokenizer::ALL.iter().find(|(_, tokenizer)| *tokenizer == self).map_or("", |(name, _)| name)
    }

    /// How many words of memory a [`Splitter`](super::Splitter) or an [`Encoder`](super::Encoder) of this tokenizer borrows.
    pub const fn buffer_len(self) -> usize {
        match self.kind {
            #[cfg(feature = "html_words")]
            Kind::HtmlWords => super::html::BUFFER,
            #[cfg(feature = "wordpiece")]
            Kind::WordPiece => super::wordpiece::MAX_CHARS,
            _ => 0,
        }
    }

    /// Bytes that a state keeps of a text under way, at most.
    pub(crate) const fn state_len(self) -> usize {
        // A character and the kind of its token; whether a look-up is under way, and the look-up.
        const TOKEN: usize = 7 + 1;
        const LOOKUP: usize = 1 + 3 * 4;
        match self.kind {
            Kind::Bytes => 1,
            #[cfg(feature = "html_words")]
            Kind::HtmlWords => TOKEN + 2 + 4 * super::html::BUFFER + 2 + 3 + LOOKUP,
            #[cfg(feature = "wordpiece")]
            Kind::WordPiece => TOKEN + 1 + 4 * super::wordpiece::MAX_CHARS,
            _ => TOKEN + LOOKUP,
        }
    }
}
