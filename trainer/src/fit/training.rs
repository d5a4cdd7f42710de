//! Trains networks for a search: those of the candidates, of the learning curve, and of the best candidate if it has to
//! be trained again.

use crate::recipe::Recipe;
use crate::tasks::TaskData;
use crate::train::{self, BatchProgress, Callback, CrossValidation, Outcome, Problem, StopReason};
use crate::train::{TrainError, Validation};
use anyhow::Context;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tern_nn::process_group::OneProcess;

/// The events that end a training early.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    /// Becomes true to end the training after the running batch.
    pub interrupt: &'a AtomicBool,
    /// The time at which the training of a network is stopped; `None` without limit. A cross-validation ignores it.
    pub deadline: Option<Instant>,
}

/// A trained candidate.
#[derive(Debug)]
pub enum Trained {
    /// The trained network, for data with a validation split.
    Network(Outcome),
    /// The result of a cross-validation, for a small data set. The network of the model is not trained yet.
    Folds(CrossValidation),
}

impl Trained {
    /// Returns the validation figures of the best epoch; zeros if the training ended before the first epoch did.
    pub fn best(&self) -> Validation {
        match self {
            Trained::Network(outcome) => outcome.best().map(|figures| figures.valid).unwrap_or_default(),
            Trained::Folds(found) => found.best(),
        }
    }

    /// Returns true if the training of a network was stopped by its [`Limits`].
    pub fn is_cut_short(&self) -> bool {
        matches!(self, Trained::Network(outcome) if outcome.stop_reason == StopReason::Interrupted)
    }

    /// Returns the network of the model. After a cross-validation, this stores its result in `data` and trains the
    /// network on all rows, which nothing interrupts.
    pub fn complete(self, recipe: &Recipe, data: &mut dyn TaskData) -> Result<Outcome, TrainError> {
        match self {
            Trained::Network(outcome) => Ok(outcome),
            Trained::Folds(found) => {
                data.set_cross_validation(Some(found));
                train::run(recipe, data.problem(), &mut (), &AtomicBool::new(false))
            }
        }
    }
}

/// Trains a network or, if the data has folds, runs a cross-validation. `on_progress` is called with the share of the
/// training that is done, after each batch or fold. Returns `None` if a cross-validation is interrupted; a network
/// whose training is stopped is returned. Fails if the training diverges.
pub fn train(
    recipe: &Recipe,
    problem: &Problem,
    limits: Limits<'_>,
    on_progress: &mut (dyn FnMut(f64) + Send),
) -> Result<Option<Trained>, TrainError> {
    if !problem.folds.is_empty() {
        let after_fold = |folds_done, folds| on_progress(folds_done as f64 / folds as f64);
        let found = train::cross_validate(recipe, problem, limits.interrupt, &OneProcess, after_fold)?;
        return Ok(found.map(Trained::Folds));
    }
    let stop = AtomicBool::new(false);
    let mut stopper = Stopper { limits, stop: &stop, epochs: recipe.epochs(), on_progress };
    Ok(Some(Trained::Network(train::run(recipe, problem, &mut stopper, &stop)?)))
}

/// Trains the network of a model without limits. If the data has folds, runs the cross-validation first and then trains
/// on all rows.
pub fn train_whole(recipe: &Recipe, data: &mut dyn TaskData) -> anyhow::Result<Outcome> {
    let limits = Limits { interrupt: &AtomicBool::new(false), deadline: None };
    let trained = train(recipe, data.problem(), limits, &mut |_| {})?;
    Ok(trained.context("the cross-validation ended without a result")?.complete(recipe, data)?)
}

/// The callback that sets `stop` once a limit is reached, and reports the progress.
struct Stopper<'a> {
    limits: Limits<'a>,
    /// Set to true to end the training.
    stop: &'a AtomicBool,
    /// The number of epochs of the training.
    epochs: usize,
    on_progress: &'a mut (dyn FnMut(f64) + Send),
}

impl Callback for Stopper<'_> {
    fn on_batch(&mut self, progress: &BatchProgress) {
        let is_late = self.limits.deadline.is_some_and(|deadline| Instant::now() > deadline);
        if is_late || self.limits.interrupt.load(Ordering::Relaxed) {
            self.stop.store(true, Ordering::Relaxed);
        }
        // Epochs and batches count from 1.
        let epochs_done = (progress.epoch - 1) as f64 + progress.batch as f64 / progress.batches as f64;
        (self.on_progress)(epochs_done / self.epochs as f64);
    }
}
