//! Models that PyTorch has trained: a `state_dict` in safetensors, the tokens, and a few words on what is what.
//!
//! `tensors` reads the file in whatever float format it is. `names` finds the parts of the network by the names and
//! shapes that PyTorch's modules give them. `tokens` reads the vocabulary and puts padding and unknown tokens where
//! Tern has them. What cannot be told from these stands in `settings`.

mod error;
mod names;
mod settings;
mod tensors;
mod tokens;

pub use error::ImportError;
pub use settings::{Settings, Token};

use crate::architecture::{Architecture, Head, InputLayer, Recurrent};
use crate::data::Example;
use crate::float_model::{Config, FloatModel};
use crate::weights::{Array, names as ours};
use std::path::Path;
use tern_format::Output;

#[cfg(test)]
mod tests;

/// What was imported, and what its user should know.
#[derive(Debug)]
pub struct Imported {
    /// The model, without rows.
    pub model: FloatModel,
    /// Sentences about what was filled in, renamed or cannot be reached.
    pub notes: Vec<String>,
}

/// Puts a model together from `weights` (safetensors), `settings` (TOML or JSON) and `vocab` (one token a line, or the
/// `tokenizer.json` of a word-level tokenizer).
///
/// # Errors
///
/// See [`ImportError`]; each says what was found, what was expected and what to do.
pub fn import(weights: &Path, settings_path: &Path, vocab: &Path) -> Result<Imported, ImportError> {
    let settings = Settings::read(settings_path)?;
    let mut notes = Vec::new();
    let tensors = tensors::read(weights, &mut notes)?;
    let parts = names::recognise(weights, tensors, &settings, &mut notes)?;
    let vocabulary = tokens::read(vocab, &settings, parts.embedding.shape[0], weights, &mut notes)?;

    let embedding = vocabulary.rows(&parts.embedding);
    let input = InputLayer::Embedding { vocab_size: embedding.shape[0], embedding_dim: embedding.shape[1] };
    let recurrent = Recurrent {
        cell: parts.cell,
        layers: parts.layers,
        bidirectional: parts.bidirectional,
        merge: settings.merge.unwrap_or_default(),
        pooling: settings.pooling,
    };
    let outputs = if settings.output == Output::Sigmoid { 1 } else { settings.labels.len() };
    let head = Head { hidden: parts.head_hidden, outputs };
    let architecture = Architecture { input, hidden_size: parts.hidden_size, recurrent, head };
    settings.check_sizes(settings_path, weights, &architecture)?;
    let mut all = parts.weights;
    all.insert(ours::EMBEDDING, embedding);
    let wrong = |problem: String| ImportError::Weights { path: weights.to_owned(), problem };
    let stem = weights.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = settings.name.clone().unwrap_or(stem);
    let config = Config::classifier(&name, &architecture, settings.labels.clone());
    // The same checks as of any config.json that is loaded.
    let config =
        Config::from_json(&config.to_json()).map_err(|error| wrong(format!("{}: {error}", settings_path.display())))?;
    let rows: Vec<Example> = Vec::new();
    let model = FloatModel::new(config, vocabulary.vocabulary, all, rows.clone(), rows)
        .map_err(|error| wrong(format!("{error}; {} says what the network is", settings_path.display())))?;
    Ok(Imported { model, notes })
}

/// An array of zeros.
fn zeros(shape: &[usize]) -> Array {
    Array { shape: shape.to_vec(), data: vec![0.0; shape.iter().product()] }
}
