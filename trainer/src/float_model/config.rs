//! `config.json`.

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
    /// The recurrent cell: "lstm".
    pub cell: String,
    /// Number of tokens, PAD and UNK among them.
    pub vocab_size: usize,
    /// Width of the embedding.
    pub embedding_dim: usize,
    /// Cells of a layer.
    pub hidden_size: usize,
    /// Recurrent layers: 1.
    pub num_layers: usize,
    /// Whether there is a layer that reads from the end: false.
    pub bidirectional: bool,
    /// What of the hidden states goes to the linear layer: "last".
    pub pooling: String,
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
    /// The configuration of a one-layer LSTM classifier of words.
    pub fn lstm(name: &str, sizes: Sizes, labels: Vec<String>) -> Self {
        Config {
            model_type: "tern".to_owned(),
            name: name.to_owned(),
            task: "classify".to_owned(),
            tokenizer: "words".to_owned(),
            cell: "lstm".to_owned(),
            vocab_size: sizes.vocab_size,
            embedding_dim: sizes.embedding_dim,
            hidden_size: sizes.hidden_size,
            num_layers: 1,
            bidirectional: false,
            pooling: "last".to_owned(),
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
            ("cell", &config.cell, "lstm"),
            ("pooling", &config.pooling, "last"),
        ] {
            if found != expected {
                return Err(ConfigError::Unsupported { key, found: format!("{found:?}"), expected });
            }
        }
        if config.num_layers != 1 {
            let found = config.num_layers.to_string();
            return Err(ConfigError::Unsupported { key: "num_layers", found, expected: "1" });
        }
        if config.bidirectional {
            let found = "true".to_owned();
            return Err(ConfigError::Unsupported { key: "bidirectional", found, expected: "false" });
        }
        for (key, found, least, most) in [
            ("vocab_size", config.vocab_size, 2, 1 << 24),
            ("embedding_dim", config.embedding_dim, 1, 1 << 14),
            ("hidden_size", config.hidden_size, 1, 1 << 14),
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

    /// The sizes by which the weights are checked.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            vocab_size: self.vocab_size,
            embedding_dim: self.embedding_dim,
            hidden_size: self.hidden_size,
            labels: self.labels.len(),
        }
    }
}
