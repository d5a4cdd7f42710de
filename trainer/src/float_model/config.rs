//! `config.json`, a file of a model directory: the configuration of a float model.

use super::ngram_branch::NgramBranch;
use super::refusal::Refusal;
use crate::architecture::{Architecture, Cell, CellBias, Head, InputLayer, Merge, NgramTable, Pooling, Recurrent};
use crate::data::normalise::Channel;
use crate::display::quoted;
use crate::logits::Logits;
use crate::recipe::Anchor;
use crate::vocabulary::Ngrams;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use tern_format::{Input, Output, Task, limits};
use tern_runtime::text::Tokenizer;

/// The configuration of a model: the keys of `config.json`. Unknown keys in the file are ignored. An `alias` is the
/// name of a key in files of older versions. Some keys belong to a task or an input: a model that reads tokens has
/// `tokenizer`, `vocab_size` and `embedding_dim`, one that reads values has `channels`; a classifier has `labels`, a
/// forecast has `forecast`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Always "tern".
    pub model_type: String,
    /// The name of the model.
    pub name: String,
    /// The task.
    pub task: Task,
    /// The input of each time step.
    #[serde(default)]
    pub input: Input,
    /// The name of the tokenizer: "words", "chars_cased", … Empty for a model that reads values.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tokenizer: String,
    /// The number of token ids, PAD and UNK included. 0 for a model that reads values.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub vocab_size: usize,
    /// The size of an embedded token. 0 for a model that reads values.
    #[serde(default, skip_serializing_if = "is_zero", alias = "embedding")]
    pub embedding_dim: usize,
    /// The channels of a time step, in order, with their normalisation. Empty for a model that reads tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Channel>,
    /// The kind of recurrent cell.
    pub cell: Cell,
    /// The hidden size of each recurrent layer, in each direction.
    #[serde(alias = "hidden")]
    pub hidden_size: usize,
    /// The number of recurrent layers. 0 for a model that has only an n-gram branch; the other keys of the recurrent
    /// layers and the vocabulary then have no effect on predictions.
    #[serde(alias = "layers")]
    pub num_layers: usize,
    /// True if each layer also reads the sequence in reverse.
    pub bidirectional: bool,
    /// The number of bias vectors of each cell: 2 as in PyTorch, or 1.
    #[serde(default = "two_biases", skip_serializing_if = "is_two")]
    pub recurrent_biases: u8,
    /// The combination of the two directions of the last layer. [`Merge::Concat`] without a second direction.
    #[serde(default)]
    pub merge: Merge,
    /// The hidden states of the last layer that the head reads.
    pub pooling: Pooling,
    /// The n-gram branch of a text classifier, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ngrams: Option<NgramBranch>,
    /// The number of units of the layer `hidden`, max(0, W·x + b), before the layer `fc`. 0 if there is none.
    #[serde(default)]
    pub head_hidden: usize,
    /// The meaning of the outputs of `fc`.
    #[serde(default)]
    pub output: Output,
    /// The labels, in the order of the logits. Empty for other tasks than classification.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The temperature of a classifier: the number by which the weights and biases of `fc` were divided after the
    /// training to calibrate the probabilities. `None` if they were not divided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// The rule by which a classifier refuses to answer, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// The window, the horizon and the targets of a forecast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
}

/// The settings of a forecast. The outputs, `[horizon * targets]`, are the differences of the predicted numbers y from
/// the anchor, in standard deviations of the target: with the anchor `last`, y = (last number of the window) + std ·
/// output; with `mean`, y = mean + std · output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forecast {
    /// The number of rows that the model reads.
    pub window: usize,
    /// The number of rows that the model predicts: those after the window.
    pub horizon: usize,
    /// The names of the channels that the model predicts.
    pub targets: Vec<String>,
    /// The number that the outputs are relative to.
    pub anchor: Anchor,
    /// The number of rows in a season, for the seasonal baseline. 0 for none.
    #[serde(default)]
    pub season: usize,
}

fn two_biases() -> u8 {
    CellBias::Two.count()
}

fn is_two(value: &u8) -> bool {
    *value == two_biases()
}

fn is_zero(value: &usize) -> bool {
    *value == 0
}

impl Config {
    /// Returns the configuration of a classifier: that of [`new`](Self::new) with labels. A network with a single
    /// output gets [`Output::Sigmoid`].
    pub fn classifier(name: &str, architecture: &Architecture, labels: Vec<String>) -> Self {
        let mut config = Config::new(name, Task::Classify, architecture);
        config.output = if architecture.head.outputs == 1 { Output::Sigmoid } else { Output::Softmax };
        config.labels = labels;
        config
    }

    /// Returns the configuration of a network. It has no labels, n-gram branch, channels or forecast settings, which
    /// the caller adds. A network that reads tokens gets the tokenizer "words". The output is linear for a forecast and
    /// softmax for other tasks.
    pub fn new(name: &str, task: Task, architecture: &Architecture) -> Self {
        let Architecture { input, hidden_size, recurrent, head, .. } = *architecture;
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
            num_layers: recurrent.num_layers,
            bidirectional: recurrent.bidirectional,
            recurrent_biases: recurrent.bias.count(),
            merge: recurrent.merge,
            pooling: recurrent.pooling,
            ngrams: None,
            head_hidden: head.hidden,
            output: if task == Task::Forecast { Output::Linear } else { Output::Softmax },
            labels: Vec::new(),
            temperature: None,
            refusal: None,
            forecast: None,
        }
    }

    /// The names of the channels, in their order.
    pub fn channel_names(&self) -> Vec<String> {
        self.channels.iter().map(|channel| channel.name.clone()).collect()
    }

    /// Returns true if the model refuses to answer an input for which it computes these logits.
    pub fn refuses(&self, logits: &Logits) -> bool {
        self.refusal.as_ref().is_some_and(|refusal| refusal.applies(&self.labels, logits))
    }

    /// The tokenizer. A model that reads values has none; for it, and for an unknown name, this is
    /// [`Tokenizer::WORDS`].
    pub fn tokenizer(&self) -> Tokenizer {
        Tokenizer::from_name(&self.tokenizer).unwrap_or(Tokenizer::WORDS)
    }

    /// Parses and checks the text of a `config.json`. The error names the key, its value and the values that are
    /// supported.
    pub fn from_json(json: &str) -> Result<Self, String> {
        let config: Config = serde_json::from_str(json)
            .map_err(|error| format!("{error}; expected a config.json as `tern train` writes it"))?;
        check_value("model_type", &config.model_type, config.model_type == "tern", "tern")?;
        config.check_network()?;
        config.check_input()?;
        config.check_ngrams()?;
        config.check_output()?;
        Ok(config)
    }

    /// Checks the task, the sizes of the layers, and which choices go together.
    fn check_network(&self) -> Result<(), String> {
        let Config { task, input, output, cell, bidirectional, merge, pooling, .. } = *self;
        let choices = tern_format::Config { task, input, output, cell, bidirectional, merge, pooling, packing: None };
        choices.check().map_err(|conflict| conflict.to_string())?;
        if task == Task::Classify {
            // Fails if the number of labels does not suit the output.
            choices.outputs(self.labels.len()).map_err(|conflict| conflict.to_string())?;
        }
        check_size("hidden_size", self.hidden_size, limits::HIDDEN_SIZE)?;
        // Only a model with an n-gram branch can lack recurrent layers.
        if self.num_layers > 0 || self.ngrams.is_none() {
            check_size("num_layers", self.num_layers, limits::NUM_LAYERS)?;
        }
        check_size("recurrent_biases", self.recurrent_biases.into(), 1..=2)?;
        check_size("head_hidden", self.head_hidden, limits::HEAD_HIDDEN)
    }

    /// Checks the keys that belong to an input: tokens or values.
    fn check_input(&self) -> Result<(), String> {
        let reads_tokens = self.input == Input::Tokens;
        let input = format!("`input` is {:?}", self.input.name());
        check_presence("tokenizer", !self.tokenizer.is_empty(), reads_tokens, &input)?;
        check_presence("channels", !self.channels.is_empty(), !reads_tokens, &input)?;
        if reads_tokens {
            let known = Tokenizer::from_name(&self.tokenizer).is_some();
            check_value("tokenizer", &self.tokenizer, known, Tokenizer::NAMES)?;
            check_size("vocab_size", self.vocab_size, limits::VOCAB_SIZE)?;
            return check_size("embedding_dim", self.embedding_dim, limits::EMBEDDING_DIM);
        }
        check_presence("vocab_size", self.vocab_size > 0, reads_tokens, &input)?;
        check_presence("embedding_dim", self.embedding_dim > 0, reads_tokens, &input)?;
        check_size("channels", self.channels.len(), limits::CHANNELS)?;
        for Channel { name, mean, std } in &self.channels {
            if !mean.is_finite() || !std.is_finite() || *std <= 0.0 {
                return Err(format!(
                    "channel {name:?} has mean {mean} and std {std}, expected finite numbers and a std above 0"
                ));
            }
        }
        Ok(())
    }

    /// Checks the n-gram branch, if there is one.
    fn check_ngrams(&self) -> Result<(), String> {
        let Some(branch) = &self.ngrams else { return Ok(()) };
        // Only classifiers have labels.
        if self.labels.is_empty() || self.input != Input::Tokens {
            return Err("`ngrams` is not allowed here: an n-gram branch reads text for a classifier".to_owned());
        }
        check_size("ngrams.buckets", branch.buckets, limits::NGRAM_BUCKETS)?;
        check_size("ngrams.rank", branch.rank, limits::NGRAM_RANK)?;
        for (key, found) in [("ngrams.buckets", branch.buckets), ("ngrams.rank", branch.rank)] {
            if !found.is_power_of_two() {
                return Err(format!("`{key}` is {found}, expected a power of 2"));
            }
        }
        // Two weights of 4 bits share a byte, so a row needs at least two.
        if !matches!(branch.bits, 4 | 8) || (branch.bits == 4 && branch.rank == 1) {
            let NgramBranch { bits, rank, .. } = branch;
            return Err(format!("`ngrams.bits` is {bits} with rank {rank}, expected 4 or 8, and 8 with rank 1"));
        }
        if let Some(fingerprints) = &branch.fingerprints
            && fingerprints.buckets() != branch.buckets
        {
            return Err(format!(
                "`ngrams.fingerprints` has {} bytes, expected {}, one for each bucket",
                fingerprints.buckets(),
                branch.buckets
            ));
        }
        if !branch.step.is_normal() || branch.step < 0.0 {
            return Err(format!("`ngrams.step` is {}, expected a number above 0", branch.step));
        }
        branch.kinds().check(self.tokenizer()).map_err(|fault| format!("`ngrams`: {fault}"))
    }

    /// Checks the keys that belong to a task: labels, temperature, refusal and forecast.
    fn check_output(&self) -> Result<(), String> {
        let task = format!("`task` is {:?}", self.task.name());
        check_presence("forecast", self.forecast.is_some(), self.task == Task::Forecast, &task)?;
        let is_classifier = self.task == Task::Classify;
        if is_classifier {
            check_size("labels", self.labels.len(), limits::LABELS)?;
            let distinct: BTreeSet<&String> = self.labels.iter().collect();
            if distinct.len() != self.labels.len() || distinct.iter().any(|label| label.is_empty()) {
                let found = quoted(&self.labels);
                return Err(format!("`labels` are {found}, expected distinct names, none of them empty"));
            }
        } else {
            check_presence("labels", !self.labels.is_empty(), is_classifier, &task)?;
            check_presence("temperature", self.temperature.is_some(), is_classifier, &task)?;
            check_presence("refusal", self.refusal.is_some(), is_classifier, &task)?;
        }
        if let Some(temperature) = self.temperature
            && (!temperature.is_normal() || temperature < 0.0)
        {
            return Err(format!("`temperature` is {temperature}, expected a number above 0"));
        }
        if let Some(Refusal { below, label, .. }) = &self.refusal {
            check_size("refusal.below", *below as usize, 1..=Refusal::ONE as usize)?;
            if let Some(label) = label
                && !self.labels.contains(label)
            {
                return Err(format!("`refusal.label` is {label:?}, expected one of the labels"));
            }
        }
        let Some(forecast) = &self.forecast else { return Ok(()) };
        check_size("forecast.window", forecast.window, limits::WINDOW)?;
        check_size("forecast.horizon", forecast.horizon, limits::HORIZON)?;
        check_size("forecast.season", forecast.season, limits::SEASON)?;
        check_size("forecast.targets", forecast.targets.len(), 1..=self.channels.len())?;
        let channels = self.channel_names();
        match forecast.targets.iter().find(|target| !channels.contains(target)) {
            Some(target) => Err(format!("target {target:?} is not a channel; the channels are {}", quoted(&channels))),
            None => Ok(()),
        }
    }

    /// Returns the text of `config.json`. For a classifier it also has the keys `id2label` and `label2id` of the
    /// transformers library.
    pub fn to_json(&self) -> String {
        let mut json = json!(self);
        if !self.labels.is_empty() {
            let (mut id_to_label, mut label_to_id) = (Map::new(), Map::new());
            for (id, label) in self.labels.iter().enumerate() {
                id_to_label.insert(id.to_string(), json!(label));
                label_to_id.insert(label.clone(), json!(id));
            }
            json["id2label"] = id_to_label.into();
            json["label2id"] = label_to_id.into();
        }
        format!("{json:#}\n")
    }

    /// The architecture that this configuration describes, which determines the shapes of the weights.
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
        let table = |branch: &NgramBranch| NgramTable { buckets: branch.buckets, rank: branch.rank, bits: branch.bits };
        let (recurrent, ngrams) = (self.recurrent(), self.ngrams.as_ref().map(table));
        Architecture { input, hidden_size: self.hidden_size, recurrent, ngrams, head }
    }

    /// The [`Ngrams`], by which the model finds the buckets (rows of the n-gram table) of a text; `None` without an
    /// n-gram branch.
    pub fn ngrams(&self) -> Option<Ngrams> {
        let branch = self.ngrams.as_ref()?;
        let ngrams = Ngrams::new(branch.kinds(), branch.buckets, self.tokenizer());
        Some(ngrams.with_fingerprints(branch.fingerprints.clone()))
    }

    /// The buckets of a text's n-grams: [`Sample::ngrams`](tern_nn::sample::Sample::ngrams). Empty without an n-gram
    /// branch.
    pub fn ngram_buckets(&self, text: &str) -> Vec<u32> {
        self.ngrams().map_or(Vec::new(), |ngrams| ngrams.buckets(text))
    }

    /// The recurrent layers.
    pub fn recurrent(&self) -> Recurrent {
        let Config { cell, num_layers, bidirectional, merge, pooling, .. } = *self;
        let bias = CellBias::from_count(self.recurrent_biases).unwrap_or_default();
        Recurrent { cell, num_layers, bidirectional, bias, merge, pooling }
    }
}

/// Fails if the size `found` of `key` is out of range.
fn check_size(key: &str, found: usize, range: RangeInclusive<usize>) -> Result<(), String> {
    let (least, most) = (range.start(), range.end());
    if range.contains(&found) { Ok(()) } else { Err(format!("`{key}` is {found}, expected {least} to {most}")) }
}

/// Fails if `is_supported` is false. `found`: the value of `key`; `supported`: the supported values, for the message.
fn check_value(key: &str, found: &str, is_supported: bool, supported: &str) -> Result<(), String> {
    if is_supported { Ok(()) } else { Err(format!("`{key}` is {found:?}, this version supports {supported}")) }
}

/// Fails if `key` is present although it is not required, or absent although it is. `other_key`: the key that
/// determines which keys are required, with its value, for the message.
fn check_presence(key: &str, present: bool, required: bool, other_key: &str) -> Result<(), String> {
    match (present, required) {
        (true, false) => Err(format!("`{key}` is not allowed where {other_key}")),
        (false, true) => Err(format!("`{key}` is required where {other_key}")),
        _ => Ok(()),
    }
}
