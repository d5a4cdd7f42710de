//! The recipe as one struct, and the settings that follow from its keys.

use super::choices::{Bits, ClassWeights, Metric, OptimizerKind, Widths};
use super::sections::{Card, Data, Export, Forecast, LanguageModel, Model, Tokenizer, Training, Vocabulary};
use crate::architecture::{Architecture, CellBias, Head, InputLayer, NgramTable, Recurrent};
use crate::data::Layout;
use crate::vocabulary::suggested_tokenizer;
use serde::{Deserialize, Serialize};
use tern_format::{Ngrams, Output, Task, TokenizerKind};
use tern_runtime::text;

/// The number of training rows below which a data set counts as small: rare tokens get an id, and cross-validation
/// replaces the validation split of a classifier.
pub const SMALL_DATA: usize = 300;

/// A complete recipe.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// Name of the model. Without one, the model is named after its directory.
    pub name: Option<String>,
    /// Task of the model.
    pub task: Task,
    /// Training and validation data.
    pub data: Data,
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
    /// Returns the network for a text model with `vocab_size` tokens.
    pub fn architecture(&self, vocab_size: usize, outputs: usize) -> Architecture {
        self.architecture_for(InputLayer::Embedding { vocab_size, embedding_dim: self.embedding_dim }, outputs)
    }

    /// Returns the network that reads `input` and has `outputs` outputs; with a sigmoid, one output for two labels.
    pub fn architecture_for(&self, input: InputLayer, outputs: usize) -> Architecture {
        let Model { cell, hidden_size, num_layers, bidirectional, merge, pooling, .. } = *self;
        let bias = CellBias::from_count(self.recurrent_biases).unwrap_or_default();
        Architecture {
            input,
            hidden_size,
            recurrent: Recurrent { cell, num_layers, bidirectional, bias, merge, pooling },
            ngrams: self.ngram_table(),
            head: Head { hidden: self.head_hidden, outputs: if self.output == Output::Sigmoid { 1 } else { outputs } },
        }
    }
}

impl Model {
    /// Returns the table of the n-gram branch, if the recipe has one.
    pub fn ngram_table(&self) -> Option<NgramTable> {
        let Model { ngram_buckets: buckets, ngram_rank: rank, ngram_bits: bits, .. } = *self;
        (buckets > 0).then_some(NgramTable { buckets, rank, bits })
    }

    /// Returns the n-grams that the n-gram branch counts, with the defaults for a tokenizer filled in.
    pub fn ngrams(&self, tokenizer: text::Tokenizer) -> Ngrams {
        let (words, shortest, longest) = if tokenizer.is_one_word() { (0, 1, 5) } else { (2, 3, 5) };
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
    /// Returns the number of occurrences that a token needs, with the default filled in.
    pub fn min_count(&self) -> usize {
        self.min_count.unwrap_or(2)
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

    /// Returns the number of threads, with the default filled in.
    pub fn threads(&self) -> usize {
        match self.training.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from).min(4),
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

    /// Fills in the text settings that are left to the training data: the tokenizer by the script of `texts`, the
    /// n-grams by the tokenizer, and the minimum count by the number of texts. A language model's data is one text and
    /// always counts as large.
    pub fn resolve_text_settings<'a>(&mut self, texts: impl ExactSizeIterator<Item = &'a str>) {
        let is_small = self.task == Task::Classify && texts.len() < SMALL_DATA;
        self.vocabulary.min_count.get_or_insert(if is_small { 1 } else { 2 });
        self.tokenizer.kind.get_or_insert_with(|| suggested_tokenizer(texts));
        self.tokenizer.lowercase = Some(self.tokenizer.tokenizer().lowercase);
        if self.model.ngram_buckets > 0 {
            let Ngrams { words, min_chars, max_chars } = self.model.ngrams(self.tokenizer.tokenizer());
            let model = &mut self.model;
            (model.ngram_words, model.ngram_min_chars, model.ngram_max_chars) =
                (Some(words), Some(min_chars), Some(max_chars));
        }
    }

    /// Returns the number of folds of the cross-validation for this many training rows; 1 for none.
    pub fn folds(&self, rows: usize) -> usize {
        match self.data.folds {
            _ if self.data.valid.is_some() => 1,
            0 if rows < SMALL_DATA => 5,
            0 => 1,
            folds => folds,
        }
    }

    /// Fills in the defaults that depend on other keys, so that the saved recipe holds every value.
    pub fn resolve(&mut self) {
        self.training.learning_rate = self.learning_rate();
        self.training.metric = Some(self.metric());
        self.vocabulary.min_count = Some(self.vocabulary.min_count());
        self.tokenizer.kind = Some(self.tokenizer.kind.unwrap_or_default());
        self.tokenizer.lowercase = Some(self.tokenizer.tokenizer().lowercase);
    }
}
