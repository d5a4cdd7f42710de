//! The search for the best vector of each token while a file of vectors is read.

use crate::vocabulary::{RESERVED_IDS, Vocabulary};
use std::collections::{BTreeMap, HashMap};

/// The ways in which a word of the file matches a token, from worst to best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// The word differs from the token only in case, and is not in lower case.
    AnyCase,
    /// The word is the token in lower case.
    LowerCase,
    /// The word equals the token.
    Exact,
}

/// The best vectors found so far while a file is read.
pub(super) struct VectorSearch<'v> {
    vocabulary: &'v Vocabulary,
    /// The ids of the tokens, by their spelling in lower case.
    by_lower_case: HashMap<String, Vec<u32>>,
    /// The best match and its vector, by token id.
    pub rows: BTreeMap<u32, (Fit, Vec<f32>)>,
}

/// Returns a word in lower case, as the tokenizers compute it.
fn lower_case(word: &str) -> String {
    word.chars().flat_map(tern_runtime::text::lowercase).collect()
}

impl<'v> VectorSearch<'v> {
    /// Creates a search for the tokens of a vocabulary, before the first word of the file.
    pub fn new(vocabulary: &'v Vocabulary) -> Self {
        let mut by_lower_case: HashMap<String, Vec<u32>> = HashMap::new();
        for (id, token) in vocabulary.tokens().iter().enumerate().skip(RESERVED_IDS) {
            by_lower_case.entry(lower_case(token)).or_default().push(id as u32);
        }
        VectorSearch { vocabulary, by_lower_case, rows: BTreeMap::new() }
    }

    /// Offers the next word of the file. The closure `vector` returns the word's vector; it is called once for each
    /// token that this word matches better than all words before.
    pub fn offer(&mut self, word: &str, vector: impl Fn() -> anyhow::Result<Vec<f32>>) -> anyhow::Result<()> {
        let lower = lower_case(word);
        for &id in self.by_lower_case.get(&lower).into_iter().flatten() {
            let fit = if self.vocabulary.tokens()[id as usize] == word {
                Fit::Exact
            } else if lower == word {
                Fit::LowerCase
            } else {
                Fit::AnyCase
            };
            if self.rows.get(&id).is_none_or(|(best, _)| *best < fit) {
                self.rows.insert(id, (fit, vector()?));
            }
        }
        Ok(())
    }
}
