//! The accuracy as a function of the number of training rows, which tells whether more rows would help.

use super::training::{Limits, train};
use crate::recipe::Recipe;
use crate::tasks;
use serde::Serialize;

/// The shares of the training rows with which a network is trained.
const SHARES: [f64; 2] = [0.25, 0.5];

/// The accuracy after a training with some of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The number of training rows.
    pub rows: usize,
    /// The accuracy of the float model on the validation rows.
    pub accuracy: f64,
}

/// Trains with a quarter and with half of the training rows, and returns the points by increasing number of rows. The
/// last one is `accuracy`, that of the float model trained on all rows. If `limits` end a training, its point is
/// missing.
pub fn learning_curve(recipe: &Recipe, accuracy: f64, limits: Limits<'_>) -> anyhow::Result<Vec<Point>> {
    let mut recipe = recipe.clone();
    let with_baselines = false;
    let data = tasks::read_data(&mut recipe, with_baselines)?;
    let mut points = Vec::new();
    for share in SHARES {
        let problem = data.problem().with_share(share, recipe.training.seed);
        let trained = train(&recipe, &problem, limits, &mut |_| {})?;
        if let Some(trained) = trained
            && !trained.is_cut_short()
            && let Some(accuracy) = trained.best().accuracy
        {
            points.push(Point { rows: problem.train.len(), accuracy });
        }
    }
    points.push(Point { rows: data.problem().train.len(), accuracy });
    Ok(points)
}
