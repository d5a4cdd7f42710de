//! Linear support vector machines on tf-idf of n-grams.

use super::Baseline;
use super::features::{Features, Units};
use super::svm::Plane;
use crate::metrics::{Evaluation, argmax};
use crate::train::Prepared;
use rayon::prelude::*;

/// Learns one plane a class, or one for two classes, and takes the class that a text is deepest inside.
pub fn measure(data: &Prepared, seed: u64) -> Baseline {
    let units = Units::of(&data.train);
    let features = Features::new(&data.train, units);
    let (train, valid) = (features.rows(&data.train), features.rows(&data.valid));
    // Of two classes the first one's distance is the second one's with the other sign.
    let classes = if data.labels.len() == 2 { 1..2 } else { 0..data.labels.len() };
    let planes = classes.len();
    let distances: Vec<Vec<f32>> = classes
        .into_par_iter()
        .map(|class| {
            let plane = Plane::fit(&train, features.len(), |row| data.train[row].label == class, seed);
            (0..valid.len()).map(|row| plane.distance(valid.row(row))).collect()
        })
        .collect();
    let mut evaluation = Evaluation::new(data.labels.len());
    for (row, example) in data.valid.iter().enumerate() {
        let predicted = match distances.as_slice() {
            [only] => usize::from(only[row] > 0.0),
            all => argmax(&all.iter().map(|class| class[row]).collect::<Vec<_>>()),
        };
        // A distance is no probability: there is no loss to speak of.
        evaluation.add(example.label, predicted, 0.0);
    }
    let grams = match units {
        Units::Words => "words and pairs of words",
        Units::Characters => "1 to 4 characters",
    };
    Baseline {
        name: "linear_ngrams",
        title: format!("linear, tf-idf of {grams}"),
        evaluation,
        parameters: planes * (features.len() + 1),
    }
}
