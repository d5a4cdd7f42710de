//! Everything that the header names, found but not yet checked against each other.

use core::num::NonZeroUsize;

use bytemuck::Pod;

use super::keys::Kind;
use super::names::Tensor;
use crate::error::{LoadError, Name};
use crate::header::{Dtype, Entry, Scanner, TensorInfo, header_len, tensor_at};
use crate::kind::CellKind;
#[cfg(feature = "widths")]
use crate::matrix::{GROUP, pair};
use crate::matrix::{Matrix, Weights};
use crate::texts::Texts;

/// Where each tensor's entry stands in the header. An entry is read again when it is asked for: a table of entries would be a
/// kilobyte and more of stack.
pub(super) struct Directory<'a> {
    bytes: &'a [u8],
    data: &'a [u8],
    cell: CellKind,
    /// By [`Tensor::index`]; 0: there is none, for there the file's length stands.
    entries: [u32; Tensor::COUNT],
}

impl<'a> Directory<'a> {
    pub(super) fn read(bytes: &'a [u8], kind: &Kind) -> Result<Self, LoadError> {
        let data = bytes.get(header_len(bytes)?..).unwrap_or(&[]);
        let mut directory = Directory { bytes, data, cell: kind.cell, entries: [0; Tensor::COUNT] };
        let mut scanner = Scanner::new(bytes)?;
        while let Some(entry) = scanner.next()? {
            let Entry::Tensor(info) = entry else { continue };
            let tensor = Tensor::find(info.name, kind).ok_or(LoadError::UnknownTensor(Name::new(info.name)))?;
            // A header is shorter than 2^24.
            let place = directory.entries.get_mut(tensor.index());
            if place.is_some_and(|place| core::mem::replace(place, info.at as u32) != 0) {
                return Err(LoadError::Duplicate(Name::new(info.name)));
            }
        }
        match Tensor::all_of(kind).find(|&tensor| !tensor.is_optional() && !directory.has(tensor)) {
            Some(missing) => Err(LoadError::MissingTensor(missing.name(kind.cell))),
            None => Ok(directory),
        }
    }

    pub(super) fn has(&self, tensor: Tensor) -> bool {
        self.entries.get(tensor.index()).is_some_and(|&at| at != 0)
    }

    pub(super) fn name(&self, tensor: Tensor) -> Name {
        tensor.name(self.cell)
    }

    fn find(&self, tensor: Tensor) -> Result<(TensorInfo<'a>, &'a [u8]), LoadError> {
        let missing = || LoadError::MissingTensor(self.name(tensor));
        let at = self.entries.get(tensor.index()).copied().filter(|&at| at != 0).ok_or_else(missing)?;
        let info = tensor_at(self.bytes, at as usize)?;
        let bytes = self.data.get(info.begin..info.end).ok_or_else(|| LoadError::Place(self.name(tensor)))?;
        Ok((info, bytes))
    }

    pub(super) fn shape(&self, tensor: Tensor) -> Result<[u32; 3], LoadError> {
        self.find(tensor).map(|(info, _)| info.shape)
    }

    /// The elements of a tensor that must have this type and shape, as `T` or groups of it.
    pub(super) fn view<T: Pod>(&self, tensor: Tensor, dtype: Dtype, shape: [u32; 3]) -> Result<&'a [T], LoadError> {
        let (info, bytes) = self.find(tensor)?;
        if info.dtype != dtype {
            return Err(LoadError::Type { tensor: self.name(tensor), expected: dtype.name() });
        }
        if info.shape != shape {
            return Err(LoadError::Shape { tensor: self.name(tensor), found: info.shape, expected: shape });
        }
        bytemuck::try_cast_slice(bytes).map_err(|_| LoadError::Place(self.name(tensor)))
    }

    /// A tensor of one dimension, of any length.
    pub(super) fn list<T: Pod>(&self, tensor: Tensor, dtype: Dtype) -> Result<&'a [T], LoadError> {
        let [length, ..] = self.shape(tensor)?;
        self.view(tensor, dtype, [length, 0, 0])
    }

    pub(super) fn texts(&self, table: &'static str, offsets: Tensor, bytes: Tensor) -> Result<Texts<'a>, LoadError> {
        Texts::new(table, self.list(offsets, Dtype::U32)?, self.list(bytes, Dtype::U8)?)
    }

    /// Weights; −128 is not one.
    pub(super) fn weights(&self, tensor: Tensor, shape: [u32; 3]) -> Result<&'a [i8], LoadError> {
        let weights = self.view(tensor, Dtype::I8, shape)?;
        match weights.iter().position(|&w| w == i8::MIN) {
            Some(index) => Err(LoadError::Range { tensor: self.name(tensor), index }),
            None => Ok(weights),
        }
    }

    /// How wide a matrix is whose weights have any of the widths: its last dimension but for what is packed.
    pub(super) fn columns(&self, tensor: Tensor) -> Result<u32, LoadError> {
        let (info, _) = self.find(tensor)?;
        let last = info.shape.into_iter().rfind(|&size| size != 0).unwrap_or(0);
        Ok(if cfg!(feature = "widths") && info.dtype == Dtype::U8 { last.saturating_mul(2) } else { last })
    }

    /// A matrix of weights of 8 bits, and, where they are built in, of 4 and 16. `shape` without its last dimension, which is `columns`;
    /// all before it count as rows. Where `groups` stands, weights of 4 bits have their multipliers.
    pub(super) fn matrix(
        &self,
        [weight, groups]: [Tensor; 2],
        shape: &[u32],
        columns: NonZeroUsize,
    ) -> Result<Matrix<'a>, LoadError> {
        let wide = |last: usize| {
            let mut whole = [0; 3];
            let all = shape.iter().copied().filter(|&size| size != 0).chain([last as u32]);
            whole.iter_mut().zip(all).for_each(|(to, size)| *to = size);
            whole
        };
        let (info, _) = self.find(weight)?;
        let is_grouped = cfg!(feature = "widths") && info.dtype == Dtype::U8;
        if self.has(groups) && !is_grouped {
            return Err(LoadError::UnknownTensor(self.name(groups)));
        }
        let weights = match info.dtype {
            #[cfg(feature = "widths")]
            Dtype::U8 => {
                let pairs: &[u8] = self.view(weight, Dtype::U8, wide(columns.get().div_ceil(2)))?;
                // −8 is not one. The shape is that of even numbers of columns only.
                let bad = pairs.iter().position(|&byte| pair(byte).contains(&-8));
                if let Some(index) = bad {
                    return Err(LoadError::Range { tensor: self.name(weight), index });
                }
                if !columns.get().is_multiple_of(2) {
                    let (found, expected) = (wide(columns.get()), wide(columns.get() + 1));
                    return Err(LoadError::Shape { tensor: self.name(weight), found, expected });
                }
                let multipliers: &[u8] = self.view(groups, Dtype::U8, wide(columns.get().div_ceil(GROUP)))?;
                if let Some(index) = multipliers.iter().position(|m| !(1..=18).contains(m)) {
                    return Err(LoadError::Range { tensor: self.name(groups), index });
                }
                Weights::Bits4 { pairs, groups: multipliers }
            }
            #[cfg(feature = "widths")]
            Dtype::I16 => {
                let weights: &[i16] = self.view(weight, Dtype::I16, wide(columns.get()))?;
                if let Some(index) = weights.iter().position(|&w| w == i16::MIN) {
                    return Err(LoadError::Range { tensor: self.name(weight), index });
                }
                Weights::Bits16(weights)
            }
            _ => Weights::Bits8(self.weights(weight, wide(columns.get()))?),
        };
        Ok(Matrix { columns, weights })
    }

    /// Multipliers; none is negative.
    pub(super) fn multipliers(&self, tensor: Tensor, shape: [u32; 3]) -> Result<&'a [i16], LoadError> {
        let multipliers = self.view(tensor, Dtype::I16, shape)?;
        match multipliers.iter().position(|&m| m < 0) {
            Some(index) => Err(LoadError::Range { tensor: self.name(tensor), index }),
            None => Ok(multipliers),
        }
    }

    /// Numbers that must lie in a range.
    pub(super) fn numbers(&self, tensor: Tensor, length: u32, range: [i32; 2]) -> Result<&'a [i32], LoadError> {
        let numbers = self.view(tensor, Dtype::I32, [length, 0, 0])?;
        match numbers.iter().position(|v| !(range[0]..=range[1]).contains(v)) {
            Some(index) => Err(LoadError::Range { tensor: self.name(tensor), index }),
            None => Ok(numbers),
        }
    }

    /// A real number for hosts, as its bits.
    pub(super) fn real(&self, tensor: Tensor) -> Result<u32, LoadError> {
        let bits: &[u32] = self.view(tensor, Dtype::F32, [1, 0, 0])?;
        Ok(bits.first().copied().unwrap_or_default())
    }
}
