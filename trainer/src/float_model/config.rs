//! `config.json`.

use crate::architecture::{Architecture, Cell, MAX_LAYERS, Merge, Pooling, Recurrent};
use crate::data::quoted;
use crate::weights::Sizes;
use serde::{Deserialize, Serialize};

/// What a model is. The keys of `config.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Always "tern".
    pub model_type: String,
    /// A name for people.
    pub name: String,
    /// What it does: "classify".
    pub task: String,
    /// How text is cut: "words".
    pub tokenizer: String,
    /// The recurrent cell: "lstm", "gru", "rnn" or "rnn_relu".
    pub cell: Cell,
    /// Number of tokens, PAD and UNK among them.
    pub vocab_size: usize,
    /// Width of the embedding.
    pub embedding_dim: usize,
    /// Cells of a layer, in each direction.
    pub hidden_size: usize,
    /// Recurrent layers: 1 to 4.
    pub num_layers: usize,
    /// Whether each layer also reads from the end.
    pub bidirectional: bool,
    /// How the directions of the last layer are put together: "concat", "sum", "mean" or "product".
    #[serde(default)]
    pub merge: Merge,
    /// What of the hidden states goes to the linear layer: "last", "mean", "max" or "mean_max".
    pub pooling: Pooling,
    /// The labels, in the order of the logits.
    pub labels: Vec<String>,
}

/// Why a `config.json` is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not the JSON object that it should be.
    #[error("{0}; expected a config.json as `tern train` writes it")]
    Json(#[from] serde_json::Error),
    /// A value that this version does not support.
    #[error("`{key}` is {found}, this version supports {expected}")]
    Unsupported {
        /// The key.
        key: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A size that no model has.
    #[error("`{key}` is {found}, expected {least} to {most}")]
    Size {
        /// The key.
        key: &'static str,
        /// Its value.
        found: usize,
        /// The least it may be.
        least: usize,
        /// The most it may be.
        most: usize,
    },
    /// Two labels of the same name, or one without a name.
    #[error("`labels` are {}, expected names that differ", quoted(.0))]
    Labels(Vec<String>),
}

impl Config {
    /// The configuration of a classifier of words.
    pub fn new(name: &str, architecture: &Architecture, labels: Vec<String>) -> Self {
        let Architecture { sizes, recurrent } = architecture;
        Config {
            model_type: "tern".to_owned(),
            name: name.to_owned(),
            task: "classify".to_owned(),
            tokenizer: "words".to_owned(),
            cell: recurrent.cell,
            vocab_size: sizes.vocab_size,
            embedding_dim: sizes.embedding_dim,
            hidden_size: sizes.hidden_size,
            num_layers: recurrent.layers,
            bidirectional: recurrent.bidirectional,
            merge: recurrent.merge,
            pooling: recurrent.pooling,
            labels,
        }
    }

    /// Reads and checks a configuration.
    ///
    /// # Errors
    ///
    /// See [`ConfigError`].
    pub fn from_json(json: &str) -> Result<Self, ConfigError> {
        let config: Config = serde_json::from_str(json)?;
        for (key, found, expected) in [
            ("model_type", &config.model_type, "tern"),
            ("task", &config.task, "classify"),
            ("tokenizer", &config.tokenizer, "words"),
        ] {
            if found != expected {
                return Err(ConfigError::Unsupported { key, found: format!("{found:?}"), expected });
            }
        }
        if config.merge != Merge::Concat && !config.bidirectional {
            let found = format!("{:?}", config.merge.name());
            return Err(ConfigError::Unsupported { key: "merge", found, expected: "concat for one direction" });
        }
        for (key, found, least, most) in [
            ("vocab_size", config.vocab_size, 2, 1 << 24),
            ("embedding_dim", config.embedding_dim, 1, 1 << 14),
            ("hidden_size", config.hidden_size, 1, 1 << 14),
            ("num_layers", config.num_layers, 1, MAX_LAYERS),
            ("labels", config.labels.len(), 2, 1 << 16),
        ] {
            if !(least..=most).contains(&found) {
                return Err(ConfigError::Size { key, found, least, most });
            }
        }
        let mut distinct = config.labels.clone();
        distinct.sort();
        distinct.dedup();
        if distinct.len() != config.labels.len() || distinct[0].is_empty() {
            return Err(ConfigError::Labels(config.labels));
        }
        Ok(config)
    }

    /// The text of `config.json`.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("strings and numbers are always JSON");
        json.push('\n');
        json
    }

    /// The network by which the weights are checked.
    pub fn architecture(&self) -> Architecture {
        let sizes = Sizes {
            vocab_size: self.vocab_size,
            embedding_dim: self.embedding_dim,
            hidden_size: self.hidden_size,
            labels: self.labels.len(),
        };
        Architecture { sizes, recurrent: self.recurrent() }
    }

    /// What stands between embedding and linear layer.
    pub fn recurrent(&self) -> Recurrent {
        let Config { cell, num_layers: layers, bidirectional, merge, pooling, .. } = *self;
        Recurrent { cell, layers, bidirectional, merge, pooling }
    }
}
