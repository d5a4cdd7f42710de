//! A linear support vector machine, one class against the rest.
//!
//! Dual coordinate descent with squared hinge loss: Hsieh, Chang, Lin, Keerthi, Sundararajan, "A dual coordinate descent
//! method for large-scale linear SVM", ICML 2008, algorithm 1; the same problem as scikit-learn's `LinearSVC` solves by
//! default.

use super::features::Rows;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// What a unit of hinge loss costs against the squared length of the weights.
const COST: f32 = 1.0;

/// Passes over the rows at most.
const PASSES: usize = 60;

/// The solution is good where no gradient in the dual is larger.
const TOLERANCE: f32 = 0.02;

/// A separating plane.
#[derive(Debug)]
pub struct Plane {
    weights: Vec<f32>,
    bias: f32,
}

impl Plane {
    /// Parts the rows that are `inside` from the others.
    pub fn fit(rows: &Rows, columns: usize, inside: impl Fn(usize) -> bool, seed: u64) -> Self {
        let sign: Vec<f32> = (0..rows.len()).map(|row| if inside(row) { 1.0 } else { -1.0 }).collect();
        let damping = 0.5 / COST;
        // The bias is the weight of a column of ones.
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

    /// How far inside a row is, in units of the margin.
    pub fn distance(&self, row: &[(u32, f32)]) -> f32 {
        self.bias + row.iter().map(|&(column, value)| self.weights[column as usize] * value).sum::<f32>()
    }
}
