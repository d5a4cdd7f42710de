//! The file of `tern import --check`: token ids and the logits that PyTorch computes for them.

use super::{ImportError, Imported};
use crate::nn::network::Input;
use safetensors::{Dtype, SafeTensors};
use std::path::Path;

/// Largest difference of a logit, relative to the larger of 1 and the logit.
const TOLERANCE: f64 = 1e-3;

/// Compares the imported model with PyTorch on the texts of a safetensors file.
///
/// The file holds `input_ids`, `[texts, steps]`, I64 or I32, of which each is a row of the imported embedding (Tern's
/// own ids differ), and `logits`, `[texts, outputs]`, F32. With `lengths`, `[texts]`, each text has that many ids;
/// without, all have `steps`. Returns the number of texts and the largest difference of a logit.
///
/// # Errors
///
/// [`ImportError::Check`] if the file has another form, or a logit differs by more than the tolerance.
pub fn check(path: &Path, imported: &Imported) -> Result<(usize, f64), ImportError> {
    let bytes = std::fs::read(path).map_err(|source| ImportError::Io { path: path.to_owned(), source })?;
    let wrong = |problem: String| ImportError::Check { path: path.to_owned(), problem };
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|error| ImportError::Safetensors { path: path.to_owned(), problem: error.to_string() })?;
    let tensor = |name: &str| file.tensor(name).map_err(|_| wrong(format!("no tensor `{name}`, {EXPECTED}")));
    let integers = |name: &str| -> Result<Vec<i64>, ImportError> {
        let view = tensor(name)?;
        match view.dtype() {
            Dtype::I64 => Ok(view.data().as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()),
            Dtype::I32 => Ok(view.data().as_chunks().0.iter().map(|bytes| i32::from_le_bytes(*bytes).into()).collect()),
            found => Err(wrong(format!("tensor `{name}` is {found:?}, expected I64 or I32"))),
        }
    };
    let (ids, logits) = (integers("input_ids")?, tensor("logits")?);
    let &[texts, steps] = tensor("input_ids")?.shape() else {
        return Err(wrong(format!(
            "tensor `input_ids` has {} dimensions, {EXPECTED}",
            tensor("input_ids")?.shape().len()
        )));
    };
    let outputs = imported.model.config().architecture().head.outputs;
    if logits.dtype() != Dtype::F32 || logits.data().len() != 4 * texts * outputs {
        let found = format!("tensor `logits` is {:?} {:?}", logits.shape(), logits.dtype());
        return Err(wrong(format!("{found}, expected [{texts}, {outputs}] F32: one row for each text")));
    }
    let expected: Vec<f32> = logits.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let lengths = if file.tensor("lengths").is_ok() { integers("lengths")? } else { vec![steps as i64; texts] };
    if lengths.len() != texts || lengths.iter().any(|&length| length < 0 || length > steps as i64) {
        return Err(wrong(format!("tensor `lengths` is {lengths:?}, expected {texts} numbers from 0 to {steps}")));
    }
    let (mut largest, mut first, mut differing) = (0f64, None, 0);
    for text in 0..texts {
        let ids = &ids[text * steps..][..lengths[text] as usize];
        let ours: Option<Vec<u32>> = ids.iter().map(|&id| imported.id_of_row(usize::try_from(id).ok()?)).collect();
        let Some(ours) = ours else {
            let rows = imported.rows();
            return Err(wrong(format!("text {text} of `input_ids` is {ids:?}, expected ids below {rows}")));
        };
        let found = imported.model.network().outputs(Input::Tokens(&ours));
        let mut differs = false;
        for (output, (&found, &expected)) in found.iter().zip(&expected[text * outputs..]).enumerate() {
            let difference = f64::from((found - expected).abs());
            largest = largest.max(difference);
            if difference.is_nan() || difference > TOLERANCE * f64::from(expected.abs().max(1.0)) {
                differs = true;
                first.get_or_insert((text, output, found, expected));
            }
        }
        differing += usize::from(differs);
    }
    match first {
        None => Ok((texts, largest)),
        Some((text, output, found, expected)) => Err(wrong(format!(
            "{differing} of {texts} texts have other logits; the first is output {output} of text {text}: Tern computes {found:.4}, \
             expected {expected:.4}. These weights belong to another network than the one that Tern assumed, which is:\n{}",
            imported.recognised.pytorch().iter().map(|line| format!("    {line}\n")).collect::<String>().trim_end()
        ))),
    }
}

const EXPECTED: &str = "expected `input_ids` [texts, steps] and `logits` [texts, outputs], as \
     `save_file({\"input_ids\": ids, \"logits\": model(ids)}, …)` writes them";
