//! The small file that says what a `state_dict` does not.

use super::ImportError;
use crate::architecture::{Architecture, Cell, InputLayer, Merge, Pooling};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use tern_format::Output;
use tern_runtime::text::Tokenizer;

/// What cannot be told from names and shapes, and what can be said to have it checked.
///
/// ```toml
/// labels = ["ham", "spam"]      # the only key that must be there: in the order of the outputs
/// pooling = "last"              # what the head reads: last (h_n), mean, max, mean_max
/// output = "softmax"            # or "sigmoid": one output for two labels
/// pad = "<pad>"                 # a token, or its number
/// unk = "<unk>"
/// tokenizer = "whitespace"      # what `text.lower().split()` does; without it "words"
/// ignore = ["step"]             # tensors that the model does without
///
/// [rename]                      # whole names, or beginnings that end in a dot
/// "encoder.rnn." = "lstm."
/// "score.weight" = "fc.weight"
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// A name for people; without one that of the weights' file.
    pub name: Option<String>,
    /// The labels, in the order of the outputs.
    pub labels: Vec<String>,
    /// Which cell: shapes tell LSTM, GRU and RNN apart, but not the RNN's tanh (the default) from `rnn_relu`.
    pub cell: Option<Cell>,
    /// How the directions of the last layer are put together.
    pub merge: Option<Merge>,
    /// What of the hidden states the head reads.
    #[serde(default)]
    pub pooling: Pooling,
    /// What the outputs are.
    #[serde(default)]
    pub output: Output,
    /// How text is cut: a name of [`Tokenizer::NAMES`]. Without it what a `tokenizer.json` says, "words" where there is none.
    pub tokenizer: Option<String>,
    /// The token that fills short texts, or its number.
    pub pad: Option<Token>,
    /// The token that stands for unknown ones, or its number.
    pub unk: Option<Token>,
    /// Names of tensors to new ones: whole names, or beginnings that end in a dot.
    #[serde(default)]
    pub rename: BTreeMap<String, String>,
    /// Tensors to pass over.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// Checked against the weights where it is given, as are all below.
    pub vocab_size: Option<usize>,
    /// Width of the embedding.
    pub embedding_dim: Option<usize>,
    /// Cells of a layer, in each direction.
    pub hidden_size: Option<usize>,
    /// Recurrent layers.
    pub num_layers: Option<usize>,
    /// Whether each layer also reads from the end.
    pub bidirectional: Option<bool>,
    /// Units of a hidden layer in the head.
    pub head_hidden: Option<usize>,
}

/// A token by its text or its number.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Token {
    /// Its number.
    Id(usize),
    /// Its text.
    Text(String),
}

impl Settings {
    /// Reads a TOML file, or a JSON file where the name ends in `.json`.
    ///
    /// # Errors
    ///
    /// Where it cannot be read or is not what it should be.
    pub fn read(path: &Path) -> Result<Self, ImportError> {
        let text = std::fs::read_to_string(path).map_err(|source| ImportError::Io { path: path.to_owned(), source })?;
        let wrong = |problem: String| ImportError::Settings { path: path.to_owned(), problem };
        let is_json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
        let settings: Settings = if is_json {
            serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?
        } else {
            toml::from_str(&text).map_err(|error| wrong(error.to_string()))?
        };
        if let Some(name) = &settings.tokenizer
            && Tokenizer::from_name(name).is_none()
        {
            return Err(wrong(format!("tokenizer is {name:?}, expected one of {}", Tokenizer::NAMES)));
        }
        Ok(settings)
    }

    /// Compares what is given with what the weights are.
    pub(super) fn check_sizes(&self, path: &Path, weights: &Path, found: &Architecture) -> Result<(), ImportError> {
        let InputLayer::Embedding { embedding_dim, .. } = found.input else { return Ok(()) };
        let sizes = [
            ("embedding_dim", self.embedding_dim, embedding_dim),
            ("hidden_size", self.hidden_size, found.hidden_size),
            ("num_layers", self.num_layers, found.recurrent.layers),
            ("bidirectional", self.bidirectional.map(usize::from), usize::from(found.recurrent.bidirectional)),
            ("head_hidden", self.head_hidden, found.head.hidden),
        ];
        for (key, wanted, found) in sizes {
            if let Some(wanted) = wanted
                && wanted != found
            {
                let named = |value: usize| match (key, value) {
                    ("bidirectional", 0) => "false".to_owned(),
                    ("bidirectional", _) => "true".to_owned(),
                    _ => value.to_string(),
                };
                let problem = format!(
                    "{key} is {}, but the tensors of {} make it {}; correct it, or leave it out",
                    named(wanted),
                    weights.display(),
                    named(found)
                );
                return Err(ImportError::Settings { path: path.to_owned(), problem });
            }
        }
        Ok(())
    }
}
