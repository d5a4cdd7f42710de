//! WordPiece, a tokenizer that splits a rare word into several pieces: the `tokenizers` library chooses the pieces from
//! the training texts, and the runtime splits words into them.

use super::tokens::{PAD_TOKEN, RESERVED_IDS, UNK_TOKEN, device_order};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use tern_runtime::UNK;
use tern_runtime::text::{Encoder, Tokenizer, TokenizerKind};
use tokenizers::models::wordpiece::{WordPiece, WordPieceTrainerBuilder};
use tokenizers::{AddedToken, Model, Trainer};

/// Prefix of a piece that continues a word.
pub const CONTINUES: &str = "##";
/// Maximum number of pieces that the library is asked for. It allocates memory for as many as it is asked for.
const MAX_PIECES: usize = 1 << 20;
/// Maximum length of a word in characters. Longer words are unknown.
pub const MAX_CHARS: usize =
    tern_runtime::text::buffer_len(Tokenizer { kind: TokenizerKind::WordPiece, lowercase: true });

// The offsets and the bytes of the pieces, and the runtime's vocabulary, which borrows them.
self_cell::self_cell!(
    struct Table {
        owner: (Vec<u32>, Vec<u8>),
        #[covariant]
        dependent: RuntimeVocabulary,
    }

    impl {Debug}
);

/// The vocabulary with which the runtime looks up pieces.
type RuntimeVocabulary<'a> = tern_runtime::Vocabulary<'a>;

/// The pieces of a vocabulary, sorted and stored as in a device file.
#[derive(Clone, Debug)]
pub struct Pieces {
    /// The pieces in the order of the device ids.
    table: Arc<Table>,
    /// The float id of each device id.
    float_ids: Vec<u32>,
}

impl Pieces {
    /// Creates the pieces of a vocabulary from its tokens, of which PAD and UNK are the first two. Panics if a token is
    /// empty or occurs twice.
    pub fn new(tokens: &[String]) -> Self {
        let float_ids = device_order(tokens);
        let (mut offsets, mut bytes) = (vec![0], Vec::new());
        for &id in &float_ids[RESERVED_IDS..] {
            bytes.extend_from_slice(tokens[id as usize].as_bytes());
            offsets.push(bytes.len() as u32);
        }
        let table = Table::new((offsets, bytes), |(offsets, bytes)| {
            RuntimeVocabulary::sorted(offsets, bytes)
                .expect("device_order sorts the tokens, which are distinct and not empty")
        });
        Pieces { table: Arc::new(table), float_ids }
    }

    /// Returns the float ids of a text's pieces.
    pub fn encode(&self, tokenizer: Tokenizer, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        let mut sink = |id: u32| ids.push(self.float_ids[id as usize]);
        let mut buffer = vec![0; tern_runtime::text::buffer_len(tokenizer)];
        let mut encoder = Encoder::new(tokenizer, &mut buffer);
        let vocabulary = self.table.borrow_dependent();
        encoder.feed(vocabulary, text.as_bytes(), &mut sink);
        encoder.finish(vocabulary, &mut sink);
        ids
    }
}

/// Chooses at most `room` pieces for words with these counts. Returns the pieces into which the words are split, with
/// their counts; a piece that occurs only within longer pieces is left out. The library starts with letters and joins
/// the most frequent pair of pieces until it has `room` pieces, or until no pair occurs `min_count` times. Letters that
/// are rarer than `min_count`, and the rarest ones beyond half of `room`, get no piece; neither do words longer than
/// [`MAX_CHARS`].
pub fn train(words: &HashMap<String, usize>, min_count: usize, room: usize) -> HashMap<String, usize> {
    let short_words: HashMap<&str, usize> = words
        .iter()
        .filter(|(word, _)| word.chars().count() <= MAX_CHARS)
        .map(|(word, &count)| (word.as_str(), count))
        .collect();
    let alphabet = frequent_letters(&short_words, min_count, room / 2);
    // The words that can be composed of pieces, with their counts.
    let composable: Vec<(&str, usize)> =
        short_words.into_iter().filter(|(word, _)| word.chars().all(|c| alphabet.contains(&c))).collect();

    // The library numbers letters within a word in the order of a randomly seeded hash map. Passed as special tokens,
    // whose ids come first, they have fixed ids, so that the result is the same in every run.
    let mut letters = BTreeSet::new();
    for (word, _) in &composable {
        for (index, c) in word.chars().enumerate() {
            letters.insert(if index > 0 { format!("{CONTINUES}{c}") } else { c.to_string() });
        }
    }
    let special = [PAD_TOKEN, UNK_TOKEN].map(str::to_owned);
    let fixed = special.iter().cloned().chain(letters);
    let mut trainer = WordPieceTrainerBuilder::new()
        .vocab_size(room.min(MAX_PIECES) + RESERVED_IDS)
        .min_frequency(min_count as u64)
        .special_tokens(fixed.map(|token| AddedToken::from(token, true)).collect())
        .show_progress(false)
        .build();
    let repeated = composable.iter().flat_map(|&(word, count)| std::iter::repeat_n(word, count));
    trainer.feed(repeated, |word| Ok(vec![word.to_owned()])).expect("the closure that splits a word does not fail");
    let mut model = WordPiece::default();
    trainer.train(&mut model).expect("counting pairs does not fail");

    // Splits the words into the pieces, to count these.
    let trained = model.get_vocab().into_keys().filter(|piece| !special.contains(piece));
    let tokens: Vec<String> = special.iter().cloned().chain(trained).collect();
    let pieces = Pieces::new(&tokens);
    // The tokenizer has lower-cased the words already, if it is one that does.
    let without_lowercasing = Tokenizer { kind: TokenizerKind::WordPiece, lowercase: false };
    let mut counts = HashMap::new();
    for (word, count) in composable {
        for id in pieces.encode(without_lowercasing, word).into_iter().filter(|&id| id != UNK) {
            *counts.entry(tokens[id as usize].clone()).or_insert(0) += count;
        }
    }
    counts
}

/// Returns the letters that get a piece: at most `max_size`, the most frequent of those that occur at least `min_count`
/// times.
fn frequent_letters(words: &HashMap<&str, usize>, min_count: usize, max_size: usize) -> BTreeSet<char> {
    let mut counts: HashMap<char, usize> = HashMap::new();
    for (word, count) in words {
        for c in word.chars() {
            *counts.entry(c).or_insert(0) += count;
        }
    }
    let mut frequent: Vec<(char, usize)> = counts.into_iter().filter(|(_, count)| *count >= min_count).collect();
    frequent.sort_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then_with(|| a.cmp(b)));
    frequent.into_iter().take(max_size).map(|(c, _)| c).collect()
}
