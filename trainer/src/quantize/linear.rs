//! Quantisation of a linear layer of the head.

use super::row::{ACCUMULATOR_LIMIT, LargeWeights, Row, dot, quantize_row};
use crate::recipe::Bits;
use crate::weights::Array;
use tern_format::limits::SHIFT;

/// A quantised linear layer.
#[derive(Clone, Debug)]
pub struct Linear {
    /// One row for each output.
    pub rows: Vec<Row>,
    /// The bias of each row, as an integer that is added to the row's accumulator.
    pub biases: Vec<i32>,
    /// The left shift of the outputs: requantised sum << `shift`.
    pub shift: u32,
}

/// Quantises weights `[outputs, width]` and biases `[outputs]` with the smallest possible shift.
///
/// `name`: the layer's name in an error. `mean`: the mean of the layer's input, `[width]`. `scale`: the real value of
/// the integer 2^15 in the input. `one`: the integer that represents the real number 1 in the output.
///
/// # Errors
///
/// [`LargeWeights`] if no shift is large enough.
pub fn quantize(
    (name, weight, bias): (&str, &Array, &Array),
    mean: &[f64],
    scale: f64,
    one: f64,
) -> Result<Linear, LargeWeights> {
    let rows: Vec<Vec<f64>> =
        weight.data.chunks_exact(mean.len()).map(|row| row.iter().map(|&w| f64::from(w)).collect()).collect();
    for shift in SHIFT.clone() {
        // With the multiplier 1, the weight 1 and the input 2^15, which is worth `scale`, add 2^15 · 2^shift / 2^16 to
        // the output: requantising drops 16 bits.
        let base_step = f64::from(1 << shift) / (2.0 * one * scale);
        let quantized = |(row, &bias): (&Vec<f64>, &f32)| row_and_bias(row, bias.into(), mean, scale, base_step);
        let rows_and_biases: Option<Vec<(Row, i32)>> = rows.iter().zip(&bias.data).map(quantized).collect();
        if let Some(rows_and_biases) = rows_and_biases {
            let (rows, biases) = rows_and_biases.into_iter().unzip();
            return Ok(Linear { rows, biases, shift });
        }
    }
    Err(LargeWeights { layer: name.to_owned() })
}

/// Quantises a row and its bias. The multiplier grows until the sums fit 32 bits; `None` if it would be too large.
/// `base_step`: the [`step`](Row::step) of a row with the multiplier 1. `mean`, `scale`: as for [`quantize`].
fn row_and_bias(weights: &[f64], bias: f64, mean: &[f64], scale: f64, base_step: f64) -> Option<(Row, i32)> {
    let mut least_multiplier = 1.0;
    loop {
        let row = quantize_row(Bits::Eight, weights, None, base_step, least_multiplier)?;
        // The mean of the sum of float weights minus that of rounded weights, which the bias corrects.
        let lost = dot(weights, mean) - dot(&row.dequantize(None), mean);
        let integer_bias = ((bias + lost) / (row.step * scale / 32_768.0)).round();
        if row.bound() as f64 + integer_bias.abs() < ACCUMULATOR_LIMIT {
            return Some((row, integer_bias as i32));
        }
        least_multiplier = row.larger_multiplier();
    }
}
