//! [`FloatModel`], a trained model in floats, and the model directory that stores it. [`files`] lists the files of the
//! directory, [`Config`] is its `config.json`, and [`Staged`] replaces a directory in one step.

mod config;
mod directory;
pub mod files;
mod ngram_branch;
mod refusal;

pub use crate::data::normalise::Channel;
pub use config::{Config, Forecast};
pub use directory::Staged;
pub use ngram_branch::NgramBranch;
pub use refusal::Refusal;

use crate::data::{self, Example};
use crate::file_error::FileError;
use crate::logits::class_logits;
use crate::nn::network::{self, Network};
use crate::tokenizer_json;
use crate::vocabulary::{PAD_TOKEN, UNK_TOKEN, Vocabulary};
use crate::weights::{Array, Weights, WeightsError};
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};
use serde_json::json;
use std::collections::HashMap;
use std::path::Path;
use tern_format::{Input, Task};

/// A trained model in floats.
#[derive(Clone, Debug)]
pub struct FloatModel {
    config: Config,
    vocabulary: Vocabulary,
    weights: Weights,
    calibration: Vec<Example>,
    validation: Vec<Example>,
    network: Network,
}

impl FloatModel {
    /// Builds a model. `calibration` and `validation`: the rows that are stored with it. If the model reads tokens, the
    /// tokenizer of the vocabulary replaces that of `config`. Fails if the shapes of the weights do not match `config`.
    pub fn new(
        mut config: Config,
        vocabulary: Vocabulary,
        weights: Weights,
        calibration: Vec<Example>,
        validation: Vec<Example>,
    ) -> Result<Self, WeightsError> {
        if config.input == Input::Tokens {
            config.tokenizer = vocabulary.tokenizer().name().to_owned();
        }
        weights.check(&config.architecture())?;
        let network = Network::new(&weights, &config.architecture());
        Ok(FloatModel { config, vocabulary, weights, calibration, validation, network })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Replaces the rule by which the model refuses to answer; `None` for a model that always answers.
    pub fn set_refusal(&mut self, refusal: Option<Refusal>) {
        self.config.refusal = refusal;
    }

    /// The labels, in the order of the logits.
    pub fn labels(&self) -> &[String] {
        &self.config.labels
    }

    /// The tokens and their ids.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The weights, row-major, by their names in PyTorch.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The calibration set: training rows, of which `tern train` keeps at most 512. Empty if the model directory has
    /// none, and for tasks other than text classification.
    pub fn calibration(&self) -> &[Example] {
        &self.calibration
    }

    /// The validation rows. Empty if the model directory has none, and for tasks other than text classification.
    pub fn validation(&self) -> &[Example] {
        &self.validation
    }

    /// The network, which computes the forward pass.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Computes the logits of a text with a text classifier, one for each label.
    pub fn logits(&self, text: &str) -> Vec<f32> {
        let (ids, ngrams) = (self.vocabulary.encode(text), self.config.ngram_buckets(text));
        class_logits(&self.network.outputs(network::Input::Text { ids: &ids, ngrams: &ngrams }))
    }

    /// Loads and checks a model directory. `validation.csv` and `calibration.csv` may be missing. Fails if a file
    /// cannot be read, is wrong, or does not match the others.
    pub fn load(dir: &Path) -> anyhow::Result<Self> {
        let config_path = dir.join(files::CONFIG);
        if !config_path.is_file() {
            let problem = format!("no {} here, expected a model directory as `tern train` writes it", files::CONFIG);
            return Err(FileError::new(dir, problem).into());
        }
        let config = Config::from_json(&read_text(&config_path)?).map_err(FileError::at(&config_path))?;
        let vocabulary = load_vocabulary(dir, &config)?;
        let weights_path = dir.join(files::WEIGHTS);
        let weights = load_weights(&weights_path)?;
        let calibration = load_rows(&dir.join(files::CALIBRATION), &config)?;
        let validation = load_rows(&dir.join(files::VALIDATION), &config)?;
        let model = FloatModel::new(config, vocabulary, weights, calibration, validation);
        Ok(model.map_err(FileError::at(&weights_path))?)
    }

    /// Writes the weights, the configuration, the tokenizer and the stored rows as files into `dir`, which must exist.
    /// A model that reads values has no tokenizer files, and no file is written for an empty set of rows. Fails if a
    /// file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), FileError> {
        let write = |name: &str, bytes: &[u8]| {
            let path = dir.join(name);
            std::fs::write(&path, bytes).map_err(FileError::at(&path))
        };
        let weights = safetensors_bytes(&self.weights).map_err(FileError::at(&dir.join(files::WEIGHTS)))?;
        write(files::WEIGHTS, &weights)?;
        write(files::CONFIG, self.config.to_json().as_bytes())?;
        if self.config.input == Input::Tokens {
            let tokenizer = tokenizer_json::write(&self.vocabulary);
            let tokenizer = tokenizer.map_err(FileError::at(&dir.join(files::TOKENIZER)))?;
            write(files::TOKENIZER, tokenizer.as_bytes())?;
            let config = json!({
                "tokenizer_class": "PreTrainedTokenizerFast",
                "pad_token": PAD_TOKEN,
                "unk_token": UNK_TOKEN,
                "clean_up_tokenization_spaces": false,
            });
            write(files::TOKENIZER_CONFIG, format!("{config:#}\n").as_bytes())?;
        }
        for (name, rows) in [(files::CALIBRATION, &self.calibration), (files::VALIDATION, &self.validation)] {
            if !rows.is_empty() {
                let path = dir.join(name);
                data::write(&path, rows, &self.config.labels).map_err(FileError::at(&path))?;
            }
        }
        Ok(())
    }
}

/// Encodes weights as a safetensors file of F32 tensors; equal weights give equal bytes. The metadata `format: pt`
/// marks the file as PyTorch's, which the transformers library requires.
pub fn safetensors_bytes(weights: &Weights) -> Result<Vec<u8>, SafeTensorError> {
    let tensors = weights.iter().map(|(name, array)| (name, array.shape.as_slice(), array.data.as_slice()));
    f32_tensors(tensors, ("format", "pt"))
}

/// Encodes F32 tensors, `(name, shape, data)`, and one entry of metadata as a safetensors file.
pub(crate) fn f32_tensors<'a>(
    tensors: impl Iterator<Item = (impl AsRef<str>, &'a [usize], &'a [f32])>,
    (key, value): (&str, &str),
) -> Result<Vec<u8>, SafeTensorError> {
    let bytes = |data: &[f32]| data.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    // The views below borrow these bytes.
    let tensors: Vec<_> = tensors.map(|(name, shape, data)| (name, shape.to_vec(), bytes(data))).collect();
    let mut views = Vec::with_capacity(tensors.len());
    for (name, shape, bytes) in &tensors {
        views.push((name.as_ref(), TensorView::new(Dtype::F32, shape.clone(), bytes)?));
    }
    safetensors::serialize(views, Some(HashMap::from([(key.to_owned(), value.to_owned())])))
}

/// Returns the shape and the values of a tensor; `None` if its type is not F32.
pub(crate) fn f32_array(tensor: &TensorView<'_>) -> Option<Array> {
    if tensor.dtype() != Dtype::F32 {
        return None;
    }
    let (values, _) = tensor.data().as_chunks::<4>();
    let data = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Some(Array { shape: tensor.shape().to_vec(), data })
}

fn read_text(path: &Path) -> Result<String, FileError> {
    std::fs::read_to_string(path).map_err(FileError::at(path))
}

/// Loads the vocabulary; [`Vocabulary::none`] for a model that reads values.
fn load_vocabulary(dir: &Path, config: &Config) -> Result<Vocabulary, FileError> {
    if config.input == Input::Values {
        return Ok(Vocabulary::none());
    }
    let path = dir.join(files::TOKENIZER);
    let vocabulary = tokenizer_json::read(&read_text(&path)?, config.tokenizer()).map_err(FileError::at(&path))?;
    let (found, expected) = (vocabulary.len(), config.vocab_size);
    if found != expected {
        let problem = format!("{found} tokens, expected {expected} (`vocab_size` in {})", files::CONFIG);
        return Err(FileError::new(&path, problem));
    }
    Ok(vocabulary)
}

fn load_weights(path: &Path) -> Result<Weights, FileError> {
    let bytes = std::fs::read(path).map_err(FileError::at(path))?;
    let tensors = SafeTensors::deserialize(&bytes)
        .map_err(|error| FileError::new(path, format!("{error}, expected a safetensors file")))?;
    let mut weights = Weights::default();
    for (name, tensor) in tensors.iter() {
        let array = f32_array(&tensor)
            .ok_or_else(|| FileError::new(path, format!("tensor `{name}` is {:?}, expected F32", tensor.dtype())))?;
        weights.insert(name, array);
    }
    Ok(weights)
}

/// Loads a table of labelled texts; no rows if it is missing or the model is not a text classifier.
fn load_rows(path: &Path, config: &Config) -> anyhow::Result<Vec<Example>> {
    if (config.task, config.input) != (Task::Classify, Input::Tokens) || !path.exists() {
        return Ok(Vec::new());
    }
    let rows = data::read_saved(path)?;
    Ok(data::labels_to_indices(rows, &config.labels, path)?)
}

#[cfg(test)]
pub(crate) mod tests;
