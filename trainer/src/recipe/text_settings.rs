//! The settings that are derived from the training texts where the recipe leaves them open:
//! [`Recipe::resolve_text_settings`].
//!
//! Many of them concern the n-gram branch of a classifier. It has a table whose rows, the buckets, are selected by the
//! hash of an n-gram; its number of columns is the rank. With fingerprints, only one n-gram of each bucket counts.

use super::choices::OptimizerKind;
use super::sections::Model;
use super::settings::{EPOCHS, Recipe, SMALL_DATA};
use crate::vocabulary::suggested_tokenizer;
use tern_format::{Ngrams, Pooling, Task};
use tern_runtime::text;

/// The mean number of words of a text above which texts count as long: n-grams of characters then add little to those
/// of words, unless there are few texts.
pub const LONG_TEXT: f64 = 60.0;

/// The number of words of all long texts up to which n-grams of characters are counted too: most words and pairs of
/// another text are then not among them, but parts of the words are.
const FEW_WORDS: f64 = 150_000.0;

/// The number of texts above which n-grams of characters are left out by default: during a training, they take about a
/// kilobyte of memory for a text of 20 words.
const MANY_TEXTS: usize = 200_000;

/// The mean number of characters of a text up to which it counts as a single word.
const SINGLE_WORD: f64 = 20.0;

/// The number of words of all training texts above which the defaults are fewer epochs, a higher learning rate and an
/// average of the weights over more steps.
const MANY_WORDS: f64 = 2e6;

/// The largest default size of the n-gram table for long texts without fingerprints, in bytes. The table has at least
/// 4096 rows, even if they need more.
const LONG_TEXT_TABLE_BYTES: usize = 1 << 17;
/// The same with fingerprints.
const LONG_TEXT_FINGERPRINT_TABLE_BYTES: usize = 3 << 17;

/// The default maximum size of the vocabulary for long texts with fingerprints, and for few long texts.
const LONG_TEXT_TOKENS: usize = 4_000;

/// The number of words of all long texts above which the n-gram dropout is higher than that of other texts: the table
/// would otherwise memorise their many rare pairs of words.
const DROPOUT_WORDS: f64 = 500_000.0;
/// The default n-gram dropout above [`DROPOUT_WORDS`].
const LONG_TEXT_NGRAM_DROPOUT: f64 = 0.7;
/// The same with fingerprints, which leave out most of the pairs.
const LONG_TEXT_FINGERPRINT_NGRAM_DROPOUT: f64 = 0.5;

/// Returns the default number of epochs for a classifier of texts with this many words in total.
pub fn text_epochs(words: f64) -> usize {
    if words > MANY_WORDS { 8 } else { EPOCHS }
}

/// Returns the default number of columns of an n-gram table for this many labels.
pub fn ngram_rank(labels: usize) -> usize {
    if labels > 64 { 32 } else { labels.next_power_of_two().clamp(2, 16) }
}

/// Returns the default number of rows of the n-gram table for long texts: a power of 2 that grows with the number of
/// words of all training texts. `row_weight_bits`: the bits of the weights of a row.
fn long_text_buckets(words: f64, row_weight_bits: usize, has_fingerprints: bool) -> usize {
    let (words_per_bucket, max_bytes, row_bits) = if has_fingerprints {
        // A fingerprint has 8 bits.
        (8.0, LONG_TEXT_FINGERPRINT_TABLE_BYTES, row_weight_bits + 8)
    } else if words <= FEW_WORDS {
        (1.0, LONG_TEXT_TABLE_BYTES, row_weight_bits)
    } else {
        (32.0, LONG_TEXT_TABLE_BYTES, row_weight_bits)
    };
    let max_buckets = 1 << (8 * max_bytes / row_bits).ilog2();
    ((words / words_per_bucket) as usize).next_power_of_two().min(max_buckets).max(4_096)
}

/// The number of training texts and their mean lengths.
struct Lengths {
    texts: usize,
    mean_words: f64,
    mean_chars: f64,
}

impl Lengths {
    /// Measures the training texts.
    fn new<'a>(texts: impl ExactSizeIterator<Item = &'a str> + Clone) -> Self {
        let mean = |length: fn(&str) -> usize| {
            texts.clone().map(|text| length(text) as f64).sum::<f64>() / texts.len().max(1) as f64
        };
        Lengths {
            texts: texts.len(),
            mean_words: mean(|text| text.split_whitespace().count()),
            mean_chars: mean(|text| text.chars().count()),
        }
    }

    /// Returns the number of words of all texts.
    fn words(&self) -> f64 {
        self.mean_words * self.texts as f64
    }

    /// Returns true if the texts count as long: see [`LONG_TEXT`]. Texts that are one word for the tokenizer never do.
    fn are_long(&self, tokenizer: text::Tokenizer) -> bool {
        !tokenizer.is_one_word() && self.mean_words > LONG_TEXT
    }

    /// Returns true if the texts are long and few: see [`FEW_WORDS`].
    fn are_few_and_long(&self, tokenizer: text::Tokenizer) -> bool {
        self.are_long(tokenizer) && self.words() <= FEW_WORDS
    }
}

impl Model {
    /// Returns true for a classifier of long texts whose n-gram table has fingerprints, or that has a table and few
    /// texts: larger recurrent layers memorise these texts.
    fn suits_small_layers(&self, tokenizer: text::Tokenizer, lengths: &Lengths) -> bool {
        let has_table = self.ngram_buckets != Some(0);
        let has_fingerprints = self.ngram_fingerprints == Some(true);
        lengths.are_long(tokenizer) && (has_fingerprints || (has_table && lengths.are_few_and_long(tokenizer)))
    }

    /// Fills in small sizes and much regularisation, where the recipe leaves them open.
    fn resolve_small_layers(&mut self) {
        self.embedding_dim.get_or_insert(16);
        self.hidden_size.get_or_insert(32);
        self.dropout.get_or_insert(0.5);
        self.word_dropout.get_or_insert(0.3);
    }

    /// Fills in the directions, the pooling and the n-gram branch of a text classifier and, for long texts with
    /// fingerprints, the sizes and the regularisation, where the recipe leaves them open. `labels`: the number of
    /// labels. `has_folds`: true if the recipe asks for a cross-validation.
    fn resolve(&mut self, tokenizer: text::Tokenizer, lengths: &Lengths, labels: usize, has_folds: bool) {
        let is_one_word = tokenizer.is_one_word();
        let is_long = lengths.are_long(tokenizer);
        let are_single_words = is_one_word && lengths.mean_chars <= SINGLE_WORD;
        let fingerprints_by_default = is_long && !has_folds && self.ngram_buckets != Some(0);
        let has_fingerprints = *self.ngram_fingerprints.get_or_insert(fingerprints_by_default);
        self.bidirectional.get_or_insert(are_single_words && self.num_layers > 0);
        self.pooling.get_or_insert(if is_long && self.num_layers > 0 { Pooling::MeanMax } else { Pooling::Last });
        if is_long && has_fingerprints {
            self.ngram_bits.get_or_insert(8);
        }
        if self.suits_small_layers(tokenizer, lengths) {
            self.resolve_small_layers();
        }
        self.resolve_ngrams(tokenizer, lengths, labels, has_fingerprints);
    }

    /// Fills in the n-gram branch of a text classifier: the table, the n-grams that it counts, and their dropout. 0
    /// buckets in the recipe mean that there is no n-gram branch.
    fn resolve_ngrams(&mut self, tokenizer: text::Tokenizer, lengths: &Lengths, labels: usize, has_fingerprints: bool) {
        let is_long = lengths.are_long(tokenizer);
        let is_few_and_long = lengths.are_few_and_long(tokenizer);
        let words_only = (is_long && !is_few_and_long) || (!tokenizer.is_one_word() && lengths.texts > MANY_TEXTS);
        let rank = self.ngram_rank.unwrap_or_else(|| ngram_rank(labels));
        let default_buckets = if is_long {
            long_text_buckets(lengths.words(), rank * self.ngram_bits() as usize, has_fingerprints)
        } else if words_only {
            16_384
        } else if tokenizer.is_one_word() {
            8_192
        } else {
            4_096
        };
        if *self.ngram_buckets.get_or_insert(default_buckets) == 0 {
            return;
        }
        self.ngram_rank = Some(rank);
        let default_dropout = match (is_long && lengths.words() > DROPOUT_WORDS, has_fingerprints) {
            (false, _) => self.ngram_dropout(),
            (true, true) => LONG_TEXT_FINGERPRINT_NGRAM_DROPOUT,
            (true, false) => LONG_TEXT_NGRAM_DROPOUT,
        };
        self.ngram_dropout.get_or_insert(default_dropout);
        // N-grams of characters are left out, unless the recipe asks for them by their smallest length or by leaving
        // out those of words.
        if words_only && self.ngram_min_chars.is_none() && self.ngram_words != Some(0) {
            self.ngram_max_chars.get_or_insert(0);
        }
        let Ngrams { words, min_chars, max_chars } = self.ngrams(tokenizer);
        (self.ngram_words, self.ngram_min_chars, self.ngram_max_chars) =
            (Some(words), Some(min_chars), Some(max_chars));
    }
}

impl Recipe {
    /// Fills in the text settings that the recipe leaves to the training data: the tokenizer, chosen by the script of
    /// `texts`, and the minimum count, chosen by their number. For a classifier also the epochs, the learning rate and
    /// the weight averaging, chosen by the number of words, and the n-gram branch, the sizes, the dropout, the
    /// directions, the pooling and the branch loss, chosen by the tokenizer, the length of the texts and the number of
    /// labels. For a language model, `texts` is its one training text and `labels` is ignored.
    pub fn resolve_text_settings<'a>(&mut self, texts: impl ExactSizeIterator<Item = &'a str> + Clone, labels: usize) {
        let is_classifier = self.task == Task::Classify;
        let is_small = is_classifier && texts.len() < SMALL_DATA;
        self.vocabulary.min_count.get_or_insert(if is_small { 1 } else { 2 });
        self.tokenizer.kind.get_or_insert_with(|| suggested_tokenizer(texts.clone()));
        let tokenizer = self.tokenizer.tokenizer();
        self.tokenizer.lowercase = Some(tokenizer.lowercase);
        if !is_classifier {
            return;
        }
        let lengths = Lengths::new(texts);
        self.model.resolve(tokenizer, &lengths, labels, self.data.folds > 1);
        let is_long = lengths.are_long(tokenizer);
        let has_fingerprints = self.model.ngram_fingerprints == Some(true);
        if self.model.suits_small_layers(tokenizer, &lengths) {
            self.vocabulary.max_size.get_or_insert(LONG_TEXT_TOKENS);
        }
        self.training.epochs.get_or_insert(text_epochs(lengths.words()));
        if lengths.words() > MANY_WORDS {
            self.training.weight_averaging.get_or_insert(0.995);
            // 0 stands for the default.
            if self.training.learning_rate == 0.0 && self.training.optimizer == OptimizerKind::Adamw {
                self.training.learning_rate = 4e-3;
            }
        }
        let model = &self.model;
        let has_both_branches = model.num_layers > 0 && model.head_hidden == 0 && model.ngram_table().is_some();
        // A table with fingerprints or n-grams of characters does not memorise long texts, and a common loss is better.
        let is_useful =
            tokenizer.is_one_word() || (is_long && !has_fingerprints && !lengths.are_few_and_long(tokenizer));
        let branch_loss = if has_both_branches && is_useful { 0.5 } else { 0.0 };
        self.training.branch_loss.get_or_insert(branch_loss);
    }
}
