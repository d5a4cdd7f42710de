//! Everything that the header names, found but not yet checked against each other.

use core::num::NonZeroUsize;

use bytemuck::Pod;

use super::keys::Kind;
use super::names::Tensor;
use crate::fault::{Checked, Fault, File, Refused};
use crate::header::{Dtype, Entry, Scanner, TensorInfo, tensor_at};
#[cfg(feature = "widths")]
use crate::matrix::{GROUP, pair};
use crate::matrix::{Matrix, Weights};
use crate::parts::WIDTHS;
use crate::texts::Texts;

/// In a shape: a dimension of any size.
pub(super) const ANY: u32 = u32::MAX;

/// Where each tensor's entry stands in the header. An entry is read again when it is asked for: a table of entries would be a
/// kilobyte and more of stack.
pub(super) struct Directory<'f, 'a> {
    pub file: &'f File<'a>,
    /// By [`Tensor::index`]; 0: there is none, for there the file's length stands.
    entries: [u32; Tensor::COUNT],
}

impl<'f, 'a> Directory<'f, 'a> {
    pub(super) fn new(file: &'f File<'a>) -> Self {
        Directory { file, entries: [0; Tensor::COUNT] }
    }

    /// Finds all tensors. Not in one with [`new`](Directory::new), which would move them all.
    pub(super) fn read(&mut self, kind: &Kind) -> Checked<()> {
        let Directory { file, entries } = self;
        let mut scanner = Scanner::new(file);
        while let Some(entry) = scanner.next()? {
            let Entry::Tensor(info) = entry else { continue };
            let place = Tensor::find(info.name, kind).and_then(|tensor| entries.get_mut(tensor.index()));
            let Some(place) = place else { return file.refuse(Fault::UnknownTensor(info.name)) };
            // A header is shorter than 2^24.
            if core::mem::replace(place, info.at as u32) != 0 {
                return file.refuse(Fault::Duplicate(info.name));
            }
        }
        Ok(())
    }

    pub(super) fn has(&self, tensor: Tensor) -> bool {
        self.entries.get(tensor.index()).is_some_and(|&at| at != 0)
    }

    fn find(&self, tensor: Tensor) -> Checked<TensorInfo<'a>> {
        match self.entries.get(tensor.index()) {
            Some(&at) if at != 0 => tensor_at(self.file, at as usize),
            _ => self.file.refuse(Fault::MissingTensor(tensor)),
        }
    }

    pub(super) fn shape(&self, tensor: Tensor) -> Checked<[u32; 3]> {
        self.find(tensor).map(|info| info.shape)
    }

    /// The bytes of a tensor that must have this type and shape.
    #[inline(never)]
    fn bytes(&self, tensor: Tensor, dtype: Dtype, shape: [u32; 3]) -> Checked<&'a [u8]> {
        let info = self.find(tensor)?;
        if info.dtype != dtype {
            return self.file.refuse(Fault::Type { tensor, expected: dtype });
        }
        let mut expected = shape;
        for (expected, found) in expected.iter_mut().zip(info.shape) {
            if *expected == ANY {
                *expected = found;
            }
        }
        if info.shape != expected {
            return self.file.refuse(Fault::Shape { tensor, found: info.shape, expected });
        }
        match self.file.data.get(info.begin..info.end) {
            Some(bytes) => Ok(bytes),
            None => self.file.refuse(Fault::Place(info.name)),
        }
    }

    /// Bytes as numbers of another type, or groups of them.
    #[inline(always)]
    fn cast<T: Pod>(&self, tensor: Tensor, bytes: &'a [u8]) -> Checked<&'a [T]> {
        bytemuck::try_cast_slice(bytes).map_err(|_| self.misplaced(tensor))
    }

    #[cold]
    #[inline(never)]
    fn misplaced(&self, tensor: Tensor) -> Refused {
        if let Ok(info) = self.find(tensor) {
            _ = self.file.refuse::<()>(Fault::Place(info.name));
        }
        Refused
    }

    /// The elements of a tensor that must have this type and shape, as `T` or groups of it.
    #[inline(always)]
    pub(super) fn view<T: Pod>(&self, tensor: Tensor, dtype: Dtype, shape: [u32; 3]) -> Checked<&'a [T]> {
        self.cast(tensor, self.bytes(tensor, dtype, shape)?)
    }

    /// A tensor of one dimension, of any length.
    #[inline(always)]
    pub(super) fn list<T: Pod>(&self, tensor: Tensor, dtype: Dtype) -> Checked<&'a [T]> {
        self.view(tensor, dtype, [ANY, 0, 0])
    }

    #[inline(never)]
    pub(super) fn texts(&self, offsets: Tensor, bytes: Tensor) -> Checked<Texts<'a>> {
        let texts = Texts::new(self.list(offsets, Dtype::U32)?, self.list(bytes, Dtype::U8)?);
        texts.or_else(|index| self.file.refuse(Fault::Texts { table: offsets, index }))
    }

    /// A tensor of numbers that must lie in a range.
    #[inline(never)]
    fn within(&self, tensor: Tensor, dtype: Dtype, shape: [u32; 3], [low, high]: [i32; 2]) -> Checked<&'a [u8]> {
        let bytes = self.bytes(tensor, dtype, shape)?;
        for (index, number) in bytes.chunks(dtype.size()).enumerate() {
            let number = match *number {
                [a] => i8::from_le_bytes([a]).into(),
                [a, b] => i16::from_le_bytes([a, b]).into(),
                [a, b, c, d] => i32::from_le_bytes([a, b, c, d]),
                _ => 0,
            };
            if number < low || number > high {
                return self.file.refuse(Fault::Range { tensor, index });
            }
        }
        Ok(bytes)
    }

    /// Weights; −128 is not one.
    #[inline(always)]
    pub(super) fn weights(&self, tensor: Tensor, shape: [u32; 3]) -> Checked<&'a [i8]> {
        self.cast(tensor, self.within(tensor, Dtype::I8, shape, [-127, 127])?)
    }

    /// Multipliers; none is negative.
    #[inline(always)]
    pub(super) fn multipliers(&self, tensor: Tensor, shape: [u32; 3]) -> Checked<&'a [i16]> {
        self.cast(tensor, self.within(tensor, Dtype::I16, shape, [0, i32::MAX])?)
    }

    /// Numbers that must lie in a range.
    #[inline(always)]
    pub(super) fn numbers(&self, tensor: Tensor, length: u32, range: [i32; 2]) -> Checked<&'a [i32]> {
        self.cast(tensor, self.within(tensor, Dtype::I32, [length, 0, 0], range)?)
    }

    /// A real number for hosts, as its bits.
    pub(super) fn real(&self, tensor: Tensor) -> Checked<u32> {
        let bits: &[u32] = self.view(tensor, Dtype::F32, [1, 0, 0])?;
        Ok(bits.first().copied().unwrap_or_default())
    }

    /// How wide a matrix is whose weights have any of the widths: its last dimension but for what is packed.
    pub(super) fn columns(&self, tensor: Tensor) -> Checked<u32> {
        let info = self.find(tensor)?;
        let last = info.shape.iter().rfind(|&&size| size != 0).copied().unwrap_or(0);
        Ok(if WIDTHS && info.dtype == Dtype::U8 { last.saturating_mul(2) } else { last })
    }

    /// A matrix of weights of 8 bits, and, where they are built in, of 4 and 16. `shape` without its last dimension, which is `columns`;
    /// all before it count as rows. Where `groups` stands, weights of 4 bits have their multipliers.
    pub(super) fn matrix(
        &self,
        [weight, groups]: [Tensor; 2],
        [rows, gates]: [u32; 2],
        columns: NonZeroUsize,
    ) -> Checked<Matrix<'a>> {
        let wide = |last: usize| if gates == 0 { [rows, last as u32, 0] } else { [rows, gates, last as u32] };
        let info = self.find(weight)?;
        if self.has(groups) && !(WIDTHS && info.dtype == Dtype::U8) {
            let name = self.find(groups)?.name;
            return self.file.refuse(Fault::UnknownTensor(name));
        }
        let weights = match info.dtype {
            #[cfg(feature = "widths")]
            Dtype::U8 => {
                let pairs: &[u8] = self.view(weight, Dtype::U8, wide(columns.get().div_ceil(2)))?;
                // −8 is not one. The shape is that of even numbers of columns only.
                let bad = pairs.iter().position(|&byte| pair(byte).contains(&-8));
                if let Some(index) = bad {
                    return self.file.refuse(Fault::Range { tensor: weight, index });
                }
                if !columns.get().is_multiple_of(2) {
                    let (found, expected) = (wide(columns.get()), wide(columns.get() + 1));
                    return self.file.refuse(Fault::Shape { tensor: weight, found, expected });
                }
                let multipliers: &[u8] = self.view(groups, Dtype::U8, wide(columns.get().div_ceil(GROUP)))?;
                if let Some(index) = multipliers.iter().position(|m| !(1..=18).contains(m)) {
                    return self.file.refuse(Fault::Range { tensor: groups, index });
                }
                Weights::Bits4 { pairs, groups: multipliers }
            }
            #[cfg(feature = "widths")]
            Dtype::I16 => {
                let bytes = self.within(weight, Dtype::I16, wide(columns.get()), [-32_767, 32_767])?;
                Weights::Bits16(self.cast(weight, bytes)?)
            }
            _ => Weights::Bits8(self.weights(weight, wide(columns.get()))?),
        };
        Ok(Matrix { columns, weights })
    }
}
