//! Imports a model that PyTorch trained from a `state_dict` in safetensors, the list of tokens, and a small settings
//! file.
//!
//! `tensors` reads the file. `names` finds embedding, recurrent layers and head by the names and shapes that PyTorch's
//! modules give them. `tokens` reads the vocabulary and moves the rows of padding and unknown token to ids 0 and 1.
//! `settings` reads the settings, which the tensors do not determine. `forward_pass` describes the network that is
//! assumed, and [`check`] compares it with logits that PyTorch computed.

mod forward_pass;
mod names;
mod settings;
mod tensors;
mod tokens;

pub use names::Recognised;
pub use settings::{Settings, Token};

use crate::architecture::{Architecture, Head, InputLayer, names as ours};
use crate::file_error::FileError;
use crate::float_model::{Config, FloatModel, f32_array};
use crate::nn::network::Input;
use safetensors::Dtype;
use std::path::Path;
use tern_format::Output;

#[cfg(test)]
mod tests;

/// The largest difference of a logit in [`check`], relative to the larger of 1 and the logit.
const TOLERANCE: f64 = 1e-3;

/// The form of the file that [`check`] reads, for its errors.
const EXPECTED: &str = "expected `input_ids` [texts, steps] and `logits` [texts, outputs], as \
     `save_file({\"input_ids\": ids, \"logits\": model(ids)}, …)` writes them";

/// An imported model.
#[derive(Debug)]
pub struct Imported {
    /// The model, without calibration and validation rows.
    pub model: FloatModel,
    /// Sentences for the user about tensors and tokens that were added, renamed or are never used.
    pub notes: Vec<String>,
    /// The parts of the network and the forward pass that was assumed.
    pub recognised: Recognised,
    /// Tern's id of each row of the imported embedding.
    ids: Vec<u32>,
}

impl Imported {
    /// Tern's id of a row of the imported embedding; `None` if there is no such row.
    pub fn id_of_row(&self, row: usize) -> Option<u32> {
        self.ids.get(row).copied()
    }
}

/// Imports `weights` (safetensors) with `settings` (TOML or JSON) and `vocab` (one token on each line, or a
/// `tokenizer.json`). Fails if a file cannot be read, or if the tensors do not form a network that Tern can run. The
/// error names what was found, what was expected and what to do.
pub fn import(weights: &Path, settings_path: &Path, vocab: &Path) -> Result<Imported, FileError> {
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
    let architecture = Architecture { input, hidden_size, recurrent, ngrams: None, head };
    settings.check_sizes(settings_path, weights, &architecture)?;
    let mut tensors = parts.weights;
    tensors.insert(ours::EMBEDDING, embedding);
    let stem = weights.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = settings.name.clone().unwrap_or(stem);
    let config = Config::classifier(&name, &architecture, settings.labels.clone());
    // The same checks as for any config.json that is loaded.
    let config = Config::from_json(&config.to_json())
        .map_err(|error| FileError::new(weights, format!("{}: {error}", settings_path.display())))?;
    let ids = tokens.ids();
    let model = FloatModel::new(config, tokens.vocabulary, tensors, Vec::new(), Vec::new())
        .map_err(|error| FileError::new(weights, format!("{error}; correct {}", settings_path.display())))?;
    Ok(Imported { model, notes, recognised, ids })
}

/// Compares the imported model with PyTorch on the texts of a safetensors file. Returns the number of texts and the
/// largest difference of a logit. Fails if the file has another form, or a logit differs by more than the tolerance.
///
/// The file has the tensors `input_ids`, `[texts, steps]`, I64 or I32, which are rows of the imported embedding (Tern's
/// own ids differ), and `logits`, `[texts, outputs]`, F32. An optional tensor `lengths`, `[texts]`, has the number of
/// ids of each text; without it, all texts have `steps` ids.
pub fn check(path: &Path, imported: &Imported) -> Result<(usize, f64), FileError> {
    let bytes = std::fs::read(path).map_err(FileError::at(path))?;
    let wrong = |problem: String| FileError::new(path, problem);
    let file = tensors::deserialize(path, &bytes)?;
    let tensor = |name: &str| file.tensor(name).map_err(|_| wrong(format!("no tensor `{name}`, {EXPECTED}")));
    let integers = |name: &str| -> Result<Vec<i64>, FileError> {
        let view = tensor(name)?;
        match view.dtype() {
            Dtype::I64 => Ok(view.data().as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()),
            Dtype::I32 => Ok(view.data().as_chunks().0.iter().map(|bytes| i32::from_le_bytes(*bytes).into()).collect()),
            found => Err(wrong(format!("tensor `{name}` is {found:?}, expected I64 or I32"))),
        }
    };
    let (ids, logits) = (integers("input_ids")?, tensor("logits")?);
    let id_tensor = tensor("input_ids")?;
    let &[texts, steps] = id_tensor.shape() else {
        let dimensions = id_tensor.shape().len();
        return Err(wrong(format!("tensor `input_ids` has {dimensions} dimensions, {EXPECTED}")));
    };
    let outputs = imported.model.config().architecture().head.outputs;
    let Some(expected) = f32_array(&logits).filter(|array| array.data.len() == texts * outputs) else {
        let found = format!("tensor `logits` is {:?} {:?}", logits.shape(), logits.dtype());
        return Err(wrong(format!("{found}, expected [{texts}, {outputs}] F32: one row for each text")));
    };
    let lengths = if file.tensor("lengths").is_ok() { integers("lengths")? } else { vec![steps as i64; texts] };
    if lengths.len() != texts || lengths.iter().any(|&length| length < 0 || length > steps as i64) {
        return Err(wrong(format!("tensor `lengths` is {lengths:?}, expected {texts} numbers from 0 to {steps}")));
    }
    let (mut largest_difference, mut first_fault, mut differing_texts) = (0f64, None, 0);
    for text in 0..texts {
        let rows = &ids[text * steps..][..lengths[text] as usize];
        let ids: Option<Vec<u32>> = rows.iter().map(|&row| imported.id_of_row(usize::try_from(row).ok()?)).collect();
        let Some(ids) = ids else {
            let count = imported.ids.len();
            return Err(wrong(format!("text {text} of `input_ids` is {rows:?}, expected ids below {count}")));
        };
        let found = imported.model.network().outputs(Input::Tokens(&ids));
        let mut differs = false;
        for (output, (&found, &expected)) in found.iter().zip(&expected.data[text * outputs..]).enumerate() {
            let difference = f64::from((found - expected).abs());
            largest_difference = largest_difference.max(difference);
            if difference.is_nan() || difference > TOLERANCE * f64::from(expected.abs().max(1.0)) {
                differs = true;
                first_fault.get_or_insert((text, output, found, expected));
            }
        }
        differing_texts += usize::from(differs);
    }
    let Some((text, output, found, expected)) = first_fault else { return Ok((texts, largest_difference)) };
    let forward_pass: Vec<String> = imported.recognised.pytorch().iter().map(|line| format!("    {line}")).collect();
    Err(wrong(format!(
        "{differing_texts} of {texts} texts have other logits; the first is output {output} of text {text}: Tern computes \
         {found:.4}, expected {expected:.4}. These weights belong to another network than the one that Tern assumed, \
         which is:\n{}",
        forward_pass.join("\n")
    )))
}
