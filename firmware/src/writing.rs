//! The tokens of a language model as text.

use core::fmt::{self, Write};

use tern_runtime::Vocabulary;
use tern_runtime::text::TokenizerKind;

/// Joins tokens to a text: where a blank stands between them, and which bytes are a character.
#[derive(Clone, Debug)]
pub struct Joiner<'m> {
    kind: TokenizerKind,
    vocabulary: Vocabulary<'m>,
    /// A blank may stand before the next word.
    is_blank: bool,
    /// A character of several bytes that is not whole yet.
    bytes: heapless::Vec<u8, 4>,
}

impl<'m> Joiner<'m> {
    /// Tokens of this kind and vocabulary, after the text `before`.
    pub fn new(kind: TokenizerKind, vocabulary: Vocabulary<'m>, before: &[u8]) -> Self {
        let is_blank = before.last().is_some_and(|byte| !byte.is_ascii_whitespace());
        Joiner { kind, vocabulary, is_blank, bytes: heapless::Vec::new() }
    }

    /// Writes what a token adds.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&mut self, id: u32, out: &mut dyn Write) -> fmt::Result {
        let token = self.vocabulary.token(id).unwrap_or("");
        match self.kind {
            TokenizerKind::Chars => out.write_str(token),
            TokenizerKind::Bytes => self.write_byte(id.saturating_sub(2) as u8, out),
            _ => match token.strip_prefix("##") {
                Some(rest) => out.write_str(rest),
                None => {
                    let has_blank = self.is_blank && !token.starts_with(closes);
                    self.is_blank = !token.ends_with(opens);
                    write!(out, "{}{token}", if has_blank { " " } else { "" })
                }
            },
        }
    }

    fn write_byte(&mut self, byte: u8, out: &mut dyn Write) -> fmt::Result {
        // It is emptied before it is full: no character has more bytes.
        let _ = self.bytes.push(byte);
        match core::str::from_utf8(&self.bytes) {
            Ok(text) => out.write_str(text)?,
            Err(error) if error.error_len().is_none() => return Ok(()),
            Err(_) => out.write_char(char::REPLACEMENT_CHARACTER)?,
        }
        self.bytes.clear();
        Ok(())
    }
}

/// Stands close to the word before it.
fn closes(c: char) -> bool {
    matches!(c, '.' | ',' | '!' | '?' | ';' | ':' | ')' | ']' | '\'' | '%' | '…' | '’')
}

/// Stands close to the word after it.
fn opens(c: char) -> bool {
    matches!(c, '(' | '[' | '\'' | '’' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use tern_runtime::testing::{Sizes, Spec};
    use tern_runtime::{Model, Task};

    const SIZES: Sizes = Sizes { embedding_dim: 3, hidden_size: 4, classes: 2 };

    fn joined(mut joiner: Joiner<'_>, ids: impl IntoIterator<Item = u32>) -> String {
        let mut text = String::new();
        ids.into_iter().for_each(|id| joiner.write(id, &mut text).unwrap());
        text
    }

    #[test]
    fn words_stand_apart() {
        let file = Spec { task: Task::LanguageModel, ..SIZES.into() }.file(1);
        let model = Model::from_bytes(&file).unwrap();
        let after = |before: &[u8]| joined(Joiner::new(TokenizerKind::Words, model.vocabulary(), before), 2..10);
        let all = after(b"it was");
        assert_eq!(all.trim_start_matches(' '), after(b"").trim_start_matches(' '));
        assert!(!all.contains(" !") && !all.contains(" ,") && all.contains(' '), "{all}");
    }

    #[test]
    fn bytes_are_characters_when_they_are_whole() {
        let bytes = || Joiner::new(TokenizerKind::Bytes, Vocabulary::BYTES, b"");
        let ids = |text: &[u8]| text.iter().map(|&byte| u32::from(byte) + 2).collect::<std::vec::Vec<_>>();
        assert_eq!(joined(bytes(), ids("aé漢🦆".as_bytes())), "aé漢🦆");
        assert_eq!(joined(bytes(), ids(b"\xffa\xc3b")), "\u{fffd}a\u{fffd}");
    }
}
