//! Cross-validation with k folds, for data sets too small for a validation split: each fold is validated by a network
//! trained on the other folds. The cross-validation measures the accuracy on all rows and finds the number of epochs
//! for the final training on all rows.

use super::callback::{Callback, StateEvent};
use super::outcome::{StopReason, TrainError};
use super::problem::{CrossValidation, Problem};
use super::run::resume;
use super::state::State;
use super::temperature::{divide, fit_temperature};
use super::validation::{self, Validation};
use super::{Classes, Objective, Sample, Steps, Target};
use crate::embeddings::Embeddings;
use crate::logits::class_logits;
use crate::recipe::Recipe;
use crate::vocabulary::{PAD, UNK};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use tern_nn::process_group::ProcessGroup;

/// Trains one network for each fold and pools their outputs for the validation rows. Returns `None` if `stop` ended the
/// training of a fold early, or if the problem is not a classification. `after_fold` is called after each fold with its
/// number, from 1, and the number of folds. All processes of the group call this function with the same arguments.
/// Fails as [`resume`] does.
pub fn cross_validate(
    recipe: &Recipe,
    problem: &Problem,
    stop: &AtomicBool,
    group: &dyn ProcessGroup,
    mut after_fold: impl FnMut(usize, usize),
) -> Result<Option<CrossValidation>, TrainError> {
    let Objective::Classes(classes) = &problem.objective else { return Ok(None) };
    let folds = problem.fold_count();
    let row_count = problem.train.len();
    // All folds train for the same number of epochs, so that their figures can be pooled epoch by epoch.
    let patience = recipe.training.patience;
    let mut recipe = recipe.clone();
    recipe.training.patience = usize::MAX;
    // The outputs for each row by the network of the other folds: `[epochs][rows][outputs]`.
    let mut outputs = vec![vec![Vec::new(); row_count]; recipe.epochs()];
    for fold in 0..folds {
        let (train_rows, valid_rows) = problem.fold_rows(fold);
        let fold_problem = problem.fold(fold);
        let mut recorder = Recorder { problem: &fold_problem, outputs: Vec::new() };
        let state = State::new(&recipe, &fold_problem);
        let outcome = resume(state, &recipe, &fold_problem, &mut recorder, stop, group)
            .map_err(|error| in_all_rows(error, &train_rows))?;
        if outcome.stop_reason == StopReason::Interrupted {
            return Ok(None);
        }
        for (epoch_outputs, fold_outputs) in outputs.iter_mut().zip(recorder.outputs) {
            for (&row, output) in valid_rows.iter().zip(fold_outputs) {
                epoch_outputs[row] = output;
            }
        }
        after_fold(fold + 1, folds);
    }
    let (history, best) = search_best_epoch(&outputs, problem, classes, &recipe, patience);
    let mut best_outputs = outputs.swap_remove(best);
    let mut temperature = None;
    if recipe.training.temperature_scaling {
        let mut labelled_logits = Vec::new();
        for (sample, row_outputs) in problem.train.iter().zip(&best_outputs) {
            if let Target::Class(label) = sample.target {
                labelled_logits.push((label, class_logits(row_outputs)));
            }
        }
        let fitted = fit_temperature(&labelled_logits);
        for row_outputs in &mut best_outputs {
            divide(row_outputs, fitted);
        }
        temperature = Some(fitted);
    }
    Ok(Some(CrossValidation { folds, history, best_epoch: best + 1, outputs: best_outputs, temperature }))
}

/// Searches the best epoch as a training does: until `patience` successive epochs are not better than the best one.
/// Returns the figures of the epochs up to the end of the search, over all rows, and the index of the best one.
/// `outputs`: `[epochs][rows][outputs]`.
fn search_best_epoch(
    outputs: &[Vec<Vec<f32>>],
    problem: &Problem,
    classes: &Classes,
    recipe: &Recipe,
    patience: usize,
) -> (Vec<Validation>, usize) {
    let mut history: Vec<Validation> = Vec::new();
    let mut best = 0;
    for (epoch, epoch_outputs) in outputs.iter().enumerate() {
        history.push(validation::classes(epoch_outputs, &problem.train, classes));
        if history[epoch].is_better_than(&history[best], recipe.metric()) {
            best = epoch;
        }
        if epoch - best >= patience {
            break;
        }
    }
    (history, best)
}

impl Problem {
    /// Returns the number of folds; 0 without cross-validation.
    pub fn fold_count(&self) -> usize {
        // `folds` has the fold of each row, from 0.
        self.folds.iter().max().map_or(0, |last| last + 1)
    }

    /// Returns the problem of one fold: the rows of the fold are its validation samples, all other rows its training
    /// samples. Panics if there is no cross-validation.
    ///
    /// The vocabulary and the normalisation of `self` come from all rows. The network of the fold must not profit from
    /// the validation rows. Therefore, tokens of validation rows that occur in no training row and have no pretrained
    /// vector become unknown, and values are normalised once more by the means and standard deviations of the training
    /// rows.
    pub fn fold(&self, fold: usize) -> Problem {
        let (train_rows, valid_rows) = self.fold_rows(fold);
        let select = |rows: &[usize]| -> Vec<Sample> { rows.iter().map(|&row| self.train[row].clone()).collect() };
        let (mut train, mut valid) = (select(&train_rows), select(&valid_rows));
        self.forget_untrained_tokens(&train, &mut valid);
        normalise(&mut train, &mut valid);
        Problem { train, valid, folds: Vec::new(), cross_validation: None, ..self.clone() }
    }

    /// Returns the problem with the given share, 0 to 1, of the training samples of each class, rounded up and drawn at
    /// random by `seed`. With the same seed, the samples of a smaller share are a subset of those of a larger one. With
    /// cross-validation, the chosen training samples are the validation samples too. Otherwise the validation samples
    /// stay the same, except that tokens without a training sample become unknown as in [`fold`](Self::fold).
    pub fn with_share(&self, share: f64, seed: u64) -> Problem {
        let mut order: Vec<usize> = (0..self.train.len()).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        // Samples of other tasks count as one class.
        let class = |row: usize| if let Target::Class(class) = self.train[row].target { class } else { 0 };
        let mut class_sizes: HashMap<usize, usize> = HashMap::new();
        for &row in &order {
            *class_sizes.entry(class(row)).or_default() += 1;
        }
        // The number of rows of each class that are chosen so far.
        let mut chosen_sizes: HashMap<usize, usize> = HashMap::new();
        let mut chosen = Vec::new();
        for row in order {
            let wanted_size = (class_sizes[&class(row)] as f64 * share).ceil() as usize;
            let chosen_size = chosen_sizes.entry(class(row)).or_default();
            if *chosen_size < wanted_size {
                *chosen_size += 1;
                chosen.push(row);
            }
        }
        chosen.sort_unstable();
        let train: Vec<Sample> = chosen.iter().map(|&row| self.train[row].clone()).collect();
        let folds: Vec<usize> = chosen.iter().filter_map(|&row| self.folds.get(row).copied()).collect();
        let mut valid = if folds.is_empty() { self.valid.clone() } else { train.clone() };
        self.forget_untrained_tokens(&train, &mut valid);
        Problem { train, valid, folds, cross_validation: None, ..self.clone() }
    }

    /// Replaces the tokens of `valid` that occur in no sample of `train` and have no pretrained vector by UNK.
    fn forget_untrained_tokens(&self, train: &[Sample], valid: &mut [Sample]) {
        let mut known = HashSet::from([PAD]);
        for sample in train {
            if let Steps::Tokens(ids) = &sample.steps {
                known.extend(ids);
            }
        }
        known.extend(self.embeddings.iter().flat_map(Embeddings::vectors).map(|(id, _)| id));
        for sample in valid {
            if let Steps::Tokens(ids) = &mut sample.steps {
                for id in ids.iter_mut().filter(|id| !known.contains(id)) {
                    *id = UNK;
                }
            }
        }
    }

    /// Returns the indices of the training rows and of the validation rows of a fold.
    fn fold_rows(&self, fold: usize) -> (Vec<usize>, Vec<usize>) {
        (0..self.train.len()).partition(|&row| self.folds[row] != fold)
    }
}

/// Normalises each channel of the samples to mean 0 and standard deviation 1 over `train`. A channel that is constant
/// in `train` is only shifted. Samples of tokens are left unchanged.
fn normalise(train: &mut [Sample], valid: &mut [Sample]) {
    let Some(&Steps::Values { channels, .. }) = train.first().map(|sample| &sample.steps) else { return };
    for channel in 0..channels {
        let numbers = || train.iter().flat_map(|sample| sample.steps.rows()).map(|row| f64::from(row[channel]));
        let count = numbers().count().max(1) as f64;
        let mean = numbers().sum::<f64>() / count;
        let variance = numbers().map(|number| (number - mean).powi(2)).sum::<f64>() / count;
        // A standard deviation this small is a rounding error.
        let std = if variance.sqrt() > f64::from(f32::EPSILON) { variance.sqrt() } else { 1.0 };
        for sample in train.iter_mut().chain(valid.iter_mut()) {
            if let Steps::Values { values, .. } = &mut sample.steps {
                for number in values.iter_mut().skip(channel).step_by(channels) {
                    *number = ((f64::from(*number) - mean) / std) as f32;
                }
            }
        }
    }
}

/// Returns the error of a fold as one of the whole problem. The samples in `error` are indices into `train_rows`, the
/// training rows of the fold; they are replaced by the indices among all rows. The outcome with the best epoch of the
/// fold is removed, since a fold's network is not the model.
fn in_all_rows(mut error: TrainError, train_rows: &[usize]) -> TrainError {
    if let TrainError::Diverged { samples, best, .. } = &mut error {
        for sample in samples {
            *sample = train_rows[*sample];
        }
        *best = None;
    }
    error
}

/// The callback that records the network's outputs for the validation rows after each epoch. The network has the
/// averaged weights, as the finished model does.
struct Recorder<'a> {
    problem: &'a Problem,
    /// The recorded outputs: `[epochs][validation rows][outputs]`.
    outputs: Vec<Vec<Vec<f32>>>,
}

impl Callback for Recorder<'_> {
    fn on_state(&mut self, state: &State, event: StateEvent) {
        if event == StateEvent::AfterEpoch {
            self.outputs.push(self.problem.outputs(&state.network(&self.problem.architecture)));
        }
    }
}
