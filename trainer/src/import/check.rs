//! Comparison of an imported model with logits that PyTorch computed, for `tern import --check`.

use super::imported::Imported;
use super::tensors;
use crate::file_error::FileError;
use crate::float_model::f32_array;
use crate::nn::network::Input;
use crate::train::Steps;
use safetensors::{Dtype, SafeTensors};
use std::path::Path;

/// Largest accepted difference of a logit, relative to max(1, |PyTorch's logit|).
const TOLERANCE: f64 = 1e-3;

/// The form of a file for a network that reads tokens, for errors.
const EXPECTED_TOKENS: &str = "expected `input_ids` [texts, steps] and `logits` [texts, outputs], as \
     `save_file({\"input_ids\": ids, \"logits\": model(ids)}, …)` writes them";

/// The form of a file for a network that reads numbers, for errors.
const EXPECTED_VALUES: &str = "expected `inputs` [sequences, steps, channels] and `logits` [sequences, outputs], as \
     `save_file({\"inputs\": x, \"logits\": model(x)}, …)` writes them";

/// Compares the imported model with PyTorch on the texts or sequences of a safetensors file. Returns their number and
/// the largest absolute difference of a logit. Fails if the file has another form, or a logit differs by more than the
/// tolerance.
///
/// For a network that reads tokens, the file holds `input_ids`, `[texts, steps]`, I64 or I32, which are rows of the
/// imported embedding (Tern's own ids differ). For a network that reads numbers, it holds `inputs`,
/// `[sequences, steps, channels]`, F32, normalised as the network reads them. `logits` is `[texts, outputs]`, F32. The
/// optional tensor `lengths`, `[texts]`, I64 or I32, holds the number of steps of each text; without it, every text has
/// `steps` steps.
pub fn check(path: &Path, imported: &Imported) -> Result<(usize, f64), FileError> {
    let bytes = std::fs::read(path).map_err(FileError::at(path))?;
    let file = File { path, tensors: tensors::deserialize(path, &bytes)?, expected: expected_form(imported) };
    let noun = if reads_values(imported) { "sequence" } else { "text" };
    let inputs = if reads_values(imported) { file.sequences(imported)? } else { file.texts(imported)? };
    let texts = inputs.len();
    let outputs = imported.model.config().architecture().head.outputs;
    let logits = file.tensor("logits")?;
    let expected = match f32_array(&logits) {
        Some(array) if array.data.len() == texts * outputs => array,
        _ => {
            let found = format!("tensor `logits` is {:?} {:?}", logits.shape(), logits.dtype());
            return Err(file.wrong(format!("{found}, expected [{texts}, {outputs}] F32: one row for each {noun}")));
        }
    };
    let (mut largest_difference, mut first_fault, mut differing_texts) = (0f64, None, 0);
    for (text, input) in inputs.iter().enumerate() {
        let found = imported.model.network().outputs(match input {
            Steps::Tokens(ids) => Input::Tokens(ids),
            Steps::Values { values, .. } => Input::Values(values),
        });
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
    Err(file.wrong(format!(
        "{differing_texts} of {texts} {noun}s have other logits; the first is output {output} of {noun} {text}: Tern \
         computes {found:.4}, expected {expected:.4}. These weights belong to another network than the one that Tern \
         assumed, which is:\n{}",
        forward_pass.join("\n")
    )))
}

/// Returns true if the imported network reads numbers.
fn reads_values(imported: &Imported) -> bool {
    imported.recognised.embedding.is_none()
}

/// Returns the form that a file for the imported network has.
fn expected_form(imported: &Imported) -> &'static str {
    if reads_values(imported) { EXPECTED_VALUES } else { EXPECTED_TOKENS }
}

/// A file of inputs and logits.
struct File<'a> {
    path: &'a Path,
    tensors: SafeTensors<'a>,
    /// The form of the file, for errors.
    expected: &'static str,
}

impl<'a> File<'a> {
    /// Creates an error for the file.
    fn wrong(&self, problem: String) -> FileError {
        FileError::new(self.path, problem)
    }

    /// Returns a tensor by its name, or the error that it is missing.
    fn tensor(&self, name: &str) -> Result<safetensors::tensor::TensorView<'a>, FileError> {
        self.tensors.tensor(name).map_err(|_| self.wrong(format!("no tensor `{name}`, {}", self.expected)))
    }

    /// Returns the values of an I64 or I32 tensor.
    fn integers(&self, name: &str) -> Result<Vec<i64>, FileError> {
        let view = self.tensor(name)?;
        match view.dtype() {
            Dtype::I64 => Ok(view.data().as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()),
            Dtype::I32 => Ok(view.data().as_chunks().0.iter().map(|bytes| i32::from_le_bytes(*bytes).into()).collect()),
            found => Err(self.wrong(format!("tensor `{name}` is {found:?}, expected I64 or I32"))),
        }
    }

    /// Creates the error for a tensor with `found` dimensions.
    fn wrong_dimensions(&self, name: &str, found: usize) -> FileError {
        self.wrong(format!("tensor `{name}` has {found} dimensions, {}", self.expected))
    }

    /// Returns the number of steps of each text or sequence: that in the tensor `lengths`, or `steps` without it.
    fn lengths(&self, texts: usize, steps: usize) -> Result<Vec<usize>, FileError> {
        if self.tensors.tensor("lengths").is_err() {
            return Ok(vec![steps; texts]);
        }
        let lengths = self.integers("lengths")?;
        if lengths.len() != texts || lengths.iter().any(|&length| length < 0 || length > steps as i64) {
            let expected = format!("expected {texts} numbers from 0 to {steps}");
            return Err(self.wrong(format!("tensor `lengths` is {lengths:?}, {expected}")));
        }
        Ok(lengths.iter().map(|&length| length as usize).collect())
    }

    /// Returns the texts in Tern's ids, each without the steps after its length.
    fn texts(&self, imported: &Imported) -> Result<Vec<Steps>, FileError> {
        let (embedding_rows, view) = (self.integers("input_ids")?, self.tensor("input_ids")?);
        let &[texts, steps] = view.shape() else { return Err(self.wrong_dimensions("input_ids", view.shape().len())) };
        let lengths = self.lengths(texts, steps)?;
        let id_of_row = |&row: &i64| imported.id_of_row(usize::try_from(row).ok()?);
        let mut inputs = Vec::with_capacity(texts);
        for (text, length) in lengths.into_iter().enumerate() {
            let rows = &embedding_rows[text * steps..][..length];
            let ids: Option<Vec<u32>> = rows.iter().map(id_of_row).collect();
            let Some(ids) = ids else {
                let count = imported.ids_of_rows.len();
                return Err(self.wrong(format!("text {text} of `input_ids` is {rows:?}, expected ids below {count}")));
            };
            inputs.push(Steps::Tokens(ids));
        }
        Ok(inputs)
    }

    /// Returns the sequences of numbers, each without the steps after its length.
    fn sequences(&self, imported: &Imported) -> Result<Vec<Steps>, FileError> {
        let (view, channels) = (self.tensor("inputs")?, imported.model.config().channels.len());
        let &[sequences, steps, width] = view.shape() else {
            return Err(self.wrong_dimensions("inputs", view.shape().len()));
        };
        let array = match f32_array(&view) {
            Some(array) if width == channels => array,
            _ => {
                let found = format!("tensor `inputs` is {:?} {:?}", view.shape(), view.dtype());
                return Err(self.wrong(format!("{found}, expected [{sequences}, {steps}, {channels}] F32")));
            }
        };
        let sequence = |(index, length): (usize, usize)| {
            let values = array.data[index * steps * channels..][..length * channels].to_vec();
            Steps::Values { values, channels }
        };
        Ok(self.lengths(sequences, steps)?.into_iter().enumerate().map(sequence).collect())
    }
}
