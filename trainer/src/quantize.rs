//! Post-training quantisation: converts a float model to the bytes of a device file.
//!
//! [`calibrate`](calibrate::calibrate) runs the float model over training rows, to find the ranges and the means of its
//! activations. [`layers`] then quantises each row of weights separately ([`row`]). Rounding the weights changes the
//! mean of each sum; the biases correct this change. [`to_file`] returns the bytes of the file, with the golden logits
//! that `tern_runtime` computes. `docs/arithmetic.md` defines the integers, `docs/format.md` their place in the file.

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
pub use network::{Inputs, QuantizeError, Quantized, allowed_tokens, check_token_fingerprints, check_widths, layers};

#[cfg(test)]
mod tests;
