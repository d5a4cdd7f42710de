//! WordPiece: the `tokenizers` library learns the pieces, and the runtime splits words into them.

use super::tokens::{PAD_TOKEN, RESERVED_IDS, UNK_TOKEN, device_order};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use tern_runtime::UNK;
use tern_runtime::text::{Encoder, Tokenizer, TokenizerKind};
use tokenizers::models::wordpiece::{WordPiece, WordPieceTrainerBuilder};
use tokenizers::{AddedToken, Model, Trainer};

/// Prefix of a piece that continues a word.
pub const CONTINUES: &str = "##";
/// Maximum number of pieces. The library allocates memory for as many as are requested.
const MAX_PIECES: usize = 1 << 20;
/// Maximum length of a word in characters. Longer words are unknown.
pub const MAX_CHARS: usize =
    tern_runtime::text::buffer_len(Tokenizer { kind: TokenizerKind::WordPiece, lowercase: true });

// The runtime's vocabulary, and the offsets and bytes of its pieces, which it borrows.
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

/// The pieces of a vocabulary in the form of the device.
#[derive(Clone, Debug)]
pub struct Pieces {
    /// The pieces in the order of the device.
    table: Arc<Table>,
    /// The id in the vocabulary for each id of the device.
    float_ids: Vec<u32>,
}

impl Pieces {
    /// Makes the pieces of a vocabulary. Its tokens must be distinct and not empty.
    pub fn new(tokens: &[String]) -> Self {
        let float_ids = device_order(tokens);
        let (mut offsets, mut bytes) = (vec![0], Vec::new());
        for &id in &float_ids[RESERVED_IDS..] {
            bytes.extend_from_slice(tokens[id as usize].as_bytes());
            offsets.push(bytes.len() as u32);
        }
        let table = Table::new((offsets, bytes), |(offsets, bytes)| {
            RuntimeVocabulary::sorted(offsets, bytes).expect("distinct texts in the order of their bytes")
        });
        Pieces { table: Arc::new(table), float_ids }
    }

    /// Returns the ids of a text's pieces.
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

/// Learns at most `room` pieces from words and their counts. Returns the pieces that occur in the words, with their
/// counts. The library starts with letters and joins the most frequent pair of pieces until it has `room` pieces, or
/// until no pair occurs `min_count` times. Letters that are rarer than `min_count`, and the rarest ones beyond half of
/// `room`, get no piece.
pub fn learn(words: &HashMap<String, usize>, min_count: usize, room: usize) -> HashMap<String, usize> {
    let known: HashMap<&str, usize> = words
        .iter()
        .filter(|(word, _)| word.chars().count() <= MAX_CHARS)
        .map(|(word, &count)| (word.as_str(), count))
        .collect();
    let alphabet = alphabet(&known, min_count, room / 2);
    let known: Vec<(&str, usize)> =
        known.into_iter().filter(|(word, _)| word.chars().all(|c| alphabet.contains(&c))).collect();

    // The library numbers continuing letters in the order of a randomly seeded hash map. As special tokens, which come
    // first, they have fixed ids, and the result is the same in every run.
    let mut letters = BTreeSet::new();
    for (word, _) in &known {
        for (index, c) in word.chars().enumerate() {
            letters.insert(if index > 0 { format!("{CONTINUES}{c}") } else { c.to_string() });
        }
    }
    let names = [PAD_TOKEN, UNK_TOKEN].map(str::to_owned).into_iter().chain(letters);
    let mut trainer = WordPieceTrainerBuilder::new()
        .vocab_size(room.min(MAX_PIECES) + RESERVED_IDS)
        .min_frequency(min_count as u64)
        .special_tokens(names.map(|name| AddedToken::from(name, true)).collect())
        .show_progress(false)
        .build();
    let repeated = known.iter().flat_map(|&(word, count)| std::iter::repeat_n(word, count));
    trainer.feed(repeated, |word| Ok(vec![word.to_owned()])).expect("a word is its own only part");
    let mut model = WordPiece::default();
    trainer.train(&mut model).expect("counting pairs does not fail");

    let special = [PAD_TOKEN, UNK_TOKEN].map(str::to_owned);
    let learnt = model.get_vocab().into_keys().filter(|piece| !special.contains(piece));
    let tokens: Vec<String> = special.iter().cloned().chain(learnt).collect();
    let pieces = Pieces::new(&tokens);
    // The words were split by the tokenizer already, which lower-cased them if it does so.
    let as_they_are = Tokenizer { kind: TokenizerKind::WordPiece, lowercase: false };
    let mut counts = HashMap::new();
    for (word, count) in known {
        for id in pieces.encode(as_they_are, word).into_iter().filter(|&id| id != UNK) {
            *counts.entry(tokens[id as usize].clone()).or_insert(0) += count;
        }
    }
    counts
}

/// Returns the letters that get a piece: at most `max_size`, the most frequent of those that occur at least `min_count`
/// times.
fn alphabet(words: &HashMap<&str, usize>, min_count: usize, max_size: usize) -> BTreeSet<char> {
    let mut counts: HashMap<char, usize> = HashMap::new();
    for (word, count) in words {
        for c in word.chars() {
            *counts.entry(c).or_insert(0) += count;
        }
    }
    let mut counts: Vec<(char, usize)> = counts.into_iter().filter(|(_, count)| *count >= min_count).collect();
    counts.sort_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then_with(|| a.cmp(b)));
    counts.into_iter().take(max_size).map(|(c, _)| c).collect()
}
