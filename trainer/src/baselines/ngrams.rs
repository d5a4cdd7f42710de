//! The linear baseline: support vector machines on tf-idf of n-grams.
//!
//! Each machine is a plane that separates the rows of one class from all others. It is fitted by dual coordinate
//! descent with squared hinge loss: Hsieh, Chang, Lin, Keerthi, Sundararajan, "A dual coordinate descent method for
//! large-scale linear SVM", ICML 2008, algorithm 1. scikit-learn's `LinearSVC` solves the same problem by default.

use super::features::{Features, SparseRow, Units};
use super::rows::{Baseline, Rows};
use crate::metrics::{Evaluation, argmax};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Fits a plane for each class, or a single one for two classes, and evaluates the predictions on the validation rows.
/// The predicted class is the one from whose plane the row has the largest signed distance. The loss in the evaluation
/// is 0, since a distance is not a probability.
pub fn measure(data: &Rows<'_>, seed: u64) -> Baseline {
    let units = Units::of(data.vocabulary.tokenizer(), &data.train);
    let features = Features::new(&data.train, units);
    let (train, valid) = (features.rows(&data.train), features.rows(&data.valid));
    // With two classes, the plane of the second class suffices: a positive distance means the second class.
    let classes = if data.labels == 2 { 1..2 } else { 0..data.labels };
    let plane_count = classes.len();
    // [plane][validation row]
    let distances: Vec<Vec<f32>> = classes
        .into_par_iter()
        .map(|class| {
            let is_in_class = |row: usize| data.train[row].label == class;
            let plane = Plane::fit(&train, features.len(), is_in_class, seed);
            valid.iter().map(|row| plane.distance(row)).collect()
        })
        .collect();
    let mut evaluation = Evaluation::new(data.labels);
    for (row, example) in data.valid.iter().enumerate() {
        let predicted = match distances.as_slice() {
            [of_second_class] => usize::from(of_second_class[row] > 0.0),
            of_classes => {
                let distances_of_row: Vec<f32> = of_classes.iter().map(|of_class| of_class[row]).collect();
                argmax(&distances_of_row)
            }
        };
        evaluation.add(example.label, predicted, 0.0);
    }
    let ngrams = match units {
        Units::Tokens(_) => "words and pairs of words",
        Units::Characters => "1 to 4 characters",
    };
    Baseline {
        name: "linear_ngrams",
        title: format!("linear, tf-idf of {ngrams}"),
        evaluation,
        parameters: plane_count * (features.len() + 1),
    }
}

/// The weight of the hinge loss relative to the squared norm of the weights: the default of `C` in scikit-learn.
const COST: f32 = 1.0;

/// The largest number of passes over the rows.
const PASSES: usize = 60;

/// The passes end if the largest absolute projected gradient of the dual problem in a pass is below this.
const TOLERANCE: f32 = 0.02;

/// A separating plane: the points with Σ weight · value + bias = 0.
#[derive(Debug)]
struct Plane {
    /// A weight for each column.
    weights: Vec<f32>,
    bias: f32,
}

impl Plane {
    /// Fits a plane that separates the rows for whose index `is_in_class` returns true from the other rows. `columns`:
    /// the number of columns. `seed`: the random seed of the order of the rows in each pass.
    fn fit(rows: &[SparseRow], columns: usize, is_in_class: impl Fn(usize) -> bool, seed: u64) -> Self {
        let signs: Vec<f32> = (0..rows.len()).map(|row| if is_in_class(row) { 1.0 } else { -1.0 }).collect();
        // `D_ii` of the paper: the squared hinge loss adds 1 / (2C) to the diagonal of the dual problem.
        let damping = 0.5 / COST;
        // The diagonal of the dual problem: the squared norm of each row, plus `damping`. The bias is the weight of an
        // additional column of ones, which adds 1.
        let mut diagonal = Vec::with_capacity(rows.len());
        for row in rows {
            let square_norm: f32 = row.iter().map(|(_, value)| value * value).sum();
            diagonal.push(1.0 + damping + square_norm);
        }
        let mut plane = Plane { weights: vec![0.0; columns], bias: 0.0 };
        // The dual variables, at least 0: the weights are Σ alpha · sign · row.
        let mut alpha = vec![0.0_f32; rows.len()];
        let mut order: Vec<usize> = (0..rows.len()).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for _ in 0..PASSES {
            order.shuffle(&mut rng);
            let mut largest_gradient = 0.0_f32;
            for &row in &order {
                let gradient = signs[row] * plane.distance(&rows[row]) - 1.0 + damping * alpha[row];
                // An alpha of 0 cannot become smaller, so only a negative gradient counts there.
                let projected_gradient = if alpha[row] == 0.0 { gradient.min(0.0) } else { gradient };
                largest_gradient = largest_gradient.max(projected_gradient.abs());
                if projected_gradient == 0.0 {
                    continue;
                }
                let new_alpha = (alpha[row] - gradient / diagonal[row]).max(0.0);
                let step = (new_alpha - alpha[row]) * signs[row];
                alpha[row] = new_alpha;
                plane.bias += step;
                for &(column, value) in &rows[row] {
                    plane.weights[column as usize] += step * value;
                }
            }
            if largest_gradient < TOLERANCE {
                break;
            }
        }
        plane
    }

    /// Returns the signed distance of a row from the plane in units of the margin, positive on the side of the class.
    fn distance(&self, row: &[(u32, f32)]) -> f32 {
        self.bias + row.iter().map(|&(column, value)| self.weights[column as usize] * value).sum::<f32>()
    }
}
