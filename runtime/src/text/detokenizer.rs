//! The inverse of the tokenizer: joins the tokens that a language model generates into text.

use core::fmt::{self, Write};

use super::characters::is_space;
use super::{TokenizerKind, Utf8};

/// The id of the byte 0 in a vocabulary of bytes, where PAD and UNK come first.
const FIRST_BYTE_ID: u32 = 2;

/// Joins tokens into text, one token at a time.
///
/// Characters and bytes are written as they are. Words have lost the white space between them, so a space is written
/// between two words, except before closing punctuation (`,`, `)`, `%`, an apostrophe), and after an opening bracket,
/// an apostrophe or a hyphen. Tokens of [`TokenizerKind::Whitespace`] contain their punctuation and are always
/// separated by a space. A WordPiece that begins with `##` continues the word before it.
///
/// ```
/// use tern_runtime::text::{Detokenizer, TokenizerKind};
///
/// let mut detokenizer = Detokenizer::new(TokenizerKind::Words, b"well");
/// let mut text = String::from("well");
/// for (id, token) in [(7, ","), (9, "that"), (3, "'"), (4, "s"), (8, "it")] {
///     detokenizer.write(id, token, &mut text)?;
/// }
/// detokenizer.finish(&mut text)?;
/// assert_eq!(text, "well, that's it");
/// # Ok::<(), core::fmt::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Detokenizer {
    kind: TokenizerKind,
    /// True if a space is written before the next token, unless this token joins the text before it.
    needs_space: bool,
    /// The decoder of the bytes; used for [`TokenizerKind::Bytes`] only.
    utf8: Utf8,
}

impl Detokenizer {
    /// A detokenizer for tokens of this kind. `before` is the text that the tokens continue; it may be empty.
    pub fn new(kind: TokenizerKind, before: &[u8]) -> Self {
        // The bytes of the last character: up to three continuation bytes, 10xxxxxx, and the byte before them.
        let continuations = before.iter().rev().take(3).take_while(|&byte| byte & 0xc0 == 0x80).count();
        let start = before.len().saturating_sub(continuations + 1);
        // The last character of `before`; none if `before` is empty. Broken UTF-8 counts as a character that is not
        // white space.
        let last = core::str::from_utf8(before.get(start..).unwrap_or(&[]))
            .map_or(Some(char::REPLACEMENT_CHARACTER), |text| text.chars().next_back());
        let omits_space_after = |c| kind != TokenizerKind::Whitespace && is_opening(c);
        let needs_space = last.is_some_and(|c| !is_space(c) && !omits_space_after(c));
        Detokenizer { kind, needs_space, utf8: Utf8::new() }
    }

    /// Writes the text that one token adds, perhaps none. Only [`TokenizerKind::Bytes`] reads `id`, and only the other
    /// kinds read `token`, the token's text. In a vocabulary of bytes, PAD and UNK add nothing, and broken UTF-8
    /// becomes U+FFFD, exactly as in `String::from_utf8_lossy`.
    ///
    /// # Errors
    /// The errors of `out`.
    pub fn write(&mut self, id: u32, token: &str, out: &mut dyn Write) -> fmt::Result {
        let (word, joins_text_before) = match self.kind {
            TokenizerKind::Bytes => {
                return match id.checked_sub(FIRST_BYTE_ID).map(u8::try_from) {
                    Some(Ok(byte)) => write_all(out, |sink| self.utf8.feed(byte, sink)),
                    _ => Ok(()),
                };
            }
            TokenizerKind::Chars => (token, true),
            TokenizerKind::Whitespace => (token, false),
            #[cfg(feature = "wordpiece")]
            TokenizerKind::WordPiece if token.starts_with("##") => (token.get(2..).unwrap_or(""), true),
            _ => (token, token.starts_with(is_closing)),
        };
        if word.is_empty() {
            return Ok(());
        }
        if self.needs_space && !joins_text_before {
            out.write_char(' ')?;
        }
        self.needs_space = self.kind == TokenizerKind::Whitespace || !word.ends_with(is_opening);
        out.write_str(word)
    }

    /// Ends the text. An incomplete character becomes U+FFFD.
    ///
    /// # Errors
    /// The errors of `out`.
    pub fn finish(&mut self, out: &mut dyn Write) -> fmt::Result {
        write_all(out, |sink| self.utf8.finish(sink))
    }
}

/// Writes the characters that `decode` passes to its sink. Returns the first error.
fn write_all(out: &mut dyn Write, decode: impl FnOnce(&mut dyn FnMut(char))) -> fmt::Result {
    let mut result = Ok(());
    decode(&mut |c| result = result.and_then(|()| out.write_char(c)));
    result
}

/// Returns true for punctuation that follows a word without a space.
fn is_closing(c: char) -> bool {
    matches!(c, '.' | ',' | '!' | '?' | ';' | ':' | ')' | ']' | '\'' | '%' | '…' | '’')
}

/// Returns true for punctuation after which a word follows without a space.
fn is_opening(c: char) -> bool {
    matches!(c, '(' | '[' | '\'' | '’' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::String;

    fn join(kind: TokenizerKind, before: &[u8], tokens: &[&str]) -> String {
        let (mut detokenizer, mut text) = (Detokenizer::new(kind, before), String::new());
        tokens.iter().for_each(|token| detokenizer.write(5, token, &mut text).unwrap());
        detokenizer.finish(&mut text).unwrap();
        text
    }

    fn join_bytes(bytes: &[u8]) -> String {
        let (mut detokenizer, mut text) = (Detokenizer::new(TokenizerKind::Bytes, b""), String::new());
        bytes.iter().for_each(|&byte| detokenizer.write(u32::from(byte) + FIRST_BYTE_ID, "", &mut text).unwrap());
        detokenizer.finish(&mut text).unwrap();
        text
    }

    #[test]
    fn words_are_joined_with_spaces_but_not_around_punctuation() {
        let tokens = ["it", "'", "s", "(", "ok", ")", ",", "bye"];
        assert_eq!(join(TokenizerKind::Words, b"so", &tokens), " it's (ok), bye");
        assert_eq!(join(TokenizerKind::Words, b"", &["it", "", "is"]), "it is");
    }

    #[test]
    fn the_last_character_of_the_text_before_decides_about_the_first_space() {
        for (before, expected) in [
            ("", "go"),
            ("so", " go"),
            ("so ", "go"),
            ("so\u{a0}", "go"),
            ("so\u{3000}", "go"),
            ("(", "go"),
            ("漢", " go"),
        ] {
            assert_eq!(join(TokenizerKind::Words, before.as_bytes(), &["go"]), expected, "{before:?}");
        }
        assert_eq!(join(TokenizerKind::Words, b"so \xff", &["go"]), " go");
        assert_eq!(join(TokenizerKind::Words, b"so \xe6\xbc", &["go"]), " go");
    }

    #[test]
    fn tokens_cut_at_white_space_always_get_a_space() {
        assert_eq!(join(TokenizerKind::Whitespace, b"(", &["he", "'s", "-", "(ok)", "."]), " he 's - (ok) .");
    }

    #[test]
    #[cfg(feature = "wordpiece")]
    fn only_wordpiece_joins_tokens_that_begin_with_hashes() {
        assert_eq!(join(TokenizerKind::WordPiece, b"", &["un", "##know", "##n", "."]), "unknown.");
        assert_eq!(join(TokenizerKind::WordPiece, b"so", &["##me", "one"]), "me one");
        assert_eq!(join(TokenizerKind::Words, b"", &["issue", "##", "7", "##s"]), "issue ## 7 ##s");
    }

    #[test]
    fn characters_are_the_text() {
        assert_eq!(join(TokenizerKind::Chars, b"so", &["i", "t", " ", "\n", "##"]), "it \n##");
    }

    #[test]
    fn the_byte_after_broken_utf8_is_kept() {
        assert_eq!(join_bytes("aé漢🦆".as_bytes()), "aé漢🦆");
        assert_eq!(join_bytes(b"\xffa\xc3b"), "\u{fffd}a\u{fffd}b");
        assert_eq!(join_bytes(b"a\xc3"), "a\u{fffd}");
    }

    #[test]
    fn ids_that_are_not_bytes_write_nothing() {
        let (mut detokenizer, mut text) = (Detokenizer::new(TokenizerKind::Bytes, b""), String::new());
        [0, 1, 258, u32::MAX].iter().for_each(|&id| detokenizer.write(id, "x", &mut text).unwrap());
        assert_eq!(text, "");
    }

    proptest! {
        #[test]
        fn bytes_become_what_from_utf8_lossy_makes_of_them(bytes: std::vec::Vec<u8>) {
            prop_assert_eq!(join_bytes(&bytes), String::from_utf8_lossy(&bytes));
        }
    }
}
