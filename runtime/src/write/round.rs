//! Converts weights to 4 and 16 bits: `docs/arithmetic.md`, "Weights of 4 and 16 bits".

use alloc::{string::String, vec::Vec};

use super::tensor::Tensor;
use crate::kernel::GROUP;
use crate::load::dtype::Dtype;

/// The largest 4-bit weight.
const LARGEST: i32 = 7;
/// The multipliers of a group of 4-bit weights. The largest keeps the product within an 8-bit weight: 7 · 18 = 126.
const MULTIPLIERS: core::ops::RangeInclusive<i32> = 1..=18;

/// Returns the 4-bit weight, −7 to 7, that, times `multiplier`, is nearest to an 8-bit weight; of two equally near ones
/// the larger in magnitude.
fn nearest(weight: i8, multiplier: i32) -> i32 {
    let (weight, half) = (i32::from(weight), multiplier / 2);
    let rounded = (weight.abs() + half) / multiplier;
    (rounded * weight.signum()).clamp(-LARGEST, LARGEST)
}

/// Returns the multiplier with which the weights of a group have the smallest sum of squared errors; among equal sums
/// the smallest multiplier.
fn best_multiplier(group: &[i8]) -> i32 {
    let squared_error = |multiplier: &i32| -> i32 {
        let errors = group.iter().map(|&w| i32::from(w) - nearest(w, *multiplier) * multiplier);
        errors.map(|error| error * error).sum()
    };
    MULTIPLIERS.min_by_key(squared_error).unwrap_or(1)
}

/// Rounds one row of 8-bit weights to values that 4-bit weights can have: in each group of 16 columns, a multiple from
/// −7 to 7 of one multiplier from 1 to 18.
pub fn round_to_4_bits(row: &mut [i8]) {
    for group in row.chunks_mut(GROUP) {
        let multiplier = best_multiplier(group);
        group.iter_mut().for_each(|w| *w = (nearest(*w, multiplier) * multiplier) as i8);
    }
}

/// Returns the name of the tensor with the group multipliers of the 4-bit weights `weight`.
fn groups_name(weight: &str) -> String {
    weight.replacen(".weight", ".group_multiplier", 1)
}

/// Converts a tensor of 8-bit weights, whose last dimension is an even number of columns, to 4-bit weights. Returns
/// these and the multipliers of their groups. It rounds as [`round_to_4_bits`] does, so weights rounded by that
/// function keep their values. Recurrent weights must be in the packing [`Rows`](crate::Packing::Rows).
///
/// # Panics
/// If the tensor does not have 8-bit weights, or has an odd number of columns.
pub fn in_4_bits(tensor: &Tensor) -> [Tensor; 2] {
    let columns = tensor.shape.last().copied().unwrap_or(0);
    assert!(
        tensor.dtype == Dtype::I8 && columns.is_multiple_of(2) && columns > 0,
        "`{}` is not I8 with an even number of columns",
        tensor.name
    );
    let weights: Vec<i8> = tensor.data.iter().map(|&byte| byte as i8).collect();
    let (mut pairs, mut multipliers) = (Vec::new(), Vec::new());
    for group in weights.chunks(columns).flat_map(|row| row.chunks(GROUP)) {
        let multiplier = best_multiplier(group);
        multipliers.push(multiplier as u8);
        // Two weights in a byte, the first in its lower half.
        let nibble = |w: i8| (nearest(w, multiplier) & 0xf) as u8;
        pairs.extend(group.chunks(2).map(|pair| nibble(pair[0]) | nibble(pair[1]) << 4));
    }
    let shape_with_last = |last: usize| {
        let mut shape = tensor.shape.clone();
        shape.pop();
        [&shape[..], &[last]].concat()
    };
    [
        Tensor::new(&tensor.name, Dtype::U8, &shape_with_last(columns / 2), &pairs),
        Tensor::new(&groups_name(&tensor.name), Dtype::U8, &shape_with_last(columns.div_ceil(GROUP)), &multipliers),
    ]
}

/// Returns a tensor of 16-bit weights, −32,767 to 32,767, row by row, in units of 1/256 of an 8-bit weight. Recurrent
/// weights must be in the packing [`Rows`](crate::Packing::Rows); their rows form no pairs.
pub fn in_16_bits(name: &str, shape: &[usize], weights: &[i16]) -> Tensor {
    Tensor::new(name, Dtype::I16, shape, weights)
}

/// Reorders the weights of a recurrent layer from `[units, columns, gates]` to `[units, gates, columns]`. Other
/// tensors, and those of plain cells, which have one gate and two dimensions, are returned unchanged.
pub(super) fn by_rows(tensor: Tensor) -> Tensor {
    let is_weight = tensor.name.contains(".weight_ih_") || tensor.name.contains(".weight_hh_");
    let &[units, columns, gates] = &tensor.shape[..] else { return tensor };
    if !is_weight {
        return tensor;
    }
    let element_bytes = tensor.data.len() / (units * columns * gates).max(1);
    let bytes_of_weight = |unit: usize, gate: usize, column: usize| {
        let element = (unit * columns + column) * gates + gate;
        tensor.data[element * element_bytes..][..element_bytes].iter().copied()
    };
    let rows = (0..units).flat_map(|unit| (0..gates).map(move |gate| (unit, gate)));
    let elements = rows.flat_map(|(unit, gate)| (0..columns).map(move |column| (unit, gate, column)));
    let data = elements.flat_map(|(unit, gate, column)| bytes_of_weight(unit, gate, column)).collect();
    Tensor { name: tensor.name.clone(), dtype: tensor.dtype, shape: [units, gates, columns].into(), data }
}
