//! The accuracy with fewer rows, which tells whether more rows would help.

use super::search::Search;
use crate::recipe::Recipe;
use crate::tasks;
use crate::train::{self, Callback, Problem, Validation};
use serde::Serialize;

/// The shares of the training rows.
const SHARES: [f64; 2] = [0.25, 0.5];

/// The accuracy after a training with some of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The number of training rows.
    pub rows: usize,
    /// The accuracy of the float model on the validation rows.
    pub accuracy: f64,
}

/// Trains the recipe with a quarter and with half of the training rows. `accuracy`: that of the float model with all
/// rows. The curve is incomplete if the search is interrupted.
pub fn learning_curve(search: &Search<'_>, recipe: &Recipe, accuracy: f64) -> anyhow::Result<Vec<Point>> {
    let mut recipe = recipe.clone();
    let data = tasks::read_data(&mut recipe, false)?;
    let mut points = Vec::new();
    for share in SHARES {
        let problem = data.problem().with_share(share, recipe.training.seed);
        if let Some(accuracy) = trained_figures(search, &recipe, &problem)?.and_then(|figures| figures.accuracy) {
            points.push(Point { rows: problem.train.len(), accuracy });
        }
    }
    points.push(Point { rows: data.problem().train.len(), accuracy });
    Ok(points)
}

/// The best figures of a training; `None` after an interrupt.
fn trained_figures(search: &Search<'_>, recipe: &Recipe, problem: &Problem) -> anyhow::Result<Option<Validation>> {
    if !problem.folds.is_empty() {
        let found = train::cross_validate(recipe, problem, search.interrupt, |_, _| {})?;
        return Ok(found.map(|found| found.history[found.best_epoch - 1]));
    }
    struct Silent;
    impl Callback for Silent {}
    let outcome = train::run(recipe, problem, &mut Silent, search.interrupt)?;
    let is_complete = outcome.stop_reason != train::StopReason::Interrupted;
    let best = outcome.history.get(outcome.best_epoch.wrapping_sub(1)).filter(|_| is_complete);
    Ok(best.map(|figures| figures.valid))
}
