//! The linear baseline: support vector machines on tf-idf of n-grams.

use super::features::{Features, Units};
use super::svm::Plane;
use super::{Baseline, Rows};
use crate::metrics::{Evaluation, argmax};
use rayon::prelude::*;

/// Trains one separating plane a class, or one plane for two classes, and predicts the class with the largest distance.
pub fn measure(data: &Rows<'_>, seed: u64) -> Baseline {
    let units = Units::of(data.vocabulary.tokenizer(), &data.train);
    let features = Features::new(&data.train, units);
    let (train, valid) = (features.rows(&data.train), features.rows(&data.valid));
    // With two classes, the distance of the first is the negative of the second.
    let classes = if data.labels == 2 { 1..2 } else { 0..data.labels };
    let planes = classes.len();
    let distances: Vec<Vec<f32>> = classes
        .into_par_iter()
        .map(|class| {
            let plane = Plane::fit(&train, features.len(), |row| data.train[row].label == class, seed);
            (0..valid.len()).map(|row| plane.distance(valid.row(row))).collect()
        })
        .collect();
    let mut evaluation = Evaluation::new(data.labels);
    for (row, example) in data.valid.iter().enumerate() {
        let predicted = match distances.as_slice() {
            [only] => usize::from(only[row] > 0.0),
            all => argmax(&all.iter().map(|class| class[row]).collect::<Vec<_>>()),
        };
        // A distance is not a probability and has no loss.
        evaluation.add(example.label, predicted, 0.0);
    }
    let grams = match units {
        Units::Tokens(_) => "words and pairs of words",
        Units::Characters => "1 to 4 characters",
    };
    Baseline {
        name: "linear_ngrams",
        title: format!("linear, tf-idf of {grams}"),
        evaluation,
        parameters: planes * (features.len() + 1),
    }
}
