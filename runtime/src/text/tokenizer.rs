//! The tokenizers that are built in, and the memory that each needs.

use tern_format::{Tokenizer, TokenizerKind};

use crate::features::{HTML_WORDS, WORDPIECE};

/// The number of tokenizers that every build has: those from `whitespace` to `bytes`, the first ones of
/// [`Tokenizer::ALL`].
pub(crate) const PLAIN_COUNT: usize = 7;

/// The tokenizers that this build has, as a bit mask: bit `i` is that of `Tokenizer::ALL[i]`. The lowest
/// [`PLAIN_COUNT`] bits are always set; each of the features `html_words` and `wordpiece` adds two tokenizers, one that
/// lowercases and one that does not.
pub(crate) const BUILT: u16 = 0x7f | (HTML_WORDS as u16 * 0b11) << 7 | (WORDPIECE as u16 * 0b11) << 9;

/// Returns true if this build has the tokenizer.
pub fn is_built(tokenizer: Tokenizer) -> bool {
    match tokenizer.kind {
        TokenizerKind::HtmlWords => HTML_WORDS,
        TokenizerKind::WordPiece => WORDPIECE,
        _ => true,
    }
}

/// Returns the tokenizer at an index of [`Tokenizer::ALL`]. If this build does not have it, the loader has refused the
/// file already, and the result, `words_cased`, is not used.
pub(crate) const fn numbered(number: u8) -> Tokenizer {
    let (kind, lowercase) = match number {
        0 | 1 => (TokenizerKind::Whitespace, number == 0),
        4 | 5 => (TokenizerKind::Chars, number == 4),
        6 => (TokenizerKind::Bytes, false),
        #[cfg(feature = "html_words")]
        7 | 8 => (TokenizerKind::HtmlWords, number == 7),
        #[cfg(feature = "wordpiece")]
        9 | 10 => (TokenizerKind::WordPiece, number == 9),
        _ => (TokenizerKind::Words, number == 2),
    };
    Tokenizer { kind, lowercase }
}

/// The length of the buffer that a [`Splitter`](super::Splitter) or an [`Encoder`](super::Encoder) of this tokenizer
/// borrows, in words of 32 bits.
pub const fn buffer_len(tokenizer: Tokenizer) -> usize {
    match tokenizer.kind {
        #[cfg(feature = "html_words")]
        TokenizerKind::HtmlWords => super::html::BUFFER,
        #[cfg(feature = "wordpiece")]
        TokenizerKind::WordPiece => super::wordpiece::MAX_CHARS,
        _ => 0,
    }
}

/// The largest size of an [`Encoder`](super::Encoder)'s part of a saved state, in bytes: see `Encoder::visit_state`.
pub(crate) const fn state_len(tokenizer: Tokenizer) -> usize {
    // The incomplete character (see `Utf8::visit_state`), 7 bytes, and the class of the current token.
    const TOKEN: usize = 7 + 1;
    // A flag, and the three numbers of the look-up of the current token (see `Lookup::visit_state`).
    const LOOKUP: usize = 1 + 3 * 4;
    match tokenizer.kind {
        // The flag: each byte is a whole token, so no look-up is saved.
        TokenizerKind::Bytes => 1,
        // The tag's state, length and characters; two numbers of the entity; three characters of the emoticon.
        #[cfg(feature = "html_words")]
        TokenizerKind::HtmlWords => TOKEN + 2 + 4 * super::html::BUFFER + 2 + 3 + LOOKUP,
        // The length and the characters of the word, which has no look-up until it ends.
        #[cfg(feature = "wordpiece")]
        TokenizerKind::WordPiece => TOKEN + 1 + 4 * super::wordpiece::MAX_CHARS,
        _ => TOKEN + LOOKUP,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokenizers_are_numbered_in_their_order() {
        for (number, &tokenizer) in (0..).zip(Tokenizer::ALL) {
            if is_built(tokenizer) {
                assert_eq!(numbered(number), tokenizer);
            }
            assert_eq!(BUILT >> number & 1 == 1, is_built(tokenizer), "{}", tokenizer.name());
        }
    }
}
