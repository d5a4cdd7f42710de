//! Import of a model that PyTorch trained: a `state_dict` in safetensors, the list of tokens, and a small settings
//! file.
//!
//! `tensors` reads the file. `names` finds embedding, recurrent layers and head by the names and shapes that PyTorch's
//! modules give them. `tokens` reads the vocabulary and moves the rows of padding and unknown token to ids 0 and 1.
//! `settings` holds what the tensors do not determine. `forward_pass` describes the network that is assumed, and
//! `expected_logits` compares it with logits that PyTorch computed.

mod error;
mod expected_logits;
mod forward_pass;
mod names;
mod settings;
mod tensors;
mod tokens;

pub use error::ImportError;
pub use expected_logits::check;
pub use names::Recognised;
pub use settings::{Settings, Token};

use crate::architecture::{Architecture, Head, InputLayer, names as ours};
use crate::float_model::{Config, FloatModel};
use crate::weights::Array;
use std::path::Path;
use tern_format::Output;

#[cfg(test)]
mod tests;

/// An imported model.
#[derive(Debug)]
pub struct Imported {
    /// The model, without calibration and validation rows.
    pub model: FloatModel,
    /// Sentences for the user about what was filled in, renamed or cannot be reached.
    pub notes: Vec<String>,
    /// The parts of the network and the forward pass that was assumed.
    pub recognised: Recognised,
    /// Tern's id of each row of the imported embedding.
    ids: Vec<u32>,
}

impl Imported {
    /// Number of rows of the imported embedding.
    pub fn rows(&self) -> usize {
        self.ids.len()
    }

    /// Tern's id of a row of the imported embedding; `None` if there is no such row.
    pub fn id_of_row(&self, row: usize) -> Option<u32> {
        self.ids.get(row).copied()
    }
}

/// Imports `weights` (safetensors) with `settings` (TOML or JSON) and `vocab` (one token a line, or a
/// `tokenizer.json`).
///
/// # Errors
///
/// See [`ImportError`]; each names what was found, what was expected and what to do.
pub fn import(weights: &Path, settings_path: &Path, vocab: &Path) -> Result<Imported, ImportError> {
    let settings = Settings::read(settings_path)?;
    let mut notes = Vec::new();
    let tensors = tensors::read(weights, &mut notes)?;
    let (recognised, parts) = names::recognise(weights, tensors, &settings, &mut notes)?;
    let tokens = tokens::read(vocab, &settings, parts.embedding.shape[0], weights, &mut notes)?;

    let embedding = tokens.rows(&parts.embedding);
    let input = InputLayer::Embedding { vocab_size: embedding.shape[0], embedding_dim: embedding.shape[1] };
    let outputs = if settings.output == Output::Sigmoid { 1 } else { settings.labels.len() };
    let head = Head { hidden: parts.head_hidden, outputs };
    let (hidden_size, recurrent) = (recognised.hidden_size, recognised.recurrent);
    let architecture = Architecture { input, hidden_size, recurrent, head };
    settings.check_sizes(settings_path, weights, &architecture)?;
    let mut all = parts.weights;
    all.insert(ours::EMBEDDING, embedding);
    let wrong = |problem: String| ImportError::Weights { path: weights.to_owned(), problem };
    let stem = weights.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = settings.name.clone().unwrap_or(stem);
    let config = Config::classifier(&name, &architecture, settings.labels.clone());
    // The same checks as for any config.json that is loaded.
    let config =
        Config::from_json(&config.to_json()).map_err(|error| wrong(format!("{}: {error}", settings_path.display())))?;
    let ids = tokens.ids();
    let model = FloatModel::new(config, tokens.vocabulary, all, Vec::new(), Vec::new())
        .map_err(|error| wrong(format!("{error}; correct {}", settings_path.display())))?;
    Ok(Imported { model, notes, recognised, ids })
}

/// An array of zeros.
fn zeros(shape: &[usize]) -> Array {
    Array { shape: shape.to_vec(), data: vec![0.0; shape.iter().product()] }
}
