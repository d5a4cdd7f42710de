//! Vocabularies: the tokens of a model and their ids.
//!
//! `tern_runtime::text` splits texts into tokens here and on the device. `tokens` and `pieces` call it, `ngrams` lists
//! the n-grams of a text, `fingerprints` chooses those that a table counts, and `spellings` finds the spelling of each
//! token. `token_fingerprints` is the vocabulary of a device file that does not store its tokens.

mod fingerprints;
mod ngrams;
mod pieces;
mod spellings;
mod token_fingerprints;
mod tokens;

pub use fingerprints::Fingerprints;
pub use ngrams::Ngrams;
pub use pieces::MAX_CHARS;
pub use spellings::Spellings;
pub use token_fingerprints::TokenFingerprints;
pub use tokens::{PAD_TOKEN, RESERVED_IDS, UNK_TOKEN, for_each_token, tokens};

use crate::progress::Stage;
use pieces::Pieces;
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use tern_runtime::text::{Tokenizer, TokenizerKind};
use tokens::byte_name;

pub use tern_runtime::{PAD, UNK};

const _: () = assert!(UNK == tern_nn::sample::UNK);

/// Counts the tokens of all texts, on all threads of the current rayon pool. For WordPiece these are whole words.
pub fn count_tokens(tokenizer: Tokenizer, texts: &[&str]) -> HashMap<String, usize> {
    let stage = Stage::with_total("counting tokens", texts.len());
    let done = AtomicUsize::new(0);
    let count = |texts: &[&str]| {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for text in texts {
            // Only a new token is copied.
            for_each_token(tokenizer, text, |token| match counts.get_mut(token) {
                Some(count) => *count += 1,
                None => {
                    counts.insert(token.to_owned(), 1);
                }
            });
        }
        let done_before = done.fetch_add(texts.len(), Ordering::Relaxed);
        stage.at(done_before + texts.len());
        counts
    };
    let merge = |a: HashMap<String, usize>, b: HashMap<String, usize>| {
        let (mut large, small) = if a.len() < b.len() { (b, a) } else { (a, b) };
        for (token, count) in small {
            *large.entry(token).or_default() += count;
        }
        large
    };
    // The size of the chunks does not change the result.
    texts.par_chunks(4096).map(count).reduce(HashMap::new, merge)
}

/// Returns the tokenizer that suits the script and the length of `texts`: `chars` for scripts without spaces between
/// words and for single words such as names, else `words`.
pub fn suggested_tokenizer<'a>(texts: impl Iterator<Item = &'a str>) -> TokenizerKind {
    let (mut letters, mut without_spaces, mut words, mut texts_with_words) = (0, 0, 0, 0);
    for text in texts {
        let words_of_text = text.split_whitespace().count();
        texts_with_words += usize::from(words_of_text > 0);
        words += words_of_text;
        for c in text.chars().filter(|c| c.is_alphabetic()) {
            letters += 1;
            without_spaces += usize::from(is_of_script_without_spaces(c));
        }
    }
    // True if more than three letters in ten belong to these scripts, since such texts also have Latin words.
    let has_no_spaces = without_spaces * 10 > letters * 3;
    // True if a text has fewer than 1.5 words on average.
    let are_single_words = words * 2 < texts_with_words * 3;
    if has_no_spaces || are_single_words { TokenizerKind::Chars } else { TokenizerKind::Words }
}

/// Returns true for letters of the scripts without spaces between words: Thai, Lao, Tibetan, Myanmar, Khmer, Tai,
/// Chinese and Japanese.
fn is_of_script_without_spaces(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{1950}'..='\u{19df}' | '\u{1a20}'..='\u{1aaf}'
        | '\u{3005}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{9fff}' | '\u{a9e0}'..='\u{a9ff}'
        | '\u{aa60}'..='\u{aadf}' | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9d}' | '\u{20000}'..='\u{3ffff}')
}

/// A tokenizer and its tokens by id: PAD = 0, UNK = 1, then the other tokens. A vocabulary that is built from texts has
/// them from the most frequent to the rarest; one of bytes has all bytes in their order, and one of a device file is
/// sorted by the tokens' bytes.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    tokenizer: Tokenizer,
    /// The tokens by id.
    tokens: Vec<String>,
    /// The id of each token except PAD and UNK.
    ids: HashMap<String, u32>,
    /// The pieces of a WordPiece vocabulary; `None` for other tokenizers.
    pieces: Option<Pieces>,
    /// The fingerprints by which the tokens of a text are found, in the vocabulary of a device file that stores no
    /// texts of tokens. `tokens` then has a name for each id.
    fingerprints: Option<TokenFingerprints>,
}

impl PartialEq for Vocabulary {
    fn eq(&self, other: &Self) -> bool {
        (self.tokenizer, &self.tokens) == (other.tokenizer, &other.tokens)
    }
}

impl Eq for Vocabulary {}

impl Vocabulary {
    /// Builds a vocabulary of lower-cased words; see [`build_for`](Self::build_for).
    pub fn build<'a>(texts: impl Iterator<Item = &'a str>, min_count: usize, max_size: Option<usize>) -> Self {
        Vocabulary::build_for(Tokenizer::WORDS, texts, min_count, max_size)
    }

    /// Builds the vocabulary of the most frequent tokens that occur at least `min_count` times in `texts`. It has at
    /// most `max_size` ids including PAD and UNK. Tokens of the same frequency are ordered by their bytes. The
    /// `tokenizers` library chooses the pieces of WordPiece. A vocabulary of bytes always has all 256 bytes.
    pub fn build_for<'a>(
        tokenizer: Tokenizer,
        texts: impl Iterator<Item = &'a str>,
        min_count: usize,
        max_size: Option<usize>,
    ) -> Self {
        if tokenizer.kind == TokenizerKind::Bytes {
            return Vocabulary::with_special(tokenizer, (0..=255).map(|byte| byte_name(byte).to_string()));
        }
        let mut counts = count_tokens(tokenizer, &texts.collect::<Vec<_>>());
        let room = max_size.map_or(usize::MAX, |size| size.saturating_sub(RESERVED_IDS));
        if tokenizer.kind == TokenizerKind::WordPiece {
            counts = pieces::train(&counts, min_count, room);
        }
        for special in [PAD_TOKEN, UNK_TOKEN] {
            counts.remove(special);
        }
        // Rare pieces of WordPiece are kept: `min_count` has already limited which pieces are joined, and words that
        // are not in the texts are composed of short pieces, which rarely occur by themselves.
        let is_rare = |count: usize| tokenizer.kind != TokenizerKind::WordPiece && count < min_count;
        let mut frequent: Vec<(String, usize)> = counts.into_iter().filter(|(_, count)| !is_rare(*count)).collect();
        frequent.sort_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then_with(|| a.cmp(b)));
        frequent.truncate(room);
        Vocabulary::with_special(tokenizer, frequent.into_iter().map(|(token, _)| token))
    }

    /// Returns the vocabulary of PAD, UNK and the given tokens. Panics if a token is empty or occurs twice.
    fn with_special(tokenizer: Tokenizer, tokens: impl Iterator<Item = String>) -> Self {
        let special = [PAD_TOKEN, UNK_TOKEN].map(str::to_owned);
        Vocabulary::index(tokenizer, special.into_iter().chain(tokens).collect())
            .expect("the keys of a map and the names of bytes are distinct and not empty")
    }

    /// Returns the vocabulary of a model that reads values: PAD and UNK only.
    pub fn none() -> Self {
        Vocabulary::build([].into_iter(), 1, None)
    }

    /// Creates a vocabulary from its tokens in the order of their ids. Fails if PAD and UNK are not the first two, a
    /// token is empty or occurs twice, or a vocabulary of bytes is not all bytes in their order. The error describes
    /// the fault.
    pub fn from_tokens(tokenizer: Tokenizer, tokens: Vec<String>) -> Result<Self, String> {
        for (id, expected) in [PAD_TOKEN, UNK_TOKEN].into_iter().enumerate() {
            match tokens.get(id) {
                Some(token) if token == expected => {}
                found => return Err(format!("token {id} is {found:?}, expected {expected:?}")),
            }
        }
        let characters = tokens[RESERVED_IDS..].iter().flat_map(|token| token.chars());
        if tokenizer.kind == TokenizerKind::Bytes && !characters.eq((0..=255).map(byte_name)) {
            return Err("the tokens are not the 256 bytes in their order".to_owned());
        }
        Vocabulary::index(tokenizer, tokens)
    }

    /// Creates a vocabulary from a list of tokens that begins with PAD and UNK. Fails if a token is empty or occurs
    /// twice.
    fn index(tokenizer: Tokenizer, tokens: Vec<String>) -> Result<Self, String> {
        let mut ids = HashMap::with_capacity(tokens.len());
        for (id, token) in tokens.iter().enumerate() {
            if let Some(first) = ids.insert(token.clone(), id as u32) {
                return Err(format!("token {token:?} has two ids, {first} and {id}"));
            }
            if token.is_empty() {
                return Err(format!("token {id} is empty"));
            }
        }
        // The words `[PAD]` and `[UNK]` in a text are unknown tokens.
        for special in [PAD_TOKEN, UNK_TOKEN] {
            ids.remove(special);
        }
        let pieces = (tokenizer.kind == TokenizerKind::WordPiece).then(|| Pieces::new(&tokens));
        Ok(Vocabulary { tokenizer, tokens, ids, pieces, fingerprints: None })
    }

    /// Creates the vocabulary of a device file that stores fingerprints of its tokens. The names of the tokens are
    /// `#2`, `#3`, …, after their ids.
    pub fn from_fingerprints(tokenizer: Tokenizer, fingerprints: TokenFingerprints) -> Self {
        let ids = RESERVED_IDS..RESERVED_IDS + fingerprints.len();
        let vocabulary = Vocabulary::with_special(tokenizer, ids.map(|id| format!("#{id}")));
        Vocabulary { ids: HashMap::new(), fingerprints: Some(fingerprints), ..vocabulary }
    }

    /// Returns the tokenizer.
    pub fn tokenizer(&self) -> Tokenizer {
        self.tokenizer
    }

    /// Returns all tokens in the order of their ids. Bytes are represented as in [`for_each_token`].
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// Returns the number of ids, including PAD and UNK.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Returns false, since every vocabulary has PAD and UNK.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Returns the id of a token, or [`UNK`] for an unknown one, as every token is for a vocabulary of fingerprints.
    pub fn id(&self, token: &str) -> u32 {
        self.ids.get(token).copied().unwrap_or(UNK)
    }

    /// Returns the ids of a text's tokens.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        if self.tokenizer.kind == TokenizerKind::Bytes {
            return text.bytes().map(|byte| u32::from(byte) + RESERVED_IDS as u32).collect();
        }
        let mut ids = Vec::new();
        match (&self.pieces, &self.fingerprints) {
            (Some(pieces), _) => ids = pieces.encode(self.tokenizer, text),
            (None, Some(fingerprints)) => ids = fingerprints.encode(self.tokenizer, text),
            (None, None) => for_each_token(self.tokenizer, text, |token| ids.push(self.id(token))),
        }
        // A copy without spare capacity, since a training set keeps such a list for each of its texts.
        ids.as_slice().to_vec()
    }

    /// Returns the id in this vocabulary for each device id. A device file sorts its tokens by their bytes, after PAD
    /// and UNK; a vocabulary of bytes keeps its order.
    pub fn device_order(&self) -> Vec<u32> {
        match self.tokenizer.kind {
            TokenizerKind::Bytes => (0..self.len() as u32).collect(),
            _ => tokens::device_order(&self.tokens),
        }
    }

    /// Returns the text of token ids. There are spaces between words, but none between characters, bytes or the pieces
    /// of a word. PAD and ids outside of the vocabulary are left out. UNK becomes `[UNK]`, but is left out among bytes.
    /// Bytes that are not UTF-8 become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let tokens = ids.iter().filter(|&&id| id != PAD).filter_map(|&id| self.tokens.get(id as usize));
        match self.tokenizer.kind {
            TokenizerKind::Bytes => {
                // The id of a byte is the byte plus the number of reserved ids.
                let byte = |id: &u32| -> Option<u8> { id.checked_sub(RESERVED_IDS as u32)?.try_into().ok() };
                let bytes: Vec<u8> = ids.iter().filter_map(byte).collect();
                String::from_utf8_lossy(&bytes).into_owned()
            }
            TokenizerKind::Chars => tokens.map(String::as_str).collect(),
            kind => {
                let mut text = String::new();
                for token in tokens {
                    match token.strip_prefix("##") {
                        Some(end) if kind == TokenizerKind::WordPiece && !text.is_empty() => text.push_str(end),
                        _ => {
                            text.push_str(if text.is_empty() { "" } else { " " });
                            text.push_str(token);
                        }
                    }
                }
                text
            }
        }
    }
}

#[cfg(test)]
mod tests;
