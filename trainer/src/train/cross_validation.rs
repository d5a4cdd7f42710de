//! Cross-validation with k folds, for data sets too small for a validation split: each fold is validated by a network
//! trained on the others. It measures the accuracy on all rows and finds the number of epochs for the final training on
//! all rows.

use super::problem::Problem;
use super::run::{Callback, EpochFigures, StopReason, TrainError, run};
use super::sample::{Sample, Steps};
use super::state::State;
use super::validation::Validation;
use super::{StateEvent, validation};
use crate::embeddings::Embeddings;
use crate::nn::network::Network;
use crate::recipe::Recipe;
use crate::vocabulary::{PAD, UNK};
use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use tern_nn::objective::Objective;

/// The result of a cross-validation.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossValidation {
    /// The number of folds.
    pub folds: usize,
    /// The figures after each epoch, over all rows.
    pub history: Vec<Validation>,
    /// The best epoch, from 1.
    pub best_epoch: usize,
    /// The outputs for each row after the best epoch, by the network that was not trained on the row:
    /// `[rows][outputs]`.
    pub outputs: Vec<Vec<f32>>,
}

/// Trains one network for each fold. `after_fold` is called with the number of the fold, from 1.
///
/// Returns `None` if `stop` interrupted it.
///
/// # Errors
///
/// See [`TrainError`].
pub fn cross_validate(
    recipe: &Recipe,
    problem: &Problem,
    stop: &AtomicBool,
    mut after_fold: impl FnMut(usize, usize),
) -> Result<Option<CrossValidation>, TrainError> {
    let Objective::Classes(classes) = &problem.objective else { return Ok(None) };
    let folds = problem.folds.iter().max().map_or(0, |fold| fold + 1);
    let rows = problem.train.len();
    let mut recipe = recipe.clone();
    // All folds train for the same number of epochs, so that their figures can be pooled epoch by epoch.
    let patience = std::mem::replace(&mut recipe.training.patience, usize::MAX);
    let mut outputs = vec![vec![Vec::new(); rows]; recipe.training.epochs];
    for fold in 0..folds {
        let (train_rows, valid_rows): (Vec<usize>, Vec<usize>) = (0..rows).partition(|&row| problem.folds[row] != fold);
        let part = part(problem, &train_rows, &valid_rows);
        let mut recorder = Recorder { problem: &part, outputs: Vec::new() };
        let outcome = run(&recipe, &part, &mut recorder, stop).map_err(|error| in_all_rows(error, &train_rows))?;
        if outcome.stop_reason == StopReason::Interrupted {
            return Ok(None);
        }
        for (all, of_fold) in outputs.iter_mut().zip(recorder.outputs) {
            for (&row, output) in valid_rows.iter().zip(of_fold) {
                all[row] = output;
            }
        }
        after_fold(fold + 1, folds);
    }
    let figures = |outputs: &Vec<Vec<f32>>| validation::classes(outputs, &problem.train, classes);
    let mut history: Vec<Validation> = Vec::new();
    let mut best = 0;
    for epoch in outputs.iter().map(figures) {
        history.push(epoch);
        let last = history.len() - 1;
        if last > 0 && epoch.is_better_than(&history[best], recipe.metric()) {
            best = last;
        }
        if last - best >= patience {
            break;
        }
    }
    Ok(Some(CrossValidation { folds, history, best_epoch: best + 1, outputs: outputs.swap_remove(best) }))
}

/// Returns the problem of one fold. Tokens that do not occur in its training rows are unknown in its validation rows,
/// as if the vocabulary had been built from the training rows.
fn part(problem: &Problem, train_rows: &[usize], valid_rows: &[usize]) -> Problem {
    let select = |rows: &[usize]| -> Vec<Sample> { rows.iter().map(|&row| problem.train[row].clone()).collect() };
    let (train, mut valid) = (select(train_rows), select(valid_rows));
    let mut known: HashSet<u32> = train.iter().flat_map(tokens).copied().collect();
    known.insert(PAD);
    known.extend(problem.embeddings.iter().flat_map(Embeddings::vectors).map(|(id, _)| id));
    for sample in &mut valid {
        if let Steps::Tokens(ids) = &mut sample.steps {
            ids.iter_mut().filter(|id| !known.contains(id)).for_each(|id| *id = UNK);
        }
    }
    Problem { train, valid, folds: Vec::new(), cross_validation: None, ..problem.clone() }
}

fn tokens(sample: &Sample) -> &[u32] {
    match &sample.steps {
        Steps::Tokens(ids) => ids,
        Steps::Values { .. } => &[],
    }
}

/// Changes the samples that an error names from indices of a fold to indices of all rows.
fn in_all_rows(mut error: TrainError, train_rows: &[usize]) -> TrainError {
    if let TrainError::Diverged { samples, kept, .. } = &mut error {
        samples.iter_mut().for_each(|sample| *sample = train_rows[*sample]);
        *kept = None;
    }
    error
}

/// The callback that records the outputs for the validation rows after each epoch.
struct Recorder<'a> {
    problem: &'a Problem,
    /// `[epochs][rows][outputs]`
    outputs: Vec<Vec<Vec<f32>>>,
}

impl Callback for Recorder<'_> {
    fn on_epoch(&mut self, _: &EpochFigures, _: bool) {}

    fn on_state(&mut self, state: &State, event: StateEvent) {
        if event == StateEvent::AfterEpoch {
            let network = Network::new(&state.average, &self.problem.architecture);
            self.outputs.push(self.problem.outputs(&network));
        }
    }
}
