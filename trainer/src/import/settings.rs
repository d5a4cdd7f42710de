//! The settings file of an import: the properties of a network that its `state_dict` does not determine.

use crate::architecture::{Architecture, Cell, InputLayer, Merge, Pooling};
use crate::data::normalise::Channel;
use crate::file_error::FileError;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use tern_format::Output;
use tern_runtime::text::Tokenizer;

/// The settings of an import. Sizes are optional; if given, they are checked against the weights.
///
/// ```toml
/// labels = ["ham", "spam"]      # required, in the order of the outputs
/// pooling = "last"              # input of the head: last (h_n), mean, max, mean_max
/// output = "softmax"            # or "sigmoid": one output for two labels
/// pad = "<pad>"                 # a token, or its row in the embedding
/// unk = "<unk>"                 # may be the same as `pad`
/// tokenizer = "whitespace"      # as `text.lower().split()`; default: "words"
/// ignore = ["step"]             # tensors that the model does not use
///
/// [rename]                      # whole names, or prefixes that end in a dot
/// "encoder.rnn." = "lstm."
/// "score.weight" = "fc.weight"
///
/// [[channels]]                  # for a network that reads numbers: its inputs, in order, in place of a vocabulary
/// name = "left"
/// mean = 12.5                   # the network reads (number - mean) / std; default: 0 and 1, the number itself
/// std = 4.0
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Name of the model; default: the name of the weights file.
    pub name: Option<String>,
    /// The labels, in the order of the outputs.
    pub labels: Vec<String>,
    /// The cell; default: the one that fits the shapes of the weights. These distinguish LSTM, GRU and RNN, but not an
    /// RNN with tanh (the default) from `rnn_relu`.
    pub cell: Option<Cell>,
    /// The combination of the two directions of the last layer; default: `concat`.
    pub merge: Option<Merge>,
    /// The hidden states that the head reads.
    #[serde(default)]
    pub pooling: Pooling,
    /// The meaning of the outputs.
    #[serde(default)]
    pub output: Output,
    /// The tokenizer, one of [`Tokenizer::NAMES`]; default: that of the `tokenizer.json`, else "words".
    pub tokenizer: Option<String>,
    /// The padding token, or its row in the embedding; default: the first token with a usual name, such as `<pad>`.
    pub pad: Option<Token>,
    /// The unknown token, or its row in the embedding; default: that of the `tokenizer.json`, else the first token with
    /// a usual name, such as `<unk>`.
    pub unk: Option<Token>,
    /// New names of tensors, by whole names or by prefixes that end in a dot.
    #[serde(default)]
    pub rename: BTreeMap<String, String>,
    /// Tensors that are not imported.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// The columns of numbers that the network reads, in the order of its inputs. Empty for one that reads tokens.
    #[serde(default)]
    pub channels: Vec<ImportedChannel>,
    /// Rows of the embedding.
    pub vocab_size: Option<usize>,
    /// Columns of the embedding.
    pub embedding_dim: Option<usize>,
    /// Hidden units of a layer, in each direction.
    pub hidden_size: Option<usize>,
    /// Number of stacked recurrent layers.
    pub num_layers: Option<usize>,
    /// True if each layer also reads the sequence in reverse.
    pub bidirectional: Option<bool>,
    /// Units of the head's hidden layer.
    pub head_hidden: Option<usize>,
}

/// A column of numbers that the network reads as (number - mean) / std.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportedChannel {
    /// The name of the column.
    pub name: String,
    /// The mean; default: 0.
    #[serde(default)]
    pub mean: f64,
    /// The standard deviation; default: 1.
    #[serde(default = "one")]
    pub std: f64,
}

fn one() -> f64 {
    1.0
}

impl From<&ImportedChannel> for Channel {
    fn from(ImportedChannel { name, mean, std }: &ImportedChannel) -> Self {
        Channel { name: name.clone(), mean: *mean, std: *std }
    }
}

/// A token, by its text or its row in the embedding.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Token {
    /// The row.
    Id(usize),
    /// The text.
    Text(String),
}

impl Settings {
    /// Reads a TOML file, or a JSON file if the name ends in `.json`. Fails if the file cannot be read, has unknown
    /// keys or values, or lacks `labels`.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let text = std::fs::read_to_string(path).map_err(FileError::at(path))?;
        let is_json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
        let settings: Settings = if is_json {
            serde_json::from_str(&text).map_err(FileError::at(path))?
        } else {
            toml::from_str(&text).map_err(FileError::at(path))?
        };
        if let Some(name) = &settings.tokenizer
            && Tokenizer::from_name(name).is_none()
        {
            let problem = format!("tokenizer is {name:?}, expected one of {}", Tokenizer::NAMES);
            return Err(FileError::new(path, problem));
        }
        let Settings { tokenizer, pad, unk, vocab_size, embedding_dim, .. } = &settings;
        let keys_of_tokens = [
            ("tokenizer", tokenizer.is_some()),
            ("pad", pad.is_some()),
            ("unk", unk.is_some()),
            ("vocab_size", vocab_size.is_some()),
            ("embedding_dim", embedding_dim.is_some()),
        ];
        let given_key = keys_of_tokens.iter().find(|(_, is_given)| *is_given);
        if let Some((key, _)) = given_key
            && !settings.channels.is_empty()
        {
            let problem = format!("`{key}` is for networks that read tokens; remove it, or remove [[channels]]");
            return Err(FileError::new(path, problem));
        }
        Ok(settings)
    }

    /// Checks that the sizes in the settings are those of the network `found` in the weights, except `vocab_size`,
    /// which `tokens::read` checks. `path`, `weights`: the two files, for the error.
    pub(super) fn check_sizes(&self, path: &Path, weights: &Path, found: &Architecture) -> Result<(), FileError> {
        let embedding_dim = match found.input {
            InputLayer::Embedding { embedding_dim, .. } => embedding_dim,
            InputLayer::Values { .. } => 0,
        };
        // The value in the settings, `None` if it is not given, and the value found in the weights, both as texts.
        let size = |wanted: Option<usize>, found: usize| (wanted.map(|size| size.to_string()), found.to_string());
        let bidirectional = self.bidirectional.map(|value| value.to_string());
        let sizes = [
            ("embedding_dim", size(self.embedding_dim, embedding_dim)),
            ("hidden_size", size(self.hidden_size, found.hidden_size)),
            ("num_layers", size(self.num_layers, found.recurrent.num_layers)),
            ("bidirectional", (bidirectional, found.recurrent.bidirectional.to_string())),
            ("head_hidden", size(self.head_hidden, found.head.hidden)),
        ];
        for (key, (wanted, found)) in sizes {
            if let Some(wanted) = wanted
                && wanted != found
            {
                let weights = weights.display();
                let problem = format!(
                    "{key} is {wanted}, but it is {found} by the tensors of {weights}; correct it, or remove it"
                );
                return Err(FileError::new(path, problem));
            }
        }
        Ok(())
    }
}
