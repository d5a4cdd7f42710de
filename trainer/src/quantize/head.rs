//! The linear layer.

use super::row::{Row, quantize_row};
use super::{LARGEST_SHIFT, LIMIT, LargeWeights};
use crate::weights::Array;

/// The quantised head.
pub struct Head {
    /// A row for each label.
    pub rows: Vec<Row>,
    /// In units of the accumulators.
    pub biases: Vec<i32>,
    /// Shift of the requantisation.
    pub shift: u32,
}

/// Quantises weights `[labels, hidden_size]` and biases `[labels]`. `mean_h`: mean of what the head reads.
pub fn quantize(weight: &Array, bias: &Array, mean_h: &[f64]) -> Result<Head, LargeWeights> {
    let rows: Vec<Vec<f64>> =
        weight.data.chunks_exact(mean_h.len()).map(|row| row.iter().map(|&w| f64::from(w)).collect()).collect();
    let biases: Vec<f64> = bias.data.iter().map(|&b| f64::from(b)).collect();
    let head = (0..=LARGEST_SHIFT).find_map(|shift| {
        let unit = f64::from(1 << shift) / f64::from(1 << 17);
        let all = rows.iter().zip(&biases).map(|(row, &bias)| with_bias(row, bias, mean_h, unit));
        let (rows, biases) = all.collect::<Option<(Vec<_>, Vec<_>)>>()?;
        Some(Head { rows, biases, shift })
    });
    head.ok_or(LargeWeights { layer: "fc".to_owned() })
}

/// A row and its bias. The multiplier grows until the sums keep clear of 32 bits.
fn with_bias(weights: &[f64], bias: f64, mean_h: &[f64], unit: f64) -> Option<(Row, i32)> {
    let mut least = 1.0;
    loop {
        let row = quantize_row(weights, None, unit, least)?;
        let lost = super::lost(weights, mean_h, &row.dequantize(None), mean_h);
        let quantized = ((bias + lost) / (row.step / 32_768.0)).round();
        if row.bound() as f64 + quantized.abs() < LIMIT {
            return Some((row, quantized as i32));
        }
        least = f64::from(row.multiplier) * 1.25 + 1.0;
    }
}
