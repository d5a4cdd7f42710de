//! Writes the files that [`FloatModel::load`] reads.

use super::{FloatModel, files};
use crate::data;
use crate::tokenizer_json;
use crate::vocabulary::{PAD_TOKEN, UNK_TOKEN};
use crate::weights::Weights;
use safetensors::tensor::{Dtype, SafeTensorError, TensorView};
use serde_json::json;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tern_format::Input;

/// Why a model cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// A file cannot be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The safetensors library refuses the weights.
    #[error(transparent)]
    Safetensors(#[from] SafeTensorError),
    /// The tokenizers library refuses the vocabulary.
    #[error("tokenizer.json: {0}")]
    Tokenizer(tokenizers::Error),
}

/// The weights as a safetensors file: F32, the same bytes for the same weights. The metadata `format: pt` marks it as
/// PyTorch's, which the transformers library asks for.
///
/// # Errors
///
/// The error of the safetensors library.
pub fn safetensors_bytes(weights: &Weights) -> Result<Vec<u8>, SafeTensorError> {
    let bytes: Vec<(&str, &[usize], Vec<u8>)> = weights
        .iter()
        .map(|(name, array)| {
            let data = array.data.iter().flat_map(|value| value.to_le_bytes()).collect();
            (name, array.shape.as_slice(), data)
        })
        .collect();
    let views = bytes
        .iter()
        .map(|(name, shape, data)| Ok((*name, TensorView::new(Dtype::F32, shape.to_vec(), data)?)))
        .collect::<Result<Vec<_>, SafeTensorError>>()?;
    safetensors::serialize(views, Some(HashMap::from([("format".to_owned(), "pt".to_owned())])))
}

impl FloatModel {
    /// Writes the weights, the configuration, the vocabulary and the stored rows into `dir`, which must exist.
    ///
    /// # Errors
    ///
    /// See [`SaveError`].
    pub fn save(&self, dir: &Path) -> Result<(), SaveError> {
        let write = |name: &str, bytes: &[u8]| {
            let path = dir.join(name);
            std::fs::write(&path, bytes).map_err(|source| SaveError::Io { path, source })
        };
        write(files::WEIGHTS, &safetensors_bytes(&self.weights)?)?;
        write(files::CONFIG, self.config.to_json().as_bytes())?;
        if self.config.input == Input::Tokens {
            let tokenizer = tokenizer_json::write(&self.vocabulary).map_err(SaveError::Tokenizer)?;
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
            let path = dir.join(name);
            if !rows.is_empty() {
                data::write(&path, rows, &self.config.labels).map_err(|source| SaveError::Io { path, source })?;
            }
        }
        Ok(())
    }
}
