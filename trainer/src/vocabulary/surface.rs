//! The part of a text that each token covers, for traces and reports.

use super::tokens;
use tern_runtime::text::{Tokenizer, TokenizerKind};

/// Follows a text token by token and returns the part of the text that each token covers.
#[derive(Clone, Debug)]
pub struct Surface {
    kind: TokenizerKind,
    words: std::vec::IntoIter<String>,
    /// Number of characters of the current word that no piece has covered yet.
    left: usize,
}

impl Surface {
    /// Starts at the beginning of a text.
    pub fn new(tokenizer: Tokenizer, text: &str) -> Self {
        Surface { kind: tokenizer.kind, words: tokens(tokenizer, text).into_iter(), left: 0 }
    }

    /// Returns the text of the next token. `known`: its name in the vocabulary, `None` for UNK.
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
