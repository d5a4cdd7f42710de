//! The [`Recipe`] as one struct, with methods that return a setting or, where the recipe leaves it open, its default.
//!
//! The defaults here are those of texts that are not long ([`LONG_TEXT`](super::LONG_TEXT)). Before they are used,
//! [`Recipe::resolve_text_settings`] fills in the settings that depend on the training texts.

use super::choices::{Bits, ClassWeights, Metric, OptimizerKind, StoredTokens, Widths};
use super::sections::{Card, Data, Export, Forecast, LanguageModel, Model, Sequences, Tokenizer, Training, Vocabulary};
use crate::architecture::{Architecture, CellBias, Head, InputLayer, NgramTable, Recurrent};
use crate::data::{Layout, Windows};
use serde::{Deserialize, Serialize};
use tern_format::{Ngrams, Output, Pooling, Task, TokenizerKind};
use tern_runtime::text;

/// The number of training rows below which a data set counts as small: rare tokens get an id, and cross-validation
/// replaces the validation split of a classifier.
pub const SMALL_DATA: usize = 300;

/// The default number of epochs, unless the task or a large number of words asks for fewer.
pub(super) const EPOCHS: usize = 20;

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

    /// Returns the n-grams that the n-gram branch counts, with the defaults for a tokenizer filled in.
    pub fn ngrams(&self, tokenizer: text::Tokenizer) -> Ngrams {
        // The defaults: the longest n-grams of words, then the shortest and the longest n-grams of characters. For the
        // tokenizers `chars` and `bytes`, a whole text is one word.
        let (words, shortest, longest) = if tokenizer.is_one_word() { (0, 1, 4) } else { (2, 3, 5) };
        let (min_chars, max_chars) = match (self.ngram_min_chars, self.ngram_max_chars) {
            (None, None) => (shortest, longest),
            // 0 leaves out the n-grams of characters.
            (Some(0), None) | (None, Some(0)) => (0, 0),
            (Some(least), None) => (least, longest.max(least)),
            (None, Some(most)) => (shortest.min(most), most),
            (Some(least), Some(most)) => (least, most),
        };
        Ngrams { words: self.ngram_words.unwrap_or(words), min_chars, max_chars }
    }
}

impl Vocabulary {
    /// Returns the number of occurrences that a token needs to get an id, with the default for data that are not small
    /// ([`SMALL_DATA`]) filled in.
    pub fn min_count(&self) -> usize {
        self.min_count.unwrap_or(2)
    }

    /// Returns the maximum number of ids, with the default for texts that are not long filled in.
    pub fn max_size(&self) -> usize {
        self.max_size.unwrap_or(10_000)
    }
}

impl Data {
    /// Returns the layout of the tables.
    pub fn layout(&self) -> Layout {
        // A recipe is read only with an ASCII character, which is one byte.
        let delimiter = self.delimiter.and_then(|c| u8::try_from(c).ok());
        Layout { delimiter, header: self.header, quoting: self.quoting }
    }
}

impl Tokenizer {
    /// Returns the runtime's tokenizer, with the defaults filled in.
    pub fn tokenizer(&self) -> text::Tokenizer {
        let kind = self.kind.unwrap_or_default();
        let lowercase_by_default = !matches!(kind, TokenizerKind::Chars | TokenizerKind::Bytes);
        // Bytes have no case, whatever the recipe says.
        let lowercase = self.lowercase.unwrap_or(lowercase_by_default) && kind != TokenizerKind::Bytes;
        text::Tokenizer { kind, lowercase }
    }
}

impl Export {
    /// Returns the bits of the embedding's and the recurrent layers' weights.
    pub fn widths(&self) -> Widths {
        let bits = |count| Bits::of(count).unwrap_or_default();
        Widths { embedding: bits(self.embedding_bits), recurrent: bits(self.recurrent_bits) }
    }

    /// Returns the form in which the device file stores the tokens.
    pub fn stored_tokens(&self) -> StoredTokens {
        if self.token_fingerprints { StoredTokens::Fingerprints } else { StoredTokens::Texts }
    }
}

impl Card {
    /// Returns true if no key is set.
    pub fn is_empty(&self) -> bool {
        *self == Card::default()
    }
}

impl Recipe {
    /// Returns the batch size for this many training examples. In the recipe, 0 stands for the default.
    pub fn batch_size(&self, examples: usize) -> usize {
        match (self.training.batch_size, self.task) {
            (0, Task::LanguageModel) => (examples / 1000).clamp(4, 32),
            (0, _) => (examples / 50).clamp(4, 32),
            (size, _) => size,
        }
    }

    /// Returns the highest learning rate. In the recipe, 0 stands for the default.
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

    /// Returns the number of threads. In the recipe, 0 stands for one per core, and at most one per shard of a batch.
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
    /// no cross-validation, as always with validation data. In the recipe, 0 stands for the default.
    pub fn folds(&self, rows: usize) -> usize {
        if self.data.valid.is_some() {
            return 1;
        }
        match self.data.folds {
            0 if rows < SMALL_DATA => 5,
            0 => 1,
            folds => folds,
        }
    }

    /// Fills in the settings that are still open after [`resolve_text_settings`](Self::resolve_text_settings), so that
    /// the saved recipe contains the values that were used.
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
