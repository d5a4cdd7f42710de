//! Import of a model that PyTorch trained: a `state_dict` in safetensors, a small settings file and, for a network that
//! reads tokens, their list.
//!
//! `tensors` reads the file. `names` finds embedding, recurrent layers and head by the names and shapes that PyTorch's
//! modules give them. `tokens` reads the vocabulary and moves the rows of padding and unknown token to ids 0 and 1.
//! `settings` holds what the tensors do not determine. `forward_pass` describes the network that is assumed, and
//! `check` compares it with logits that PyTorch computed.

mod check;
mod forward_pass;
mod imported;
mod names;
mod settings;
mod tensors;
mod tokens;

pub use check::check;
pub use imported::Imported;
pub use names::Recognised;
pub use settings::{Settings, Token};

use crate::architecture::{Architecture, Head, InputLayer, names as ours};
use crate::file_error::FileError;
use crate::float_model::{Channel, Config, FloatModel};
use crate::vocabulary::Vocabulary;
use std::path::Path;
use tern_format::Output;

#[cfg(test)]
mod tests;

/// Imports `weights` (safetensors) with `settings` (TOML or JSON) and, for a network that reads tokens, `vocab` (one
/// token a line, or a `tokenizer.json`). Fails if a file cannot be read, or its content does not form a network that
/// Tern runs. The error names what was found, what was expected and what to do.
pub fn import(weights: &Path, settings_path: &Path, vocab: Option<&Path>) -> Result<Imported, FileError> {
    let settings = Settings::read(settings_path)?;
    let mut notes = Vec::new();
    let tensors = tensors::read(weights, &mut notes)?;
    let (recognised, mut parts) = names::recognise(weights, tensors, &settings, &mut notes)?;
    let (input, vocabulary, ids) = match (&parts.embedding, vocab) {
        (Some(theirs), Some(vocab)) => {
            let tokens = tokens::read(vocab, &settings, theirs.shape[0], weights, &mut notes)?;
            let embedding = tokens.rows(theirs);
            let input = InputLayer::Embedding { vocab_size: embedding.shape[0], embedding_dim: embedding.shape[1] };
            parts.weights.insert(ours::EMBEDDING, embedding);
            let ids = tokens.ids();
            (input, tokens.vocabulary, ids)
        }
        (None, None) => (InputLayer::Values { channels: settings.channels.len() }, Vocabulary::none(), Vec::new()),
        (Some(_), None) => {
            let problem = "no [[channels]], so the network reads tokens: name their list with --vocab";
            return Err(FileError::new(settings_path, problem));
        }
        (None, Some(vocab)) => {
            let problem = format!("not needed: the [[channels]] of {} are numbers", settings_path.display());
            return Err(FileError::new(vocab, format!("{problem}; leave --vocab out")));
        }
    };
    let outputs = if settings.output == Output::Sigmoid { 1 } else { settings.labels.len() };
    let head = Head { hidden: parts.head_hidden, outputs };
    let (hidden_size, recurrent) = (recognised.hidden_size, recognised.recurrent);
    let architecture = Architecture { input, hidden_size, recurrent, ngrams: None, head };
    settings.check_sizes(settings_path, weights, &architecture)?;
    let stem = weights.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = settings.name.clone().unwrap_or(stem);
    let mut config = Config::classifier(&name, &architecture, settings.labels.clone());
    config.channels = settings.channels.iter().map(Channel::from).collect();
    // The same checks as for any config.json that is loaded.
    let config = Config::from_json(&config.to_json())
        .map_err(|error| FileError::new(weights, format!("{}: {error}", settings_path.display())))?;
    let model = FloatModel::new(config, vocabulary, parts.weights, Vec::new(), Vec::new())
        .map_err(|error| FileError::new(weights, format!("{error}; correct {}", settings_path.display())))?;
    Ok(Imported { model, notes, recognised, ids })
}
