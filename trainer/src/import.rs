//! Import of a classifier that PyTorch trained, from a `state_dict` in safetensors, a settings file and, for a network
//! that reads tokens, the list of tokens.
//!
//! `tensors` reads the safetensors file. `names` finds the embedding, the recurrent layers and the head by the names
//! and shapes of their tensors. `tokens` reads the list of tokens and moves the embedding's rows of the padding and of
//! the unknown token to the ids 0 and 1. `settings` reads the properties of the network that the tensors do not
//! determine. `forward_pass` describes the network that Tern assumes, and `check` compares it with logits that PyTorch
//! computed.

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

use crate::architecture::{Architecture, Head, InputLayer, names as tern_names};
use crate::file_error::FileError;
use crate::float_model::{Channel, Config, FloatModel};
use crate::vocabulary::Vocabulary;
use std::path::Path;
use tern_format::Output;

#[cfg(test)]
mod tests;

/// Imports the safetensors file `weights` with the settings in `settings_path` (TOML or JSON) and, for a network that
/// reads tokens, the list `vocab` (one token on each line, a `tokenizer.json`, or a JSON object of tokens and ids).
/// Fails if a file cannot be read, or if its content does not form a network that Tern runs; the error names the fault,
/// the expected content and a remedy.
pub fn import(weights: &Path, settings_path: &Path, vocab: Option<&Path>) -> Result<Imported, FileError> {
    let settings = Settings::read(settings_path)?;
    let mut notes = Vec::new();
    let tensors = tensors::read(weights, &mut notes)?;
    let (recognised, mut parameters) = names::recognise(weights, tensors, &settings, &mut notes)?;
    let (input, vocabulary, ids_of_rows) = match (&parameters.embedding, vocab) {
        (Some(file_embedding), Some(vocab)) => {
            let tokens = tokens::read(vocab, &settings, file_embedding.shape[0], weights, &mut notes)?;
            let embedding = tokens.reordered(file_embedding);
            let input = InputLayer::Embedding { vocab_size: embedding.shape[0], embedding_dim: embedding.shape[1] };
            parameters.weights.insert(tern_names::EMBEDDING, embedding);
            let ids_of_rows = tokens.ids_of_rows();
            (input, tokens.vocabulary, ids_of_rows)
        }
        (None, None) => (InputLayer::Values { channels: settings.channels.len() }, Vocabulary::none(), Vec::new()),
        (Some(_), None) => {
            let problem = "no [[channels]], so the network reads tokens: name the list of tokens with --vocab";
            return Err(FileError::new(settings_path, problem));
        }
        (None, Some(vocab)) => {
            let problem = format!("not needed: the [[channels]] of {} are numbers", settings_path.display());
            return Err(FileError::new(vocab, format!("{problem}; leave --vocab out")));
        }
    };
    // A sigmoid has one output for two labels.
    let outputs = if settings.output == Output::Sigmoid { 1 } else { settings.labels.len() };
    let head = Head { hidden: parameters.head_hidden, outputs };
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
    let (calibration, validation) = (Vec::new(), Vec::new());
    let model = FloatModel::new(config, vocabulary, parameters.weights, calibration, validation)
        .map_err(|error| FileError::new(weights, format!("{error}; correct {}", settings_path.display())))?;
    Ok(Imported { model, notes, recognised, ids_of_rows })
}
