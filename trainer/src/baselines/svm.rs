//! A linear support vector machine that separates one class from all others.
//!
//! Dual coordinate descent with squared hinge loss: Hsieh, Chang, Lin, Keerthi, Sundararajan, "A dual coordinate
//! descent method for large-scale linear SVM", ICML 2008, algorithm 1. scikit-learn's `LinearSVC` solves the same
//! problem by default.

use super::features::Rows;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Weight of the hinge loss against the squared norm of the weights, `C` in scikit-learn.
const COST: f32 = 1.0;

/// Maximum number of passes over the rows.
const PASSES: usize = 60;

/// The passes end when no gradient of the dual problem is larger than this.
const TOLERANCE: f32 = 0.02;

/// A separating plane.
#[derive(Debug)]
pub struct Plane {
    weights: Vec<f32>,
    bias: f32,
}

impl Plane {
    /// Fits a plane that separates the rows for which `inside` returns true from the others.
    pub fn fit(rows: &Rows, columns: usize, inside: impl Fn(usize) -> bool, seed: u64) -> Self {
        let sign: Vec<f32> = (0..rows.len()).map(|row| if inside(row) { 1.0 } else { -1.0 }).collect();
        let damping = 0.5 / COST;
        // The bias is the weight of a further column of ones.
        let curvature: Vec<f32> = (0..rows.len())
            .map(|row| 1.0 + damping + rows.row(row).iter().map(|(_, value)| value * value).sum::<f32>())
            .collect();
        let mut plane = Plane { weights: vec![0.0; columns], bias: 0.0 };
        let mut alpha = vec![0.0_f32; rows.len()];
        let mut order: Vec<usize> = (0..rows.len()).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for _ in 0..PASSES {
            order.shuffle(&mut rng);
            let mut largest = 0.0_f32;
            for &row in &order {
                let gradient = sign[row] * plane.distance(rows.row(row)) - 1.0 + damping * alpha[row];
                let projected = if alpha[row] == 0.0 { gradient.min(0.0) } else { gradient };
                largest = largest.max(projected.abs());
                if projected != 0.0 {
                    let before = alpha[row];
                    alpha[row] = (before - gradient / curvature[row]).max(0.0);
                    let step = (alpha[row] - before) * sign[row];
                    plane.bias += step;
                    for &(column, value) in rows.row(row) {
                        plane.weights[column as usize] += step * value;
                    }
                }
            }
            if largest < TOLERANCE {
                break;
            }
        }
        plane
    }

    /// Returns the signed distance of a row from the plane in units of the margin, positive inside.
    pub fn distance(&self, row: &[(u32, f32)]) -> f32 {
        self.bias + row.iter().map(|&(column, value)| self.weights[column as usize] * value).sum::<f32>()
    }
}
