//! Reads values of the metadata and tensors by their names, with checks of type, shape, alignment and range.

use core::num::NonZeroUsize;

use super::tensor_names::Tensor;
use crate::features::WIDTHS;
#[cfg(feature = "widths")]
use crate::kernel::{GROUP, pair};
use crate::layers::matrix::{Matrix, Weights};
use crate::load::dtype::Dtype;
use crate::load::file::{Fault, File};
use crate::load::name_hash::NameHash;
use crate::load::scanner::Scanner;
use crate::text::texts::Texts;

/// The number that stands for any size, as the first dimension of an expected shape.
pub(super) const ANY: u32 = u32::MAX;

/// Reads entries by name. A missing or malformed entry reads as empty or 0 and is recorded in the [`File`]; the loader
/// reports the first one.
impl<'a> File<'a> {
    /// Returns a scanner whose current entry has this name. If the header has no such entry, the scanner has another
    /// entry or none, so the caller must compare the name. The entry itself is not returned, because that would copy
    /// it.
    #[inline(never)]
    pub(super) fn find(&self, name: NameHash) -> Scanner<'_, 'a> {
        let mut scanner = Scanner::new(self);
        if let Some((number, place)) = self.place_of(name) {
            scanner.read_at(number, place);
        } else if !self.is_indexed() {
            while scanner.next() && scanner.entry.name != name {}
        }
        scanner
    }

    /// Returns true if the header has an entry with this name.
    pub(super) fn has(&self, name: NameHash) -> bool {
        self.find(name).entry.name == name
    }

    /// Returns the index of a key's value in the list `values`; none if the key is missing, or if it has another value,
    /// which is a fault.
    #[inline(never)]
    pub(super) fn value_index(&self, key: NameHash, values: &[NameHash]) -> Option<u8> {
        let Scanner { entry, .. } = &self.find(key);
        if entry.name != key {
            return None;
        }
        self.mark(entry.number);
        let index = entry.value.position(values);
        if index.is_none() {
            self.refuse(Fault::UnknownValue { at: entry.at });
        }
        index
    }

    /// [`find`](File::find) for a required tensor.
    fn tensor(&self, tensor: Tensor) -> Scanner<'_, 'a> {
        let scanner = self.find(tensor.name_hash());
        if scanner.entry.name != tensor.name_hash() {
            self.refuse(Fault::MissingTensor(tensor));
        }
        scanner
    }

    /// The shape of a required tensor.
    #[inline(always)]
    pub(super) fn shape(&self, tensor: Tensor) -> [u32; 3] {
        self.tensor(tensor).entry.shape
    }

    /// The shape of a table of weights, and true if its elements are unsigned bytes, which hold two 4-bit weights each.
    #[cfg(feature = "ngrams")]
    pub(super) fn shape_and_type(&self, tensor: Tensor) -> ([u32; 3], bool) {
        let Scanner { entry, .. } = &self.tensor(tensor);
        (entry.shape, entry.value == Dtype::U8.name_hash())
    }

    /// The bytes of a tensor, which must have this type and shape (unused dimensions are 0). Their number and their
    /// alignment are checked.
    #[inline(never)]
    fn bytes(&self, tensor: Tensor, dtype: Dtype, shape: [u32; 3]) -> &'a [u8] {
        let Scanner { entry, .. } = &self.tensor(tensor);
        self.mark(entry.number);
        if entry.value != dtype.name_hash() {
            self.refuse(Fault::Type { tensor, expected: dtype });
        }
        let mut expected = shape;
        if expected[0] == ANY {
            expected[0] = entry.shape[0];
        }
        if entry.shape != expected {
            self.refuse(Fault::Shape { tensor, found: entry.shape, expected });
        }
        // If the product saturates, it differs from the length of any tensor.
        let size =
            entry.shape.iter().fold(dtype.size() as u32, |size, &dimension| size.saturating_mul(dimension.max(1)));
        let bytes = self.data.get(entry.begin..entry.end).unwrap_or(&[]);
        if size as usize != bytes.len() || !entry.begin.is_multiple_of(dtype.size()) {
            self.refuse(Fault::ByteRange { at: entry.at });
        }
        bytes
    }

    /// The bytes of a text or of a table of texts, `[length]`, of any length. The caller checks that they are UTF-8.
    pub(super) fn text(&self, tensor: Tensor) -> &'a [u8] {
        self.bytes(tensor, Dtype::U8, [ANY, 0, 0])
    }

    /// A tensor of 32-bit integers.
    pub(super) fn words(&self, tensor: Tensor, shape: [u32; 3]) -> &'a [i32] {
        words(self.bytes(tensor, Dtype::I32, shape))
    }

    /// A tensor of offsets or ids, `[length]`, of any length.
    pub(super) fn list(&self, tensor: Tensor) -> &'a [u32] {
        bytemuck::try_cast_slice(words(self.bytes(tensor, Dtype::U32, [ANY, 0, 0]))).unwrap_or(&[])
    }

    /// A tensor of fingerprints of tokens, `[length]`, of any length.
    #[cfg(feature = "token_fingerprints")]
    pub(super) fn token_fingerprints(&self, tensor: Tensor) -> &'a [u16] {
        bytemuck::try_cast_slice(self.bytes(tensor, Dtype::U16, [ANY, 0, 0])).unwrap_or(&[])
    }

    /// A table of texts from its two tensors.
    #[inline(never)]
    pub(super) fn texts(&self, offsets: Tensor, bytes: Tensor) -> Texts<'a> {
        match Texts::new(self.list(offsets), self.text(bytes)) {
            Ok(texts) => texts,
            Err(index) => {
                self.refuse(Fault::Texts { table: offsets, index });
                Texts::EMPTY
            }
        }
    }

    /// The bytes of a tensor whose elements must be in the range from `low` to `high`.
    #[inline(never)]
    fn in_range(&self, tensor: Tensor, dtype: Dtype, shape: [u32; 3], [low, high]: [i32; 2]) -> &'a [u8] {
        let bytes = self.bytes(tensor, dtype, shape);
        for (index, number) in bytes.chunks(dtype.size()).enumerate() {
            let number = match *number {
                [a] => i8::from_le_bytes([a]).into(),
                [a, b] => i16::from_le_bytes([a, b]).into(),
                [a, b, c, d] => i32::from_le_bytes([a, b, c, d]),
                _ => 0,
            };
            if number < low || number > high {
                self.refuse(Fault::Range { tensor, index });
            }
        }
        bytes
    }

    /// A tensor of 8-bit weights, −127 to 127.
    pub(super) fn weights(&self, tensor: Tensor, shape: [u32; 3]) -> &'a [i8] {
        bytemuck::try_cast_slice(self.in_range(tensor, Dtype::I8, shape, [-127, 127])).unwrap_or(&[])
    }

    /// The bytes of a table of 8-bit weights, −127 to 127, or of 4-bit weights, −7 to 7, of which a byte holds two.
    #[cfg(feature = "ngrams")]
    pub(super) fn table(&self, tensor: Tensor, shape: [u32; 3], in_4_bits: bool) -> &'a [u8] {
        if !in_4_bits {
            return bytemuck::try_cast_slice(self.weights(tensor, shape)).unwrap_or(&[]);
        }
        let pairs = self.bytes(tensor, Dtype::U8, shape);
        // The weight −8 is not allowed. Its bits are 1000, which is 8 without a sign.
        if let Some(index) = pairs.iter().position(|byte| byte >> 4 == 8 || byte & 0xf == 8) {
            self.refuse(Fault::Range { tensor, index });
        }
        pairs
    }

    /// A tensor of bytes, `[length]`, each with any value.
    #[cfg(feature = "ngrams")]
    pub(super) fn bytes_of(&self, tensor: Tensor, length: u32) -> &'a [u8] {
        self.bytes(tensor, Dtype::U8, [length, 0, 0])
    }

    /// A tensor of row multipliers, which must not be negative.
    #[inline(never)]
    pub(super) fn multipliers(&self, tensor: Tensor, shape: [u32; 3]) -> &'a [i16] {
        halves(self.in_range(tensor, Dtype::I16, shape, [0, i32::MAX]))
    }

    /// A tensor of 32-bit integers, `[length]`, which must be in the range `[low, high]`.
    pub(super) fn numbers(&self, tensor: Tensor, length: u32, range: [i32; 2]) -> &'a [i32] {
        words(self.in_range(tensor, Dtype::I32, [length, 0, 0], range))
    }

    /// A real number for hosts, as the bits of an IEEE 754 single.
    pub(super) fn real(&self, tensor: Tensor) -> u32 {
        words(self.bytes(tensor, Dtype::F32, [1, 0, 0])).first().map_or(0, |&bits| bits as u32)
    }

    /// The number of columns of a matrix whose weights have any width: its second dimension, or twice that for 4-bit
    /// weights, of which a byte holds two.
    pub(super) fn columns(&self, tensor: Tensor) -> u32 {
        let Scanner { entry, .. } = &self.tensor(tensor);
        let [_, columns, _] = entry.shape;
        if WIDTHS && entry.value == Dtype::U8.name_hash() { columns.saturating_mul(2) } else { columns }
    }

    /// A matrix of 8-bit weights, or of 4-bit or 16-bit weights if they are built in. Its shape is `[rows, gates,
    /// columns]`, or `[rows, columns]` if `gates` is 0. `groups`: the tensor of the group multipliers of 4-bit weights.
    #[inline(always)]
    pub(super) fn matrix(
        &self,
        [weight, groups]: [Tensor; 2],
        [rows, gates]: [u32; 2],
        columns: NonZeroUsize,
    ) -> Matrix<'a> {
        let shape = |last: usize| if gates == 0 { [rows, last as u32, 0] } else { [rows, gates, last as u32] };
        #[cfg(feature = "widths")]
        if let Some(weights) = self.weights_of_4_or_16_bits([weight, groups], columns.get(), shape) {
            return Matrix { columns, weights };
        }
        _ = groups;
        Matrix { columns, weights: Weights::Bits8(self.weights(weight, shape(columns.get()))) }
    }

    /// The weights of a tensor of 4-bit or 16-bit weights; none for 8-bit weights. `shape`: a function that returns the
    /// expected shape from its last dimension.
    #[cfg(feature = "widths")]
    fn weights_of_4_or_16_bits(
        &self,
        [weight, groups]: [Tensor; 2],
        columns: usize,
        shape: impl Fn(usize) -> [u32; 3],
    ) -> Option<Weights<'a>> {
        let Scanner { entry, .. } = &self.tensor(weight);
        if entry.value == Dtype::I16.name_hash() {
            return Some(Weights::Bits16(halves(self.in_range(weight, Dtype::I16, shape(columns), [-32_767, 32_767]))));
        }
        if entry.value != Dtype::U8.name_hash() {
            return None;
        }
        let pairs = self.bytes(weight, Dtype::U8, shape(columns.div_ceil(2)));
        // The weight −8 is not allowed.
        if let Some(index) = pairs.iter().position(|&byte| pair(byte).contains(&-8)) {
            self.refuse(Fault::Range { tensor: weight, index });
        }
        // The number of columns must be even. The shapes of the fault are in columns, not in bytes.
        if !columns.is_multiple_of(2) {
            self.refuse(Fault::Shape { tensor: weight, found: shape(columns), expected: shape(columns + 1) });
        }
        let multipliers = self.bytes(groups, Dtype::U8, shape(columns.div_ceil(GROUP)));
        if let Some(index) = multipliers.iter().position(|m| !(1..=18).contains(m)) {
            self.refuse(Fault::Range { tensor: groups, index });
        }
        Some(Weights::Bits4 { pairs, group_multipliers: multipliers })
    }
}

/// Casts aligned bytes to 32-bit words.
#[inline(never)]
fn words(bytes: &[u8]) -> &[i32] {
    bytemuck::try_cast_slice(bytes).unwrap_or(&[])
}

/// Casts aligned bytes to 16-bit integers.
#[inline(always)]
fn halves(bytes: &[u8]) -> &[i16] {
    bytemuck::try_cast_slice(bytes).unwrap_or(&[])
}
