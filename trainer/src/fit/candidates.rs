//! Makes the candidates of a search: settings of recipes that differ in the shape of the model and in its
//! regularisation.
//!
//! The first candidates are fixed: shapes that were the most accurate on public data sets, from an n-gram branch alone
//! to recurrent layers alone, scaled to the budget. The others are drawn at random from similar shapes.

use super::measured::Budget;
use super::profile::Profile;
use crate::recipe::{Bits, Cell, Pooling, SMALL_DATA, lay_over, ngram_rank, set, text_epochs};
use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use tern_format::limits::NGRAM_BUCKETS;
use toml::{Table, Value};

// These sizes are estimates, by which a candidate is scaled to the budget. `fitting` measures its device file.

/// Estimated bytes of a device file besides its tables, layers, vocabulary and labels: header and golden examples.
const OVERHEAD: usize = 2_500;
/// Estimated bytes of a token in the vocabulary of a device file: its fingerprint and its share of a bucket's start.
const TOKEN_BYTES: usize = 3;
/// The smallest vocabulary with which recurrent layers are trained, unless the data has fewer tokens.
pub const MIN_VOCABULARY: usize = 40;

/// The largest share of the validation rows that a model of small data may refuse to answer.
const SMALL_DATA_REFUSALS: f64 = 0.05;

/// The recurrent layers of a candidate.
#[derive(Clone, Copy, Debug)]
struct Recurrent {
    cell: Cell,
    embedding_dim: usize,
    hidden_size: usize,
    bidirectional: bool,
    pooling: Pooling,
    embedding_bits: Bits,
}

impl Recurrent {
    /// An LSTM with one direction, pooling `last` and embeddings of 8 bits.
    const fn new(embedding_dim: usize, hidden_size: usize) -> Self {
        Recurrent {
            cell: Cell::Lstm,
            embedding_dim,
            hidden_size,
            bidirectional: false,
            pooling: Pooling::Last,
            embedding_bits: Bits::Eight,
        }
    }

    /// Estimates the bytes of one layer with 8 bits for each weight, and 8 bytes for the bias and multipliers of a row.
    fn bytes(&self) -> usize {
        let directions = if self.bidirectional { 2 } else { 1 };
        let rows = self.cell.gates() * self.hidden_size;
        directions * rows * (self.embedding_dim + self.hidden_size + 8)
    }

    /// Returns the settings of the layers. `vocabulary`: the size of the vocabulary; `None` for a network that reads
    /// numbers.
    fn settings(&self, vocabulary: Option<usize>) -> Table {
        let Recurrent { cell, embedding_dim, hidden_size, bidirectional, pooling, embedding_bits } = *self;
        let mut settings = Table::new();
        let text = |name: &str| Value::from(name.to_owned());
        set(&mut settings, "model", "cell", text(cell.name()));
        set(&mut settings, "model", "hidden_size", integer(hidden_size));
        set(&mut settings, "model", "bidirectional", bidirectional.into());
        set(&mut settings, "model", "pooling", text(pooling.name()));
        if let Some(vocabulary) = vocabulary {
            set(&mut settings, "model", "embedding_dim", integer(embedding_dim));
            set(&mut settings, "vocabulary", "max_size", integer(vocabulary));
            set(&mut settings, "export", "embedding_bits", integer(embedding_bits.count() as usize));
            set(&mut settings, "export", "token_fingerprints", true.into());
        }
        settings
    }
}

/// Returns at most `count` different candidates for texts or sequences: settings that are laid over the default recipe.
/// The same arguments give the same candidates. `seed`: the random seed of those that are drawn.
pub fn candidates(profile: &Profile, budget: &Budget, count: usize, seed: u64) -> Vec<Table> {
    let mut candidates: Vec<Table> = Vec::new();
    let add_new = |candidates: &mut Vec<Table>, settings: Table| {
        let candidate = with_training(settings, profile);
        if !candidates.contains(&candidate) {
            candidates.push(candidate);
        }
    };
    let fixed = if profile.reads_values { fixed_for_values(profile) } else { fixed_for_texts(profile, budget) };
    for settings in fixed {
        add_new(&mut candidates, settings);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // The number of draws is limited, since a small budget may have fewer than `count` different candidates.
    for _ in 0..20 * count {
        if candidates.len() >= count {
            break;
        }
        let drawn = if profile.reads_values {
            Some(drawn_for_values(profile, &mut rng))
        } else {
            drawn_for_texts(profile, budget, &mut rng)
        };
        if let Some(settings) = drawn {
            add_new(&mut candidates, settings);
        }
    }
    candidates.truncate(count);
    candidates
}

/// Adds the settings that depend on the data alone: the number of epochs for texts, and for small data the share of
/// refusals, since a model of small data knows few words.
fn with_training(mut settings: Table, profile: &Profile) -> Table {
    if !profile.reads_values {
        let epochs = if profile.rows < 1_000 { 40 } else { text_epochs(profile.rows as f64 * profile.mean_steps) };
        set(&mut settings, "training", "epochs", integer(epochs));
    }
    if profile.rows < SMALL_DATA {
        set(&mut settings, "training", "refuse_share", SMALL_DATA_REFUSALS.into());
    }
    settings
}

/// The largest number of buckets of a candidate.
const MAX_BUCKETS: usize = 1 << 17;

/// Returns the bytes of a row of an n-gram table, with 4 bits for each weight and a fingerprint if the data has them.
fn row_bytes(rank: usize, profile: &Profile) -> usize {
    rank / 2 + usize::from(profile.has_fingerprints())
}

/// Returns the settings of an n-gram table of `rank` columns and at most `bytes` bytes; `None` if not even the smallest
/// table fits.
fn ngram_table(bytes: usize, rank: usize, profile: &Profile) -> Option<Table> {
    let largest = (bytes / row_bytes(rank, profile)).clamp(1, MAX_BUCKETS);
    // The largest power of two that fits.
    let buckets = 1usize << largest.ilog2();
    if !NGRAM_BUCKETS.contains(&buckets) {
        return None;
    }
    let mut settings = Table::new();
    set(&mut settings, "model", "ngram_buckets", integer(buckets));
    set(&mut settings, "model", "ngram_rank", integer(rank));
    set(&mut settings, "model", "ngram_bits", integer(4));
    Some(settings)
}

/// Returns the settings of a classifier of texts. The n-gram table of `rank` columns gets at most the share
/// `table_share` of the flash memory that header, labels and golden examples leave; 0: no table. The vocabulary gets
/// what the table and the recurrent layers leave. `recurrent`: `None` for an n-gram branch alone. Returns `None` if the
/// flash memory is too small for the smallest table or vocabulary.
fn text_model(
    profile: &Profile,
    budget: &Budget,
    table_share: f64,
    rank: usize,
    recurrent: Option<Recurrent>,
) -> Option<Table> {
    // For each label a name of about 12 bytes and a row of the head.
    let label_bytes = profile.classes * (12 + rank + recurrent.map_or(0, |layers| layers.hidden_size));
    // The overhead counts for at most a third of a small flash memory, so that some of it remains for the model.
    let available = budget.flash.checked_sub(OVERHEAD.min(budget.flash / 3) + label_bytes)?;
    let mut settings = Table::new();
    let mut remaining = available;
    if table_share > 0.0 {
        let table = ngram_table((table_share * available as f64) as usize, rank, profile)?;
        remaining -= ngram_bytes(&table, profile);
        lay_over(&mut settings, &table);
    } else {
        set(&mut settings, "model", "ngram_buckets", integer(0));
    }
    match recurrent {
        Some(layers) => {
            let token_bytes = TOKEN_BYTES + layers.embedding_dim * layers.embedding_bits.count() as usize / 8;
            let tokens_that_fit = remaining.checked_sub(layers.bytes())? / token_bytes;
            let vocabulary = tokens_that_fit.min(profile.inputs.max(MIN_VOCABULARY));
            if vocabulary < MIN_VOCABULARY.min(profile.inputs) {
                return None;
            }
            lay_over(&mut settings, &layers.settings(Some(vocabulary)));
        }
        None => set(&mut settings, "model", "num_layers", integer(0)),
    }
    Some(settings)
}

/// Returns the bytes of the n-gram table in `settings`.
fn ngram_bytes(settings: &Table, profile: &Profile) -> usize {
    let value = |key: &str| settings["model"][key].as_integer().unwrap_or(0) as usize;
    value("ngram_buckets") * row_bytes(value("ngram_rank"), profile)
}

/// Returns the fixed candidates for texts that suit the data and the budget, in the order in which they are tried.
fn fixed_for_texts(profile: &Profile, budget: &Budget) -> Vec<Table> {
    let rank = ngram_rank(profile.classes);
    let two_ways = Recurrent { bidirectional: true, pooling: Pooling::MeanMax, ..Recurrent::new(16, 32) };
    let four_bits = Recurrent { embedding_bits: Bits::Four, pooling: Pooling::MeanMax, ..Recurrent::new(16, 32) };
    // A model whose n-gram table gets this share of the flash memory.
    let model = |share, recurrent| text_model(profile, budget, share, rank, recurrent);
    let model_with_dropout = |share, recurrent| {
        let mut settings = model(share, recurrent)?;
        set(&mut settings, "model", "ngram_dropout", 0.5.into());
        set(&mut settings, "training", "learning_rate", 0.01.into());
        Some(settings)
    };
    let mut candidates = Vec::new();
    if profile.has_characters() {
        // The numbers are the rank, the embedding dimension and the hidden size.
        candidates.extend([
            single_word_model(profile, budget, 4, 16, 28),
            single_word_model(profile, budget, 16, 32, 64),
            single_word_model(profile, budget, 8, 16, 28),
            single_word_model(profile, budget, 4, 8, 16),
        ]);
    }
    // Long texts are tried first with the recipe's defaults of n-gram dropout and learning rate, which suit long texts.
    if profile.has_long_texts() {
        candidates.extend([
            model(1.0, None),
            model(0.55, Some(two_ways)),
            model(0.55, Some(four_bits)),
            model(0.55, Some(Recurrent { embedding_bits: Bits::Four, ..two_ways })),
        ]);
    }
    candidates.extend([
        model_with_dropout(1.0, None),
        model(1.0, None),
        model_with_dropout(0.5, None),
        model_with_dropout(0.5, Some(Recurrent::new(8, 16))),
        model_with_dropout(0.5, Some(Recurrent::new(16, 32))),
        model_with_dropout(0.5, Some(four_bits)),
        model(0.0, Some(Recurrent::new(16, 32))),
        model_with_dropout(0.25, Some(two_ways)),
        model(0.0, Some(Recurrent::new(32, 64))),
        model(0.0, Some(four_bits)),
        // The smallest candidates, for small budgets.
        model(0.25, None),
        model(0.0, Some(Recurrent::new(4, 8))),
    ]);
    candidates.into_iter().flatten().collect()
}

/// Returns the settings of a classifier of single words, which it reads by characters or bytes; `None` if it does not
/// fit the budget.
fn single_word_model(
    profile: &Profile,
    budget: &Budget,
    rank: usize,
    embedding_dim: usize,
    hidden_size: usize,
) -> Option<Table> {
    let layers = Recurrent { cell: Cell::Gru, bidirectional: true, ..Recurrent::new(embedding_dim, hidden_size) };
    let mut settings = text_model(profile, budget, 0.6, rank, Some(layers))?;
    set(&mut settings, "training", "branch_loss", 0.5.into());
    set(&mut settings, "training", "label_smoothing", 0.1.into());
    set(&mut settings, "model", "dropout", 0.0.into());
    set(&mut settings, "model", "ngram_max_chars", integer(4));
    Some(settings)
}

/// Draws a candidate for texts; `None` if the shape that was drawn does not fit the budget.
fn drawn_for_texts(profile: &Profile, budget: &Budget, rng: &mut ChaCha8Rng) -> Option<Table> {
    // Two of three candidates have recurrent layers.
    let has_layers = one_of(&[true, true, false], rng);
    let recurrent = if has_layers { Some(drawn_layers(rng)) } else { None };
    let table_shares: &[f64] = if has_layers { &[0.0, 0.125, 0.25, 0.5, 0.75] } else { &[0.25, 0.5, 1.0] };
    let table_share = one_of(table_shares, rng);
    let default_rank = ngram_rank(profile.classes);
    let rank = one_of(&[default_rank / 2, default_rank, 2 * default_rank], rng).clamp(2, 64);
    let mut settings = text_model(profile, budget, table_share, rank, recurrent)?;
    if table_share > 0.0 {
        draw(&mut settings, rng, "model", "ngram_dropout", &[0.2.into(), 0.5.into(), 0.7.into()]);
        let max_chars: &[Value] = if profile.has_characters() {
            &[3.into(), 4.into(), 6.into()]
        } else {
            &[5.into(), 5.into(), 4.into(), 0.into()]
        };
        draw(&mut settings, rng, "model", "ngram_max_chars", max_chars);
    }
    if table_share > 0.0 && has_layers {
        draw(&mut settings, rng, "training", "branch_loss", &[0.0.into(), 0.5.into()]);
    }
    if has_layers {
        draw(&mut settings, rng, "model", "dropout", &[0.0.into(), 0.3.into(), 0.5.into()]);
        draw(&mut settings, rng, "model", "word_dropout", &[0.1.into(), 0.2.into()]);
    }
    draw(&mut settings, rng, "training", "learning_rate", &[0.003.into(), 0.006.into(), 0.01.into()]);
    Some(settings)
}

/// Draws the recurrent layers of a candidate for texts.
fn drawn_layers(rng: &mut ChaCha8Rng) -> Recurrent {
    let sizes = [(8, 16), (12, 24), (16, 32), (24, 48), (32, 64), (32, 96)];
    let (embedding_dim, hidden_size) = one_of(&sizes, rng);
    Recurrent {
        cell: one_of(&[Cell::Lstm, Cell::Lstm, Cell::Gru], rng),
        embedding_dim,
        hidden_size,
        bidirectional: one_of(&[false, false, true], rng),
        pooling: one_of(&[Pooling::Last, Pooling::Mean, Pooling::MeanMax], rng),
        embedding_bits: one_of(&[Bits::Eight, Bits::Four], rng),
    }
}

/// Returns the number of epochs for sequences. Small data has fewer optimizer steps in an epoch, so it needs more
/// epochs.
fn epochs_for_values(profile: &Profile) -> usize {
    if profile.rows < 1_000 { 120 } else { 30 }
}

/// Returns the settings of a classifier of sequences of numbers.
fn value_model(profile: &Profile, layers: Recurrent, dropout: f64, learning_rate: f64) -> Table {
    let epochs = epochs_for_values(profile);
    let mut settings = layers.settings(None);
    set(&mut settings, "model", "dropout", dropout.into());
    set(&mut settings, "training", "learning_rate", learning_rate.into());
    set(&mut settings, "training", "epochs", integer(epochs));
    set(&mut settings, "training", "patience", integer(epochs / 3));
    settings
}

/// Returns the fixed candidates for sequences of numbers, in the order in which they are tried.
fn fixed_for_values(profile: &Profile) -> Vec<Table> {
    // A network that reads numbers has no embedding, so the embedding dimension is 0 here.
    let one_way = |cell, hidden_size| Recurrent { cell, ..Recurrent::new(0, hidden_size) };
    let two_ways = |cell, hidden_size| {
        let pooling = Pooling::MeanMax;
        Recurrent { cell, bidirectional: true, pooling, ..Recurrent::new(0, hidden_size) }
    };
    // The layers, the dropout and the learning rate.
    let models = [
        (two_ways(Cell::Lstm, 16), 0.3, 0.003),
        (one_way(Cell::Lstm, 16), 0.0, 0.01),
        (two_ways(Cell::Lstm, 16), 0.0, 0.01),
        (one_way(Cell::Lstm, 32), 0.3, 0.003),
        (two_ways(Cell::Lstm, 8), 0.0, 0.01),
        (one_way(Cell::Gru, 24), 0.0, 0.01),
        (two_ways(Cell::Gru, 16), 0.0, 0.01),
        (one_way(Cell::Lstm, 8), 0.0, 0.01),
        (one_way(Cell::Lstm, 64), 0.3, 0.003),
        (one_way(Cell::Gru, 4), 0.0, 0.01),
    ];
    models.into_iter().map(|(layers, dropout, rate)| value_model(profile, layers, dropout, rate)).collect()
}

/// Draws a candidate for sequences of numbers.
fn drawn_for_values(profile: &Profile, rng: &mut ChaCha8Rng) -> Table {
    let layers = Recurrent {
        cell: one_of(&[Cell::Lstm, Cell::Gru], rng),
        bidirectional: one_of(&[false, true], rng),
        pooling: one_of(&[Pooling::Last, Pooling::Mean, Pooling::Max, Pooling::MeanMax], rng),
        ..Recurrent::new(0, one_of(&[8, 12, 16, 24, 32, 48, 64], rng))
    };
    let dropout = one_of(&[0.0, 0.3], rng);
    let learning_rate = one_of(&[0.003, 0.006, 0.01], rng);
    let mut settings = value_model(profile, layers, dropout, learning_rate);
    draw(&mut settings, rng, "model", "num_layers", &[1.into(), 1.into(), 2.into()]);
    settings
}

/// Sets a key to one of `values`, drawn as [`one_of`] does.
fn draw(settings: &mut Table, rng: &mut ChaCha8Rng, section: &str, key: &str, values: &[Value]) {
    set(settings, section, key, one_of(values, rng));
}

/// Returns one of `values`, drawn at random. A value that is listed twice is twice as probable.
fn one_of<T: Clone>(values: &[T], rng: &mut ChaCha8Rng) -> T {
    values.choose(rng).expect("the list is not empty").clone()
}

fn integer(number: usize) -> Value {
    Value::Integer(number as i64)
}

#[cfg(test)]
mod tests;
