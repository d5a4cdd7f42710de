//! Arrays of numbers that Python passes as bytes.

use tern_trainer::float_model::Config;

/// Returns the rows of an array, `[rows][channels]`. `values`: the bytes of the 64-bit floats; an incomplete row at the
/// end is dropped.
pub fn rows_of(config: &Config, values: &[u8]) -> Vec<Vec<f64>> {
    let numbers: Vec<f64> = values.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    // A model that reads text has no channels.
    numbers.chunks_exact(config.channels.len().max(1)).map(<[f64]>::to_vec).collect()
}
