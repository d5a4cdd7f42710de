//! A tensor to be written to a device file.

use alloc::{format, string::String, vec::Vec};

use bytemuck::Pod;

use crate::layers::head::Refusal;
use crate::load::dtype::Dtype;
use tern_format::names::tensor;

/// A tensor to be written to a device file.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// The name.
    pub name: String,
    /// The type of the elements.
    pub dtype: Dtype,
    /// The dimensions.
    pub shape: Vec<usize>,
    /// The elements, little-endian.
    pub data: Vec<u8>,
}

impl Tensor {
    /// Creates a tensor from its elements in row-major order, whose type `T` must be the one that `dtype` names.
    pub fn new<T: Pod>(name: &str, dtype: Dtype, shape: &[usize], elements: &[T]) -> Self {
        Tensor { name: name.into(), dtype, shape: shape.into(), data: bytemuck::cast_slice(elements).to_vec() }
    }

    /// Returns the two tensors of a table of texts: `{table}.bytes`, the texts one after the other, and
    /// `{table}.offsets`, the start of each text and the end of the last.
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

    /// Returns the tensor of the rule by which a classifier refuses to answer.
    pub fn refusal(refusal: Refusal) -> Tensor {
        // −1 if no class is a refusal.
        let class = refusal.class.map_or(-1, |class| class as i32);
        Tensor::new(tensor::REFUSAL, Dtype::I32, &[2], &[refusal.below as i32, class])
    }
}
