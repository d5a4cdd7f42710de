//! Tokens and their ids.

use std::collections::HashMap;
use tern_runtime::text::{Piece, Splitter, Tokenizer};

pub use tern_runtime::{PAD, UNK};

/// The name of [`PAD`]. No tokenizer makes such a token, so a text cannot contain it.
pub const PAD_TOKEN: &str = "[PAD]";
/// The name of [`UNK`].
pub const UNK_TOKEN: &str = "[UNK]";

/// Calls `sink` with each token of `text`, cut by the same splitter as on the device.
pub fn for_each_token(text: &str, mut sink: impl FnMut(&str)) {
    let mut token = String::new();
    let mut pieces = |piece| match piece {
        Piece::Char(c) => token.push(c),
        Piece::End => {
            sink(&token);
            token.clear();
        }
    };
    let mut splitter = Splitter::new(Tokenizer::WORDS, &mut []);
    splitter.feed(text.as_bytes(), &mut pieces);
    splitter.finish(&mut pieces);
}

/// The tokens of `text`.
pub fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    for_each_token(text, |token| tokens.push(token.to_owned()));
    tokens
}

/// The tokens that a model knows, by id: PAD = 0, UNK = 1, then by falling frequency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    tokens: Vec<String>,
    ids: HashMap<String, u32>,
}

impl Vocabulary {
    /// Counts the tokens of `texts` and keeps those that occur at least `min_count` times, and of these the most
    /// frequent, so that there are at most `max_size` ids with PAD and UNK. Ties go by the tokens' bytes.
    pub fn build<'a>(texts: impl Iterator<Item = &'a str>, min_count: usize, max_size: Option<usize>) -> Self {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for text in texts {
            for_each_token(text, |token| match counts.get_mut(token) {
                Some(count) => *count += 1,
                None => {
                    counts.insert(token.to_owned(), 1);
                }
            });
        }
        let mut kept: Vec<(String, usize)> = counts.into_iter().filter(|(_, count)| *count >= min_count).collect();
        kept.sort_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then_with(|| a.cmp(b)));
        kept.truncate(max_size.map_or(usize::MAX, |size| size.saturating_sub(2)));
        let special = [PAD_TOKEN, UNK_TOKEN].map(str::to_owned);
        let tokens = special.into_iter().chain(kept.into_iter().map(|(token, _)| token)).collect();
        Vocabulary::index(tokens).expect("counted tokens are distinct")
    }

    /// A vocabulary of these tokens, PAD and UNK first.
    ///
    /// # Errors
    ///
    /// A sentence saying what is wrong with the list.
    pub fn from_tokens(tokens: Vec<String>) -> Result<Self, String> {
        for (id, expected) in [PAD_TOKEN, UNK_TOKEN].into_iter().enumerate() {
            match tokens.get(id) {
                Some(token) if token == expected => {}
                found => return Err(format!("token {id} is {found:?}, expected {expected:?}")),
            }
        }
        Vocabulary::index(tokens)
    }

    fn index(tokens: Vec<String>) -> Result<Self, String> {
        let mut ids = HashMap::with_capacity(tokens.len());
        for (id, token) in tokens.iter().enumerate() {
            if let Some(first) = ids.insert(token.clone(), id as u32) {
                return Err(format!("token {token:?} has two ids, {first} and {id}"));
            }
        }
        Ok(Vocabulary { tokens, ids })
    }

    /// All tokens in the order of their ids.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// Number of ids, PAD and UNK among them.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Never: there are PAD and UNK at least.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The id of a token, [`UNK`] where it is not known.
    pub fn id(&self, token: &str) -> u32 {
        self.ids.get(token).copied().unwrap_or(UNK)
    }

    /// The ids of a text's tokens.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        for_each_token(text, |token| ids.push(self.id(token)));
        ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(min_count: usize, max_size: Option<usize>) -> Vec<String> {
        Vocabulary::build(["b a b", "c! a B"].into_iter(), min_count, max_size).tokens
    }

    #[test]
    fn frequent_tokens_first_then_by_bytes() {
        assert_eq!(build(1, None), ["[PAD]", "[UNK]", "b", "a", "!", "c"]);
        assert_eq!(build(2, None), ["[PAD]", "[UNK]", "b", "a"]);
        assert_eq!(build(1, Some(5)), ["[PAD]", "[UNK]", "b", "a", "!"]);
    }

    #[test]
    fn encodes_known_and_unknown_tokens() {
        let vocabulary = Vocabulary::build(["b a b"].into_iter(), 1, None);
        assert_eq!(vocabulary.encode("A  x,B"), [3, UNK, UNK, 2]);
        assert!(vocabulary.encode(" \t").is_empty());
    }

    #[test]
    fn the_names_of_special_tokens_cannot_be_typed() {
        let vocabulary = Vocabulary::build(["[pad] [unk]"].into_iter(), 1, None);
        assert!(!vocabulary.encode("[PAD]").contains(&PAD));
        assert_eq!(vocabulary.encode("[UNK]"), vocabulary.encode("[unk]"));
    }

    #[test]
    fn lists_from_strangers_are_checked() {
        let list = |tokens: &[&str]| Vocabulary::from_tokens(tokens.iter().map(|t| t.to_string()).collect());
        assert!(list(&["[PAD]", "[UNK]", "a"]).is_ok());
        assert!(list(&["[PAD]"]).unwrap_err().contains("[UNK]"));
        assert!(list(&["[PAD]", "[UNK]", "a", "a"]).unwrap_err().contains("two ids"));
    }
}
