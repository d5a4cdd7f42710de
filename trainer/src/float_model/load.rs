//! Reads a model directory. Every file is checked, since it may come from anywhere.

use super::{Config, ConfigError, FloatModel, files};
use crate::data::{self, Example, TableError};
use crate::tokenizer_json;
use crate::vocabulary::Vocabulary;
use crate::weights::{Array, Weights, WeightsError};
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use std::path::{Path, PathBuf};
use tern_format::{Input, Task};

/// An error in a model directory.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The directory has no `config.json`.
    #[error("{}: no {} here, expected a model directory as `tern train` writes it", dir.display(), files::CONFIG)]
    NotAModel {
        /// The directory.
        dir: PathBuf,
    },
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// `config.json` is wrong.
    #[error("{}: {source}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: ConfigError,
    },
    /// `tokenizer.json` is wrong.
    #[error("{}: {problem}", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// The fault.
        problem: String,
    },
    /// `model.safetensors` is not a safetensors file.
    #[error("{}: {source}, expected a safetensors file", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: SafeTensorError,
    },
    /// A tensor is not F32.
    #[error("{}: tensor `{name}` is {found:?}, expected F32", path.display())]
    Dtype {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type.
        found: Dtype,
    },
    /// The tensors are not those of this model.
    #[error("{}: {source}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: WeightsError,
    },
    /// A table of rows is wrong, or has a label that the model lacks.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl FloatModel {
    /// Loads a model directory. `validation.csv` and `calibration.csv` may be missing.
    ///
    /// # Errors
    ///
    /// See [`LoadError`]; every one names the file.
    pub fn load(dir: &Path) -> Result<Self, LoadError> {
        let path = dir.join(files::CONFIG);
        if !path.is_file() {
            return Err(LoadError::NotAModel { dir: dir.to_owned() });
        }
        let config = Config::from_json(&text(&path)?).map_err(|source| LoadError::Config { path, source })?;

        let vocabulary = vocabulary(dir, &config)?;
        let path = dir.join(files::WEIGHTS);
        let weights = read_weights(&path)?;
        let calibration = rows(dir, files::CALIBRATION, &config)?;
        let validation = rows(dir, files::VALIDATION, &config)?;
        FloatModel::new(config, vocabulary, weights, calibration, validation)
            .map_err(|source| LoadError::Weights { path, source })
    }
}

/// Reads the vocabulary; an empty one for a model that reads values.
fn vocabulary(dir: &Path, config: &Config) -> Result<Vocabulary, LoadError> {
    if config.input == Input::Values {
        return Ok(Vocabulary::none());
    }
    let path = dir.join(files::TOKENIZER);
    match tokenizer_json::read(&text(&path)?, config.tokenizer()) {
        Ok(vocabulary) if vocabulary.len() == config.vocab_size => Ok(vocabulary),
        Ok(vocabulary) => {
            let (found, expected) = (vocabulary.len(), config.vocab_size);
            let problem = format!("{found} tokens, expected {expected} (`vocab_size` in {})", files::CONFIG);
            Err(LoadError::Tokenizer { path, problem })
        }
        Err(problem) => Err(LoadError::Tokenizer { path, problem }),
    }
}

fn text(path: &Path) -> Result<String, LoadError> {
    std::fs::read_to_string(path).map_err(|source| LoadError::Io { path: path.to_owned(), source })
}

fn read_weights(path: &Path) -> Result<Weights, LoadError> {
    let bytes = std::fs::read(path).map_err(|source| LoadError::Io { path: path.to_owned(), source })?;
    let tensors =
        SafeTensors::deserialize(&bytes).map_err(|source| LoadError::Safetensors { path: path.to_owned(), source })?;
    let mut weights = Weights::default();
    for (name, view) in tensors.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(LoadError::Dtype { path: path.to_owned(), name: name.to_owned(), found: view.dtype() });
        }
        let (values, _) = view.data().as_chunks::<4>();
        let data = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        weights.insert(name, Array { shape: view.shape().to_vec(), data });
    }
    Ok(weights)
}

fn rows(dir: &Path, name: &str, config: &Config) -> Result<Vec<Example>, LoadError> {
    let path = dir.join(name);
    if (config.task, config.input) != (Task::Classify, Input::Tokens) || !path.exists() {
        return Ok(Vec::new());
    }
    let rows = data::read_saved(&path)?;
    Ok(data::number(rows, &config.labels, &path)?)
}
