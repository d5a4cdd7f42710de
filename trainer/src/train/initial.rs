//! The initial weights of a training.

use crate::architecture::{Architecture, Cell, names};
use crate::vocabulary::PAD;
use crate::weights::{Array, Weights};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// The initial bias of an LSTM's forget gate. A positive bias lets an untrained cell keep its state.
const FORGET_BIAS: f32 = 1.0;
/// The standard deviation of the initial n-gram table.
const NGRAM_STD: f32 = 0.05;

/// Draws random weights for every parameter of `architecture`.
///
/// The embedding is normally distributed with the standard deviation `embedding_std`, except for the row of PAD, which
/// is zero and stays so in training. The n-gram table is normally distributed with the standard deviation `NGRAM_STD`.
/// The bias of an LSTM's forget gate, or the sum of its two biases, is `FORGET_BIAS`. All other weights, those of the
/// head included, are uniform in ±1/√hidden_size, as in PyTorch's recurrent layers.
pub fn weights(architecture: &Architecture, embedding_std: f32, rng: &mut ChaCha8Rng) -> Weights {
    let hidden_size = architecture.hidden_size;
    let bound = 1.0 / (hidden_size as f32).sqrt();
    // The forget gate is the second gate of an LSTM, in PyTorch's order.
    let forget_gate = hidden_size..2 * hidden_size;
    let mut weights = Weights::default();
    for (name, shape) in architecture.shapes() {
        let count = shape.iter().product();
        let mut data: Vec<f32> = match name.as_str() {
            names::EMBEDDING => (0..count).map(|_| embedding_std * normal(rng)).collect(),
            names::NGRAMS => (0..count).map(|_| NGRAM_STD * normal(rng)).collect(),
            _ => (0..count).map(|_| rng.random_range(-bound..bound)).collect(),
        };
        if name == names::EMBEDDING {
            let width = architecture.input.width();
            data[PAD as usize * width..][..width].fill(0.0);
        } else if architecture.recurrent.cell == Cell::Lstm {
            if name.starts_with("lstm.bias_ih_l") {
                data[forget_gate.clone()].fill(FORGET_BIAS);
            } else if name.starts_with("lstm.bias_hh_l") {
                data[forget_gate.clone()].fill(0.0);
            }
        }
        weights.insert(name, Array { shape, data });
    }
    weights
}

/// Draws a standard normal number by the Box–Muller transform of two uniform numbers.
pub(super) fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let (u1, u2): (f64, f64) = (rng.random_range(f64::MIN_POSITIVE..1.0), rng.random());
    ((-2.0 * u1.ln()).sqrt() * (2.0 * std::f64::consts::PI * u2).cos()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::{CellBias, Recurrent, Sizes};
    use rand::SeedableRng;

    #[test]
    fn embeddings_have_the_given_standard_deviation_and_padding_is_zero() {
        let sizes = Sizes { vocab_size: 1_000, embedding_dim: 16, hidden_size: 4, labels: 2 };
        let recurrent = Recurrent { bias: CellBias::One, ..Recurrent::default() };
        for std in [0.1, 1.0] {
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let weights = weights(&Architecture::of_tokens(sizes, recurrent), std, &mut rng);
            let (padding, rows) = weights[names::EMBEDDING].data.split_at(16);
            assert!(padding.iter().all(|&value| value == 0.0));
            let found = (rows.iter().map(|value| value * value).sum::<f32>() / rows.len() as f32).sqrt();
            assert!((found / std - 1.0).abs() < 0.02, "{found}, expected {std}");
            assert!(weights.get("lstm.bias_hh_l0").is_none());
            assert_eq!(weights["lstm.bias_ih_l0"].data[4..8], [FORGET_BIAS; 4]);
        }
    }
}
