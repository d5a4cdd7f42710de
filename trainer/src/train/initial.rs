//! The weights before training.

use crate::architecture::{Architecture, Cell};
use crate::vocabulary::PAD;
use crate::weights::{Array, Weights, names};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Standard deviation of the embedding. Far below the customary 1: a small model on little data learns better from
/// words that are nearly alike at first.
pub(super) const EMBEDDING_STD: f32 = 0.1;
/// Bias of the forget gate: cells begin by remembering.
const FORGET_BIAS: f32 = 1.0;

/// Random weights: embedding normal, everything else uniform within ±1/√hidden_size as in PyTorch, except for the
/// forget gates' biases. The row of PAD is zero, and stays so.
pub fn weights(architecture: &Architecture, rng: &mut ChaCha8Rng) -> Weights {
    let hidden_size = architecture.hidden_size;
    let bound = 1.0 / (hidden_size as f32).sqrt();
    let forget = hidden_size..2 * hidden_size;
    let mut weights = Weights::default();
    for (name, shape) in architecture.shapes() {
        let count = shape.iter().product();
        let mut data: Vec<f32> = match name.as_str() {
            names::EMBEDDING => (0..count).map(|_| EMBEDDING_STD * normal(rng)).collect(),
            _ => (0..count).map(|_| rng.random_range(-bound..bound)).collect(),
        };
        if name == names::EMBEDDING {
            let width = architecture.input.width();
            data[PAD as usize * width..][..width].fill(0.0);
        } else if architecture.recurrent.cell == Cell::Lstm {
            if name.starts_with("lstm.bias_ih_l") {
                data[forget.clone()].fill(FORGET_BIAS);
            } else if name.starts_with("lstm.bias_hh_l") {
                data[forget.clone()].fill(0.0);
            }
        }
        weights.insert(name, Array { shape, data });
    }
    weights
}

/// A normal random number (Box and Muller).
fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let (a, b): (f64, f64) = (rng.random_range(f64::MIN_POSITIVE..1.0), rng.random());
    ((-2.0 * a.ln()).sqrt() * (2.0 * std::f64::consts::PI * b).cos()) as f32
}
