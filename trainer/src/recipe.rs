//! Recipes: everything that a training depends on, in one TOML file.
//!
//! ```toml
//! [data]
//! train = "messages.csv"      # the only key that must be there; paths start at the recipe's folder
//!
//! [model]
//! hidden = 32
//! ```
//!
//! What a recipe leaves out has the default value. The recipe that a model directory keeps leaves out nothing.

mod card;
mod check;
mod export;
mod paths;
mod schema;
mod spelling;
mod task;
mod tokenizer;
mod training;

pub use crate::architecture::{Cell, Merge, Pooling};
pub use card::Card;
pub use check::RecipeError;
pub use export::Export;
pub use spelling::Fault;
pub use task::{Anchor, Forecast, InputKind, LanguageModel};
pub use tern_format::{Output, Task};
pub use tokenizer::{Tokenizer, TokenizerKind};
pub use training::{ClassWeights, OptimizerKind, Schedule, Training};

use crate::architecture::{Architecture, Head, InputLayer, Recurrent};
use crate::data::{Layout, is_hub};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// A complete recipe.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The model's name. Without one it is called after its directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the model does.
    #[serde(default)]
    pub task: Task,
    /// The examples.
    pub data: Data,
    /// What a language model learns from at a time.
    #[serde(default)]
    pub language_model: LanguageModel,
    /// What a forecast reads and says.
    #[serde(default)]
    pub forecast: Forecast,
    /// Which tokens get an id.
    #[serde(default)]
    pub vocabulary: Vocabulary,
    /// How text is cut.
    #[serde(default)]
    pub tokenizer: Tokenizer,
    /// The network.
    #[serde(default)]
    pub model: Model,
    /// How it learns.
    #[serde(default)]
    pub training: Training,
    /// How it becomes a device file.
    #[serde(default)]
    pub export: Export,
    /// What the model card says that no figure tells.
    #[serde(default, skip_serializing_if = "Card::is_empty")]
    pub card: Card,
}

/// The examples.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// What to learn from: a CSV, TSV or JSONL file, a folder of texts, or `hf:owner/name`.
    pub train: PathBuf,
    /// The same, to choose the best epoch by. Without one, part of `train` is held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<PathBuf>,
    /// What the examples are: texts, or sequences of numbers. A forecast always reads numbers.
    #[serde(default)]
    pub input: InputKind,
    /// Column by which the rows of a table of sequences belong together.
    #[serde(default = "sequence_column")]
    pub sequence_column: String,
    /// Columns of the numbers. Without any: all that hold nothing but numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Column of the texts.
    #[serde(default = "text_column")]
    pub text_column: String,
    /// Column of the labels.
    #[serde(default = "label_column")]
    pub label_column: String,
    /// The separator, one ASCII character. Without one: a tab in `.tsv` and `.tab` files, a comma elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// True if the first line of a table names its columns. Without a header, columns have their numbers as names.
    #[serde(default = "yes")]
    pub header: bool,
    /// True if quotation marks enclose fields, false if they are ordinary characters.
    #[serde(default = "yes")]
    pub quoting: bool,
    /// Share of each class to hold out where there is no `valid`.
    #[serde(default = "valid_fraction")]
    pub valid_fraction: f64,
}

fn text_column() -> String {
    "text".to_owned()
}

fn sequence_column() -> String {
    "sequence".to_owned()
}

fn label_column() -> String {
    "label".to_owned()
}

fn yes() -> bool {
    true
}

fn valid_fraction() -> f64 {
    0.1
}

impl Data {
    /// Returns the layout of the tables.
    pub fn layout(&self) -> Layout {
        let delimiter = self.delimiter.and_then(|c| u8::try_from(c).ok());
        Layout { delimiter, header: self.header, quoting: self.quoting }
    }
}

/// Which tokens get an id.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Vocabulary {
    /// The most ids there may be, PAD and UNK among them.
    pub max_size: usize,
    /// How often a token must occur in the training texts.
    pub min_count: usize,
}

impl Default for Vocabulary {
    fn default() -> Self {
        Vocabulary { max_size: 10_000, min_count: 2 }
    }
}

/// The network.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Model {
    /// The recurrent cell.
    pub cell: Cell,
    /// Width of the embedding. 0, and what a recipe with `embeddings` leaves out: that of the file's vectors.
    pub embedding: usize,
    /// Vectors that others trained: GloVe or word2vec text, or an array (`.npy`) with its words in a `.txt` beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embeddings: Option<PathBuf>,
    /// Whether the vectors of `embeddings` must stay as they are. Those of tokens that the file lacks learn.
    pub freeze_embeddings: bool,
    /// Cells of a recurrent layer, in each direction.
    pub hidden: usize,
    /// Recurrent layers on top of each other, 1 to 4.
    pub layers: usize,
    /// Whether each layer also reads from the end.
    pub bidirectional: bool,
    /// How the directions of the last layer are put together; below it they stand side by side.
    pub merge: Merge,
    /// What of the hidden states goes to the linear layer.
    pub pooling: Pooling,
    /// Units of a layer with max(0, x) before the last linear one; 0: there is no such layer.
    pub head_hidden: usize,
    /// What the outputs are: a softmax over the labels, or one sigmoid for two labels.
    pub output: Output,
    /// Probability that a value that goes to the linear layer is dropped while training.
    pub dropout: f64,
    /// Probability that a value that goes from one recurrent layer to the next is dropped while training.
    pub layer_dropout: f64,
    /// Probability that a value of an embedded token is dropped while training.
    pub embedding_dropout: f64,
    /// Probability that a token is replaced by UNK while training: teaches the model what to make of words that it does
    /// not know.
    pub word_dropout: f64,
}

impl Default for Model {
    fn default() -> Self {
        Model {
            cell: Cell::Lstm,
            embedding: 32,
            embeddings: None,
            freeze_embeddings: false,
            hidden: 64,
            layers: 1,
            bidirectional: false,
            merge: Merge::Concat,
            pooling: Pooling::Last,
            head_hidden: 0,
            output: Output::Softmax,
            dropout: 0.3,
            layer_dropout: 0.3,
            embedding_dropout: 0.3,
            word_dropout: 0.1,
        }
    }
}

impl Model {
    /// The network for so many tokens and labels.
    pub fn architecture(&self, vocab_size: usize, labels: usize) -> Architecture {
        self.reading(InputLayer::Embedding { vocab_size, embedding_dim: self.embedding }, labels)
    }

    /// The network that reads `input` and says so many things; one output for two labels where it is a sigmoid.
    pub fn reading(&self, input: InputLayer, outputs: usize) -> Architecture {
        let Model { cell, hidden: hidden_size, layers, .. } = *self;
        let (bidirectional, merge, pooling) = (self.bidirectional, self.merge, self.pooling);
        Architecture {
            input,
            hidden_size,
            recurrent: Recurrent { cell, layers, bidirectional, merge, pooling },
            head: Head { hidden: self.head_hidden, outputs: if self.output == Output::Sigmoid { 1 } else { outputs } },
        }
    }
}

impl Recipe {
    /// The default recipe of a task.
    pub fn for_task(train: &Path, task: Task) -> Self {
        let mut recipe = Recipe { task, ..Recipe::for_data(train) };
        recipe.suit(|_, _| false);
        recipe
    }

    /// The default recipe for a table of labelled texts.
    pub fn for_data(train: &Path) -> Self {
        Recipe {
            name: None,
            task: Task::default(),
            data: Data {
                train: train.to_owned(),
                valid: None,
                input: InputKind::default(),
                sequence_column: sequence_column(),
                columns: Vec::new(),
                text_column: text_column(),
                label_column: label_column(),
                delimiter: None,
                header: true,
                quoting: true,
                valid_fraction: valid_fraction(),
            },
            language_model: LanguageModel::default(),
            forecast: Forecast::default(),
            vocabulary: Vocabulary::default(),
            tokenizer: Tokenizer::default(),
            model: Model::default(),
            training: Training::default(),
            export: Export::default(),
            card: Card::default(),
        }
    }

    /// Reads a recipe. Its paths are changed to start where `path` starts.
    ///
    /// # Errors
    ///
    /// See [`RecipeError`]. The values are not yet checked: see [`check`](Self::check).
    pub fn read(path: &Path) -> Result<Self, RecipeError> {
        let text = std::fs::read_to_string(path).map_err(|source| RecipeError::Io { path: path.to_owned(), source })?;
        let not_toml = |source| RecipeError::Toml { path: path.to_owned(), source: Box::new(source) };
        let document = DeTable::parse(&text).map_err(not_toml)?;
        let faults = spelling::faults(&text, document.get_ref());
        if !faults.is_empty() {
            return Err(RecipeError::Keys { path: path.to_owned(), faults });
        }
        let mut recipe: Recipe = toml::from_str(&text).map_err(not_toml)?;
        let document = document.get_ref();
        recipe.suit(|section, key| {
            document
                .get(section)
                .and_then(|section| section.get_ref().as_table())
                .is_some_and(|keys| keys.contains_key(key))
        });
        let model = document.get("model").and_then(|model| model.get_ref().as_table());
        if recipe.model.embeddings.is_some() && model.is_some_and(|model| model.get("embedding").is_none()) {
            recipe.model.embedding = 0;
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let from_here = |path: &Path| if is_hub(path) { path.to_owned() } else { folder.join(path) };
        recipe.data.train = from_here(&recipe.data.train);
        recipe.data.valid = recipe.data.valid.map(|valid| from_here(&valid));
        recipe.model.embeddings = recipe.model.embeddings.map(|path| folder.join(path));
        Ok(recipe)
    }

    /// The text of a recipe file that stands in `folder`: paths start there.
    pub fn to_toml(&self, folder: &Path) -> String {
        let mut recipe = self.clone();
        let from_there = |path: &Path| if is_hub(path) { path.to_owned() } else { paths::relative(path, folder) };
        recipe.data.train = from_there(&recipe.data.train);
        recipe.data.valid = recipe.data.valid.map(|valid| from_there(&valid));
        recipe.model.embeddings = recipe.model.embeddings.map(|path| paths::relative(&path, folder));
        recipe.tokenizer.lowercase = Some(self.tokenizer.tokenizer().lowercase);
        toml::to_string(&recipe).expect("tables of strings and numbers are always TOML")
    }

    /// The number of texts in a batch for this many examples, with the default resolved.
    pub fn batch_size(&self, examples: usize) -> usize {
        match (self.training.batch_size, self.task) {
            (0, Task::LanguageModel) => (examples / 1000).clamp(4, 32),
            (0, _) => (examples / 50).clamp(4, 32),
            (texts, _) => texts,
        }
    }

    /// Puts in the defaults that depend on other keys.
    pub fn resolve(&mut self) {
        self.training.learning_rate = self.learning_rate();
        self.tokenizer.lowercase = Some(self.tokenizer.tokenizer().lowercase);
    }

    /// The highest learning rate, with the default resolved.
    pub fn learning_rate(&self) -> f64 {
        match (self.training.learning_rate, self.training.optimizer) {
            (0.0, OptimizerKind::Adamw) if self.task == Task::LanguageModel => 5e-3,
            (0.0, OptimizerKind::Adamw) => 3e-3,
            (0.0, OptimizerKind::Sgd) => 0.1,
            (rate, _) => rate,
        }
    }

    /// The number of threads, with the default resolved.
    pub fn threads(&self) -> usize {
        match self.training.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from).min(4),
            threads => threads,
        }
    }
}

#[cfg(test)]
mod tests;
