//! The settings of texts that are derived from the training data where the recipe leaves them open.

use super::choices::OptimizerKind;
use super::sections::Model;
use super::settings::{EPOCHS, Recipe, SMALL_DATA};
use crate::vocabulary::suggested_tokenizer;
use tern_format::{Ngrams, Pooling, Task};
use tern_runtime::text;

/// The mean number of words of a text above which texts count as long: n-grams of characters then add little to those
/// of words.
pub const LONG_TEXT: f64 = 60.0;

/// The number of texts above which n-grams of characters are left out by default: during a training, they take about a
/// kilobyte of memory for a text of 20 words.
const MANY_TEXTS: usize = 200_000;

/// The mean number of characters of a text up to which it counts as a single word.
const SINGLE_WORD: f64 = 20.0;

/// The number of words of all training texts above which the defaults are fewer epochs, a higher learning rate and an
/// average of the weights over more steps.
const MANY_WORDS: f64 = 2e6;

/// The largest default size of the n-gram table for long texts, in bytes: with fingerprints and without them.
const LONG_TEXT_BYTES: [usize; 2] = [3 << 17, 1 << 17];

/// The largest vocabulary of long texts with fingerprints.
const LONG_TEXT_TOKENS: usize = 4_000;

/// The n-gram dropout of long texts, whose many rare pairs of words a table would otherwise memorise: with
/// fingerprints, which leave out most of the pairs, and without them.
const LONG_TEXT_NGRAM_DROPOUTS: [f64; 2] = [0.5, 0.7];

/// Returns the default number of epochs for a classifier of texts with this many words in total.
pub fn text_epochs(words: f64) -> usize {
    if words > MANY_WORDS { 8 } else { EPOCHS }
}

/// Returns the default number of columns of an n-gram table for this many labels.
pub fn ngram_rank(labels: usize) -> usize {
    if labels > 64 { 32 } else { labels.next_power_of_two().clamp(2, 16) }
}

/// The number of training texts and their mean lengths.
struct Lengths {
    texts: usize,
    mean_words: f64,
    mean_chars: f64,
}

impl Lengths {
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
}

impl Model {
    /// Fills in the sizes and the regularisation of a classifier of long texts whose n-gram table has fingerprints,
    /// where the recipe leaves them open. Larger recurrent layers memorise the texts.
    fn resolve_beside_fingerprints(&mut self) {
        self.embedding_dim.get_or_insert(16);
        self.hidden_size.get_or_insert(32);
        self.dropout.get_or_insert(0.5);
        self.word_dropout.get_or_insert(0.3);
        self.ngram_bits.get_or_insert(8);
    }

    /// Fills in the directions, the pooling and the n-gram branch of a text classifier, where the recipe leaves them to
    /// the training data.
    fn resolve(&mut self, tokenizer: text::Tokenizer, lengths: &Lengths, labels: usize, has_folds: bool) {
        let is_one_word = tokenizer.is_one_word();
        let is_long = lengths.are_long(tokenizer);
        let words_only = is_long || (!is_one_word && lengths.texts > MANY_TEXTS);
        let are_single_words = is_one_word && lengths.mean_chars <= SINGLE_WORD;
        let suit_fingerprints = is_long && !has_folds && self.ngram_buckets != Some(0);
        let has_fingerprints = *self.ngram_fingerprints.get_or_insert(suit_fingerprints);
        self.bidirectional.get_or_insert(are_single_words && self.num_layers > 0);
        self.pooling.get_or_insert(if is_long && self.num_layers > 0 { Pooling::MeanMax } else { Pooling::Last });
        if is_long && has_fingerprints {
            self.resolve_beside_fingerprints();
        }
        let rank = self.ngram_rank.unwrap_or_else(|| ngram_rank(labels));
        let buckets = match (is_one_word, is_long, words_only) {
            (true, ..) => 8_192,
            (_, true, _) => {
                let [with_fingerprints, without_fingerprints] = LONG_TEXT_BYTES;
                let weight_bits = rank * self.ngram_bits() as usize;
                let (words_per_bucket, bytes, row_bits) = if has_fingerprints {
                    (8.0, with_fingerprints, weight_bits + 8)
                } else {
                    (32.0, without_fingerprints, weight_bits)
                };
                let most = 1 << (8 * bytes / row_bits).ilog2();
                ((lengths.words() / words_per_bucket) as usize).next_power_of_two().min(most).max(4_096)
            }
            (.., true) => 16_384,
            _ => 4_096,
        };
        if *self.ngram_buckets.get_or_insert(buckets) == 0 {
            return;
        }
        self.ngram_rank = Some(rank);
        let [with_fingerprints, without_fingerprints] = LONG_TEXT_NGRAM_DROPOUTS;
        let dropout = match (is_long, has_fingerprints) {
            (false, _) => self.ngram_dropout(),
            (true, true) => with_fingerprints,
            (true, false) => without_fingerprints,
        };
        self.ngram_dropout.get_or_insert(dropout);
        // The recipe may ask for n-grams of characters by their length, or by leaving out those of words.
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
        if is_classifier {
            let lengths = Lengths::new(texts);
            self.model.resolve(tokenizer, &lengths, labels, self.data.folds > 1);
            let is_long = lengths.are_long(tokenizer);
            let has_fingerprints = self.model.ngram_fingerprints == Some(true);
            if is_long && has_fingerprints {
                self.vocabulary.max_size.get_or_insert(LONG_TEXT_TOKENS);
            }
            self.training.epochs.get_or_insert(text_epochs(lengths.words()));
            if lengths.words() > MANY_WORDS {
                self.training.weight_averaging.get_or_insert(0.995);
                if self.training.learning_rate == 0.0 && self.training.optimizer == OptimizerKind::Adamw {
                    self.training.learning_rate = 4e-3;
                }
            }
            let model = &self.model;
            let has_branches = model.num_layers > 0 && model.head_hidden == 0 && model.ngram_table().is_some();
            // With fingerprints the table does not memorise long texts, and a common loss is better.
            let is_useful = tokenizer.is_one_word() || (is_long && !has_fingerprints);
            let branch_loss = if has_branches && is_useful { 0.5 } else { 0.0 };
            self.training.branch_loss.get_or_insert(branch_loss);
        }
    }
}
