//! Arrays of numbers that Python passes as bytes.

use tern_trainer::float_model::Config;

/// Returns the rows of an array, `[rows][channels]`, with the channels of `config`. `values`: the bytes of the 64-bit
/// floats in little-endian order; an incomplete row at the end is dropped.
pub fn rows_of(config: &Config, values: &[u8]) -> Vec<Vec<f64>> {
    let (floats, _incomplete_float) = values.as_chunks::<8>();
    let numbers: Vec<f64> = floats.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    // A model that reads text has no channels, and rows of 0 numbers are not possible.
    let width = config.channels.len().max(1);
    numbers.chunks_exact(width).map(<[f64]>::to_vec).collect()
}
