//! The [`Recipe`] as one struct, and the settings that are derived from its keys or from the training data.

use super::choices::{Bits, ClassWeights, Metric, OptimizerKind, Widths};
use super::sections::{Card, Data, Export, Forecast, LanguageModel, Model, Sequences, Tokenizer, Training, Vocabulary};
use crate::architecture::{Architecture, CellBias, Head, InputLayer, NgramTable, Recurrent};
use crate::data::{Layout, Windows};
use crate::vocabulary::suggested_tokenizer;
use serde::{Deserialize, Serialize};
use tern_format::{Ngrams, Output, Pooling, Task, TokenizerKind};
use tern_runtime::text;

/// The number of training rows below which a data set counts as small: rare tokens get an id, and cross-validation
/// replaces the validation split of a classifier.
pub const SMALL_DATA: usize = 300;

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

/// The default number of epochs.
const EPOCHS: usize = 20;

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

/// A recipe with all its sections. Settings that are `None` are filled in by [`Recipe::resolve_text_settings`] and
/// [`Recipe::resolve`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// Name of the model. Without one, the model is named after its directory.
    pub name: Option<String>,
    /// Task of the model.
    pub task: Task,
    /// Training and validation data.
    pub data: Data,
    /// Training sequences of a classifier of numbers.
    pub sequences: Sequences,
    /// Settings of language models.
    pub language_model: LanguageModel,
    /// Settings of forecasts.
    pub forecast: Forecast,
    /// Size of the vocabulary.
    pub vocabulary: Vocabulary,
    /// Tokenizer.
    pub tokenizer: Tokenizer,
    /// Network.
    pub model: Model,
    /// Training.
    pub training: Training,
    /// Quantisation.
    pub export: Export,
    /// Model card.
    #[serde(skip_serializing_if = "Card::is_empty")]
    pub card: Card,
}

impl Model {
    /// Returns the network that reads the ids of `vocab_size` tokens: see
    /// [`architecture_for`](Model::architecture_for).
    pub fn architecture(&self, vocab_size: usize, outputs: usize) -> Architecture {
        self.architecture_for(InputLayer::Embedding { vocab_size, embedding_dim: self.embedding_dim() }, outputs)
    }

    /// Returns the network that reads `input`. `outputs`: the number of labels, tokens or predicted numbers; with the
    /// output layer `sigmoid`, the network has one output for two labels.
    pub fn architecture_for(&self, input: InputLayer, outputs: usize) -> Architecture {
        let Model { cell, num_layers, merge, .. } = *self;
        let (hidden_size, bidirectional, pooling) = (self.hidden_size(), self.is_bidirectional(), self.pooling());
        let bias = CellBias::from_count(self.recurrent_biases).unwrap_or_default();
        Architecture {
            input,
            hidden_size,
            recurrent: Recurrent { cell, num_layers, bidirectional, bias, merge, pooling },
            ngrams: self.ngram_table(),
            head: Head { hidden: self.head_hidden, outputs: if self.output == Output::Sigmoid { 1 } else { outputs } },
        }
    }

    /// Returns true if the recurrent layers have two directions; false if that is left to
    /// [`Recipe::resolve_text_settings`], which has not run yet.
    pub fn is_bidirectional(&self) -> bool {
        self.bidirectional.unwrap_or(false)
    }

    /// Returns the pooling of the hidden states; `Last` if that is left to [`Recipe::resolve_text_settings`], which has
    /// not run yet.
    pub fn pooling(&self) -> Pooling {
        self.pooling.unwrap_or(Pooling::Last)
    }

    /// Returns the table of the n-gram branch; `None` without one, or if its size is left to
    /// [`Recipe::resolve_text_settings`], which has not run yet.
    pub fn ngram_table(&self) -> Option<NgramTable> {
        let (buckets, rank) = (self.ngram_buckets?, self.ngram_rank?);
        (buckets > 0).then_some(NgramTable { buckets, rank, bits: self.ngram_bits() })
    }

    /// Returns the n-gram dropout, with the default for texts that are not long filled in.
    pub fn ngram_dropout(&self) -> f64 {
        self.ngram_dropout.unwrap_or(0.2)
    }

    /// Returns the bits of the n-gram table's weights, with the default for texts that are not long filled in.
    pub fn ngram_bits(&self) -> u32 {
        self.ngram_bits.unwrap_or(4)
    }

    /// Returns the width of the embedding, with the default for texts that are not long filled in. 0 stands for that of
    /// pretrained vectors.
    pub fn embedding_dim(&self) -> usize {
        self.embedding_dim.unwrap_or(32)
    }

    /// Returns the width of the hidden state in each direction, with the default for texts that are not long filled in.
    pub fn hidden_size(&self) -> usize {
        self.hidden_size.unwrap_or(64)
    }

    /// Returns the dropout before the linear layer, with the default for texts that are not long filled in.
    pub fn dropout(&self) -> f64 {
        self.dropout.unwrap_or(0.3)
    }

    /// Returns the word dropout, with the default for texts that are not long filled in.
    pub fn word_dropout(&self) -> f64 {
        self.word_dropout.unwrap_or(0.1)
    }

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

    /// Returns the n-grams that the n-gram branch counts, with the defaults for a tokenizer filled in.
    pub fn ngrams(&self, tokenizer: text::Tokenizer) -> Ngrams {
        let (words, shortest, longest) = if tokenizer.is_one_word() { (0, 1, 4) } else { (2, 3, 5) };
        let (min_chars, max_chars) = match (self.ngram_min_chars, self.ngram_max_chars) {
            (None, None) => (shortest, longest),
            (Some(0), None) | (None, Some(0)) => (0, 0),
            (Some(least), None) => (least, longest.max(least)),
            (None, Some(most)) => (shortest.min(most), most),
            (Some(least), Some(most)) => (least, most),
        };
        Ngrams { words: self.ngram_words.unwrap_or(words), min_chars, max_chars }
    }
}

impl Vocabulary {
    /// Returns the number of occurrences that a token needs, with the default for large data filled in.
    pub fn min_count(&self) -> usize {
        self.min_count.unwrap_or(2)
    }

    /// Returns the maximum size, with the default for texts that are not long filled in.
    pub fn max_size(&self) -> usize {
        self.max_size.unwrap_or(10_000)
    }
}

impl Data {
    /// Returns the layout of the tables.
    pub fn layout(&self) -> Layout {
        let delimiter = self.delimiter.and_then(|c| u8::try_from(c).ok());
        Layout { delimiter, header: self.header, quoting: self.quoting }
    }
}

impl Tokenizer {
    /// Returns the runtime's tokenizer, with the defaults filled in.
    pub fn tokenizer(&self) -> text::Tokenizer {
        let kind = self.kind.unwrap_or_default();
        let default = !matches!(kind, TokenizerKind::Chars | TokenizerKind::Bytes);
        let lowercase = self.lowercase.unwrap_or(default) && kind != TokenizerKind::Bytes;
        text::Tokenizer { kind, lowercase }
    }
}

impl Export {
    /// Returns the bits of all weights.
    pub fn widths(&self) -> Widths {
        let bits = |count| Bits::of(count).unwrap_or_default();
        Widths { embedding: bits(self.embedding_bits), recurrent: bits(self.recurrent_bits) }
    }
}

impl Card {
    /// Returns true if no key is set.
    pub fn is_empty(&self) -> bool {
        *self == Card::default()
    }
}

impl Recipe {
    /// Returns the batch size for this many training examples, with the default filled in.
    pub fn batch_size(&self, examples: usize) -> usize {
        match (self.training.batch_size, self.task) {
            (0, Task::LanguageModel) => (examples / 1000).clamp(4, 32),
            (0, _) => (examples / 50).clamp(4, 32),
            (size, _) => size,
        }
    }

    /// Returns the highest learning rate, with the default filled in.
    pub fn learning_rate(&self) -> f64 {
        match (self.training.learning_rate, self.training.optimizer) {
            (0.0, OptimizerKind::Adamw) if self.task == Task::LanguageModel => 5e-3,
            (0.0, OptimizerKind::Adamw) => 3e-3,
            (0.0, OptimizerKind::Sgd) => 0.1,
            (rate, _) => rate,
        }
    }

    /// Returns the number of epochs, with the default filled in.
    pub fn epochs(&self) -> usize {
        self.training.epochs.unwrap_or(EPOCHS)
    }

    /// Returns the decay of the moving average of the weights, with the default filled in.
    pub fn weight_averaging(&self) -> f64 {
        self.training.weight_averaging.unwrap_or(0.98)
    }

    /// Returns the number of threads, with the default filled in.
    pub fn threads(&self) -> usize {
        match self.training.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from).min(self.training.shards),
            threads => threads,
        }
    }

    /// Returns the metric that chooses the best epoch, with the default filled in.
    pub fn metric(&self) -> Metric {
        self.training.metric.unwrap_or(match (self.task, self.training.class_weights) {
            (Task::Classify, ClassWeights::None) => Metric::Accuracy,
            (Task::Classify, ClassWeights::Balanced) => Metric::MacroF1,
            (Task::LanguageModel | Task::Forecast, _) => Metric::Loss,
        })
    }

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
            if lengths.are_long(tokenizer) && self.model.ngram_fingerprints == Some(true) {
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
            let is_long = lengths.are_long(tokenizer) && model.ngram_fingerprints != Some(true);
            let is_useful = tokenizer.is_one_word() || is_long;
            let branch_loss = if has_branches && is_useful { 0.5 } else { 0.0 };
            self.training.branch_loss.get_or_insert(branch_loss);
        }
    }

    /// Returns the random seed of the validation split and of the folds: by default, the seed of the training.
    pub fn split_seed(&self) -> u64 {
        self.data.split_seed.unwrap_or(self.training.seed)
    }

    /// Returns how the sequences of a table are resampled and cut into windows.
    pub fn windows(&self) -> Windows {
        let Sequences { window, overlap, sample_rate, resample, .. } = self.sequences;
        Windows { rows: window, overlap, rates: (resample > 0.0).then_some([sample_rate, resample]) }
    }

    /// Returns the number of folds of the cross-validation of a classifier with this many training rows; 1 if there is
    /// no cross-validation.
    pub fn folds(&self, rows: usize) -> usize {
        match self.data.folds {
            _ if self.data.valid.is_some() => 1,
            0 if rows < SMALL_DATA => 5,
            0 => 1,
            folds => folds,
        }
    }

    /// Fills in the remaining settings that are left out, so that the saved recipe contains the values that were used.
    pub fn resolve(&mut self) {
        self.training.learning_rate = self.learning_rate();
        self.training.epochs = Some(self.epochs());
        self.training.metric = Some(self.metric());
        self.training.weight_averaging = Some(self.weight_averaging());
        let model = &mut self.model;
        model.embedding_dim = Some(model.embedding_dim());
        model.hidden_size = Some(model.hidden_size());
        (model.dropout, model.word_dropout) = (Some(model.dropout()), Some(model.word_dropout()));
        model.ngram_bits = Some(model.ngram_bits());
        model.bidirectional.get_or_insert(false);
        model.pooling.get_or_insert(Pooling::Last);
        self.vocabulary.max_size = Some(self.vocabulary.max_size());
        self.vocabulary.min_count = Some(self.vocabulary.min_count());
        self.tokenizer.kind = Some(self.tokenizer.kind.unwrap_or_default());
        self.tokenizer.lowercase = Some(self.tokenizer.tokenizer().lowercase);
    }
}
