//! A tensor to be written.

use alloc::{format, string::String, vec::Vec};

use bytemuck::Pod;

use crate::load::dtype::Dtype;

/// A tensor to be written.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// Type of its elements.
    pub dtype: Dtype,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its elements, little-endian.
    pub data: Vec<u8>,
}

impl Tensor {
    /// A tensor of elements in memory. `T` is what `dtype` says.
    pub fn new<T: Pod>(name: &str, dtype: Dtype, shape: &[usize], elements: &[T]) -> Self {
        Tensor { name: name.into(), dtype, shape: shape.into(), data: bytemuck::cast_slice(elements).to_vec() }
    }

    /// A table of texts as its two tensors, `TABLE.offsets` and `TABLE.bytes`.
    pub fn texts<'t>(table: &str, texts: impl IntoIterator<Item = &'t str>) -> [Tensor; 2] {
        let mut offsets = Vec::from([0u32]);
        let mut bytes = Vec::new();
        for text in texts {
            bytes.extend_from_slice(text.as_bytes());
            offsets.push(bytes.len() as u32);
        }
        [
            Tensor::new(&format!("{table}.offsets"), Dtype::U32, &[offsets.len()], &offsets),
            Tensor::new(&format!("{table}.bytes"), Dtype::U8, &[bytes.len()], &bytes),
        ]
    }
}
