//! The tensors of a safetensors file as 32-bit floats.

use crate::file_error::FileError;
use crate::weights::Array;
use half::{bf16, f16};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;
use std::path::Path;

/// The values of a tensor as F32, or the name of its type if that is not a float.
pub type Values = Result<Array, String>;

/// Reads every tensor of a safetensors file, by name, and converts F64, F16 and BF16 to F32. Adds the number of
/// converted tensors to `notes`. Fails if the file cannot be read or is not safetensors.
pub fn read(path: &Path, notes: &mut Vec<String>) -> Result<BTreeMap<String, Values>, FileError> {
    let bytes = std::fs::read(path).map_err(FileError::at(path))?;
    // The formats of torch.save: a zip archive, or in old versions a bare pickle of protocol 2 and above.
    let is_zip = bytes.starts_with(b"PK\x03\x04");
    let may_be_pickle = matches!(bytes.as_slice(), [0x80, 2..=5, ..]);
    // A safetensors file begins with the length of its header, which may look like a pickle. Its header, at byte 8,
    // begins with `{`.
    let may_be_safetensors = bytes.get(8) == Some(&b'{');
    if is_zip || (may_be_pickle && !may_be_safetensors) {
        let problem = format!(
            "a file of torch.save, expected safetensors (a pickle can run any program); convert it in Python: `from \
             safetensors.torch import save_file; save_file(torch.load({:?}, weights_only=True), \
             \"weights.safetensors\")`",
            path.display()
        );
        return Err(FileError::new(path, problem));
    }
    let file = deserialize(path, &bytes)?;
    // The number of converted tensors by the name of their type.
    let mut converted: BTreeMap<String, usize> = BTreeMap::new();
    let mut tensors = BTreeMap::new();
    for (name, view) in file.iter() {
        if view.dtype() != Dtype::F32 && is_float(view.dtype()) {
            *converted.entry(format!("{:?}", view.dtype())).or_default() += 1;
        }
        tensors.insert(name.to_owned(), array(&view));
    }
    for (dtype, count) in converted {
        notes.push(format!("{count} tensors were converted from {dtype} to F32"));
    }
    Ok(tensors)
}

/// Reads the header of a safetensors file.
pub fn deserialize<'data>(path: &Path, bytes: &'data [u8]) -> Result<SafeTensors<'data>, FileError> {
    SafeTensors::deserialize(bytes).map_err(|error| {
        let expected = "a safetensors file, as `safetensors.torch.save_file(model.state_dict(), …)` writes it";
        FileError::new(path, format!("{error}, expected {expected}"))
    })
}

/// Returns an array of zeros.
pub fn zeros(shape: &[usize]) -> Array {
    Array { shape: shape.to_vec(), data: vec![0.0; shape.iter().product()] }
}

/// Returns true for the types that an import reads.
fn is_float(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16)
}

/// Converts a tensor to F32. The error is the name of its type.
fn array(view: &TensorView<'_>) -> Values {
    /// Converts little-endian numbers of `N` bytes.
    fn values<const N: usize>(bytes: &[u8], convert: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        bytes.as_chunks::<N>().0.iter().map(|bytes| convert(*bytes)).collect()
    }
    let bytes = view.data();
    let data = match view.dtype() {
        Dtype::F32 => values(bytes, f32::from_le_bytes),
        Dtype::F64 => values(bytes, |bytes| f64::from_le_bytes(bytes) as f32),
        Dtype::F16 => values(bytes, |bytes| f16::from_le_bytes(bytes).to_f32()),
        Dtype::BF16 => values(bytes, |bytes| bf16::from_le_bytes(bytes).to_f32()),
        other => return Err(format!("{other:?}")),
    };
    Ok(Array { shape: view.shape().to_vec(), data })
}
