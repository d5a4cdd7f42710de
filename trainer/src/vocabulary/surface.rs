//! What of a text a token is, for people.

use super::tokens;
use tern_runtime::text::{Tokenizer, TokenizerKind};

/// Follows a text along the ids of its tokens and says what each stands for.
#[derive(Clone, Debug)]
pub struct Surface {
    kind: TokenizerKind,
    words: std::vec::IntoIter<String>,
    /// Characters of the word under way that no piece has covered yet.
    left: usize,
}

impl Surface {
    /// At the beginning of a text.
    pub fn new(tokenizer: Tokenizer, text: &str) -> Self {
        Surface { kind: tokenizer.kind, words: tokens(tokenizer, text).into_iter(), left: 0 }
    }

    /// What the next token of the text is; `known`: its name in the vocabulary, none for UNK.
    pub fn next(&mut self, known: Option<&str>) -> String {
        if self.left > 0
            && let Some(piece) = known
        {
            self.left = self.left.saturating_sub(piece.chars().count().saturating_sub(2));
            return piece.to_owned();
        }
        let word = self.words.next().unwrap_or_default();
        match known {
            Some(piece) if self.kind == TokenizerKind::WordPiece => {
                self.left = word.chars().count().saturating_sub(piece.chars().count());
                piece.to_owned()
            }
            _ => word,
        }
    }
}
