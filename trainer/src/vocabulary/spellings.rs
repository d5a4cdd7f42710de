//! The spelling of each token of a text, for traces and reports.

use super::tokens::tokens;
use tern_runtime::text::{Tokenizer, TokenizerKind};

/// Follows the tokens of a text and returns the spelling of each: a piece of WordPiece is spelt as in the vocabulary,
/// with its `##`; any other token, known or unknown, as the tokenizer cut it from the text.
#[derive(Clone, Debug)]
pub struct Spellings {
    kind: TokenizerKind,
    /// The words of the text that have not begun yet. WordPiece splits them further; for other tokenizers each word is
    /// a token.
    words: std::vec::IntoIter<String>,
    /// Number of characters of the current word that belong to later pieces.
    uncovered: usize,
    /// Number of words of which a token was returned.
    words_begun: usize,
}

impl Spellings {
    /// The spellings of a text's tokens, from the first token on.
    pub fn new(tokenizer: Tokenizer, text: &str) -> Self {
        Spellings { kind: tokenizer.kind, words: tokens(tokenizer, text).into_iter(), uncovered: 0, words_begun: 0 }
    }

    /// Number of words of which [`next`](Self::next) has returned a token.
    pub fn words_begun(&self) -> usize {
        self.words_begun
    }

    /// Returns the spelling of the next token; empty after the last one. `vocabulary_token`: its entry in the
    /// vocabulary; `None` for UNK.
    pub fn next(&mut self, vocabulary_token: Option<&str>) -> String {
        // A piece that continues the current word. UNK stands for a whole word, so it never comes within one.
        if self.uncovered > 0
            && let Some(piece) = vocabulary_token
        {
            // The 2 characters `##` at the beginning of the piece are not in the text.
            self.uncovered = self.uncovered.saturating_sub(piece.chars().count().saturating_sub(2));
            return piece.to_owned();
        }
        let word = self.words.next().unwrap_or_default();
        self.words_begun += 1;
        match vocabulary_token {
            Some(piece) if self.kind == TokenizerKind::WordPiece => {
                self.uncovered = word.chars().count().saturating_sub(piece.chars().count());
                piece.to_owned()
            }
            _ => word,
        }
    }
}
