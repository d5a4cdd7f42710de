//! Post-training quantisation: converts a float model to the bytes of a device file.
//!
//! [`calibrate`](calibrate::calibrate) runs the float model over training rows, to find the ranges and the means of its
//! activations. [`layers`] then quantises each row of weights by itself ([`row`]). Rounding the weights changes the
//! mean of each sum, which the biases correct. [`to_file`] writes the tensors, and `tern_runtime` loads the result and
//! computes the golden logits. `docs/arithmetic.md` defines the integers, `docs/format.md` their place in the file.

pub mod calibrate;
mod device_tensors;
pub mod embedding;
pub mod layer;
pub mod linear;
mod network;
mod ngrams;
pub mod row;
pub mod scaling;

pub use device_tensors::{Golden, to_file};
pub use network::{Inputs, QuantizeError, Quantized, check_widths, layers};

#[cfg(test)]
mod tests;
