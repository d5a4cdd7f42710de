//! `config.json`.

use crate::architecture::{Architecture, Cell, Head, InputLayer, MAX_LAYERS, Merge, Pooling, Recurrent};
use crate::data::normalise::Channel;
use crate::data::quoted;
use crate::recipe::Anchor;
use crate::task::{Input, Output, Task};
use serde::{Deserialize, Serialize};
use tern_runtime::text::Tokenizer;

/// What a model is. The keys of `config.json`.
///
/// Which of them there are depends on `task` and `input`: a model that reads tokens has `tokenizer`, `vocab_size` and
/// `embedding_dim`, one that reads values has `channels`; a classifier has `labels`, a forecast has `forecast`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Always "tern".
    pub model_type: String,
    /// A name for people.
    pub name: String,
    /// What it does: "classify", "language-model" or "forecast".
    pub task: Task,
    /// What it reads at each step: "tokens" or "values".
    #[serde(default)]
    pub input: Input,
    /// How text is cut, by the names of `tern_runtime::text::Tokenizer`: "words", "chars_cased", … Empty where it reads values.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tokenizer: String,
    /// Number of tokens, PAD and UNK among them. 0 where it reads values.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub vocab_size: usize,
    /// Width of the embedding. 0 where it reads values.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub embedding_dim: usize,
    /// The numbers of a step, in their order. Empty where it reads tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Channel>,
    /// The recurrent cell: "lstm", "gru", "rnn" or "rnn_relu".
    pub cell: Cell,
    /// Cells of a layer, in each direction.
    pub hidden_size: usize,
    /// Recurrent layers: 1 to 4.
    pub num_layers: usize,
    /// Whether each layer also reads from the end.
    pub bidirectional: bool,
    /// How the directions of the last layer are put together: "concat", "sum", "mean" or "product".
    #[serde(default)]
    pub merge: Merge,
    /// What of the hidden states goes to the head: "last", "mean", "max" or "mean_max".
    pub pooling: Pooling,
    /// Units of the layer `hidden`, max(0, W·x + b), before the layer `fc`. 0: there is no such layer.
    #[serde(default)]
    pub head_hidden: usize,
    /// What the outputs of `fc` are: "softmax" (a logit for each label or token), "sigmoid" (one logit, of the second of
    /// two labels) or "linear" (normalised numbers).
    #[serde(default)]
    pub output: Output,
    /// The labels, in the order of the logits. Empty of other tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// What a forecast reads and says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
}

/// What a forecast reads and says.
///
/// The outputs are in the targets' standard deviations, counted from `anchor`: y = last + std · output with the last
/// number of the window, or y = mean + std · output. They stand in the order `[horizon][targets]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forecast {
    /// Steps that it reads.
    pub window: usize,
    /// Steps that it says, from the one after the window.
    pub horizon: usize,
    /// The channels that it says, by name.
    pub targets: Vec<String>,
    /// What the outputs are counted from: "last" or "mean".
    pub anchor: Anchor,
    /// Steps of a season, by which the seasonal baseline is made. 0: none.
    #[serde(default)]
    pub season: usize,
}

fn is_zero(value: &usize) -> bool {
    *value == 0
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
    /// A key that such a model has no use for, or lacks.
    #[error("`{key}` {} where `{of}` is {value:?}", if *there { "is there, expected it to be left out" } else { "is missing, expected it" })]
    Key {
        /// The key.
        key: &'static str,
        /// Whether it is there.
        there: bool,
        /// The key that decides.
        of: &'static str,
        /// Its value.
        value: &'static str,
    },
    /// A channel that cannot be normalised.
    #[error("channel {name:?} has mean {mean} and std {std}, expected finite numbers and a std above 0")]
    Channel {
        /// Its name.
        name: String,
        /// Its mean.
        mean: f64,
        /// Its standard deviation.
        std: f64,
    },
    /// A target that is no channel.
    #[error("target {target:?} is no channel; the channels are {}", quoted(.channels))]
    Target {
        /// The target.
        target: String,
        /// The channels.
        channels: Vec<String>,
    },
    /// Two labels of the same name, or one without a name.
    #[error("`labels` are {}, expected names that differ", quoted(.0))]
    Labels(Vec<String>),
}

impl Config {
    /// The configuration of a classifier of words. One output for two labels or more is a sigmoid.
    pub fn classifier(name: &str, architecture: &Architecture, labels: Vec<String>) -> Self {
        let mut config = Config::of(name, Task::Classify, architecture);
        config.output = if architecture.head.outputs == 1 { Output::Sigmoid } else { Output::Softmax };
        config.labels = labels;
        config
    }

    /// The configuration of a network, without what belongs to its task: labels, channels, forecast.
    pub fn of(name: &str, task: Task, architecture: &Architecture) -> Self {
        let Architecture { input, hidden_size, recurrent, head } = *architecture;
        let (input, tokenizer, vocab_size, embedding_dim) = match input {
            InputLayer::Embedding { vocab_size, embedding_dim } => (Input::Tokens, "words", vocab_size, embedding_dim),
            InputLayer::Values { .. } => (Input::Values, "", 0, 0),
        };
        Config {
            model_type: "tern".to_owned(),
            name: name.to_owned(),
            task,
            input,
            tokenizer: tokenizer.to_owned(),
            vocab_size,
            embedding_dim,
            channels: Vec::new(),
            cell: recurrent.cell,
            hidden_size,
            num_layers: recurrent.layers,
            bidirectional: recurrent.bidirectional,
            merge: recurrent.merge,
            pooling: recurrent.pooling,
            head_hidden: head.hidden,
            output: if task == Task::Forecast { Output::Linear } else { Output::Softmax },
            labels: Vec::new(),
            forecast: None,
        }
    }

    /// The names of the channels, in their order.
    pub fn channel_names(&self) -> Vec<String> {
        self.channels.iter().map(|channel| channel.name.clone()).collect()
    }

    /// How text is cut; words where no text is.
    pub fn tokenizer(&self) -> Tokenizer {
        Tokenizer::from_name(&self.tokenizer).unwrap_or(Tokenizer::WORDS)
    }

    /// Reads and checks a configuration.
    ///
    /// # Errors
    ///
    /// See [`ConfigError`].
    pub fn from_json(json: &str) -> Result<Self, ConfigError> {
        let config: Config = serde_json::from_str(json)?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.model_type != "tern" {
            let found = format!("{:?}", self.model_type);
            return Err(ConfigError::Unsupported { key: "model_type", found, expected: "tern" });
        }
        self.check_network()?;
        self.check_input()?;
        self.check_output()
    }

    fn check_network(&self) -> Result<(), ConfigError> {
        if self.merge != Merge::Concat && !self.bidirectional {
            let found = format!("{:?}", self.merge.name());
            return Err(ConfigError::Unsupported { key: "merge", found, expected: "concat for one direction" });
        }
        if self.task == Task::LanguageModel && (self.bidirectional || self.pooling != Pooling::Last) {
            let (key, found) = match self.bidirectional {
                true => ("bidirectional", "true".to_owned()),
                false => ("pooling", format!("{:?}", self.pooling.name())),
            };
            return Err(ConfigError::Unsupported { key, found, expected: "one direction and the last state" });
        }
        size("hidden_size", self.hidden_size, 1, 1 << 14)?;
        size("num_layers", self.num_layers, 1, MAX_LAYERS)?;
        size("head_hidden", self.head_hidden, 0, 1 << 14)
    }

    fn check_input(&self) -> Result<(), ConfigError> {
        let key = |key, there: bool, expected: bool| match there == expected {
            true => Ok(()),
            false => Err(ConfigError::Key { key, there, of: "input", value: self.input.name() }),
        };
        let tokens = self.input == Input::Tokens;
        key("tokenizer", !self.tokenizer.is_empty(), tokens)?;
        key("channels", !self.channels.is_empty(), !tokens)?;
        if tokens {
            if Tokenizer::from_name(&self.tokenizer).is_none() {
                let found = format!("{:?}", self.tokenizer);
                return Err(ConfigError::Unsupported { key: "tokenizer", found, expected: Tokenizer::NAMES });
            }
            size("vocab_size", self.vocab_size, 2, 1 << 24)?;
            return size("embedding_dim", self.embedding_dim, 1, 1 << 14);
        }
        key("vocab_size", self.vocab_size > 0, false)?;
        key("embedding_dim", self.embedding_dim > 0, false)?;
        size("channels", self.channels.len(), 1, 1 << 12)?;
        for Channel { name, mean, std } in &self.channels {
            if !mean.is_finite() || !std.is_finite() || *std <= 0.0 {
                return Err(ConfigError::Channel { name: name.clone(), mean: *mean, std: *std });
            }
        }
        Ok(())
    }

    fn check_output(&self) -> Result<(), ConfigError> {
        let key = |key, there: bool, expected: bool| match there == expected {
            true => Ok(()),
            false => Err(ConfigError::Key { key, there, of: "task", value: self.task.name() }),
        };
        key("forecast", self.forecast.is_some(), self.task == Task::Forecast)?;
        let unsupported =
            |key, found: &str, expected| Err(ConfigError::Unsupported { key, found: format!("{found:?}"), expected });
        match self.task {
            Task::Classify => {
                size("labels", self.labels.len(), 2, 1 << 16)?;
                if self.output == Output::Sigmoid && self.labels.len() != 2 {
                    return unsupported("output", "sigmoid", "softmax where there are more than two labels");
                }
                if self.output == Output::Linear {
                    return unsupported("output", "linear", "softmax or sigmoid where it gives labels");
                }
                let mut distinct = self.labels.clone();
                distinct.sort();
                distinct.dedup();
                if distinct.len() != self.labels.len() || distinct[0].is_empty() {
                    return Err(ConfigError::Labels(self.labels.clone()));
                }
            }
            Task::LanguageModel => {
                key("labels", !self.labels.is_empty(), false)?;
                if self.output != Output::Softmax {
                    return unsupported("output", self.output.name(), "softmax where it gives the next token");
                }
                if self.input != Input::Tokens {
                    return unsupported("input", self.input.name(), "tokens where it gives the next token");
                }
            }
            Task::Forecast => {
                key("labels", !self.labels.is_empty(), false)?;
                if self.output != Output::Linear {
                    return unsupported("output", self.output.name(), "linear where it gives numbers");
                }
                if self.input != Input::Values {
                    return unsupported("input", self.input.name(), "values where it gives numbers");
                }
            }
        }
        let Some(forecast) = &self.forecast else { return Ok(()) };
        size("forecast.window", forecast.window, 1, 1 << 16)?;
        size("forecast.horizon", forecast.horizon, 1, 1 << 12)?;
        size("forecast.season", forecast.season, 0, 1 << 24)?;
        size("forecast.targets", forecast.targets.len(), 1, self.channels.len())?;
        let channels: Vec<String> = self.channels.iter().map(|channel| channel.name.clone()).collect();
        match forecast.targets.iter().find(|target| !channels.contains(target)) {
            Some(target) => Err(ConfigError::Target { target: target.clone(), channels }),
            None => Ok(()),
        }
    }

    /// The text of `config.json`.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("strings and numbers are always JSON");
        json.push('\n');
        json
    }

    /// The network by which the weights are checked.
    pub fn architecture(&self) -> Architecture {
        let input = match self.input {
            Input::Tokens => InputLayer::Embedding { vocab_size: self.vocab_size, embedding_dim: self.embedding_dim },
            Input::Values => InputLayer::Values { channels: self.channels.len() },
        };
        let outputs = match (self.task, &self.forecast) {
            (Task::LanguageModel, _) => self.vocab_size,
            (_, Some(forecast)) => forecast.horizon * forecast.targets.len(),
            _ if self.output == Output::Sigmoid => 1,
            _ => self.labels.len(),
        };
        let head = Head { hidden: self.head_hidden, outputs };
        Architecture { input, hidden_size: self.hidden_size, recurrent: self.recurrent(), head }
    }

    /// The recurrent layers.
    pub fn recurrent(&self) -> Recurrent {
        let Config { cell, num_layers: layers, bidirectional, merge, pooling, .. } = *self;
        Recurrent { cell, layers, bidirectional, merge, pooling }
    }
}

fn size(key: &'static str, found: usize, least: usize, most: usize) -> Result<(), ConfigError> {
    if (least..=most).contains(&found) { Ok(()) } else { Err(ConfigError::Size { key, found, least, most }) }
}
