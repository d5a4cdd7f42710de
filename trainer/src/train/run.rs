//! The epochs.

use super::batches::{self, Limits};
use super::device::NoDevice;
use super::problem::Problem;
use super::sample::Sample;
use super::schedule::{Position, plateau};
use super::state::{State, Underway};
use super::validation::Validation;
use crate::denormals::Flush;
use crate::nn::network::Network;
use crate::recipe::Recipe;
use crate::weights::{Weights, names};
use candle_core::Device;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};
use tern_nn::graph::{BatchResult, Graph, Noise};

/// How far an epoch has come.
#[derive(Clone, Copy, Debug)]
pub struct BatchProgress {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Batches done in this epoch.
    pub batch: usize,
    /// Batches in this epoch.
    pub batches: usize,
    /// Tokens of the batch that was just done.
    pub tokens: usize,
    /// Mean loss of the epoch so far, with noise, label smoothing and class weights.
    pub loss: f64,
    /// Accuracy of the epoch so far, with noise; none of a forecast.
    pub accuracy: Option<f64>,
    /// Learning rate of the batch.
    pub learning_rate: f64,
    /// Norm of the batch's gradients before clipping.
    pub gradient_norm: f64,
}

/// The figures of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochFigures {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Mean loss on the batches as they came, with noise, label smoothing and class weights.
    pub train_loss: f64,
    /// Accuracy on the batches as they came, with noise; none of a forecast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_accuracy: Option<f64>,
    /// On what was held out.
    #[serde(flatten)]
    pub valid: Validation,
    /// Learning rate at the end of the epoch.
    pub learning_rate: f64,
}

/// Is told how a training goes.
pub trait Observer {
    /// After each batch.
    fn batch(&mut self, progress: &BatchProgress);
    /// After each epoch. `best`: whether it is the best so far.
    fn epoch(&mut self, figures: &EpochFigures, best: bool);
    /// After each batch and after each epoch: a state from which the training can be continued.
    fn state(&mut self, _state: &State, _moment: Moment) {}
}

/// When a state is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// An epoch is under way.
    Batch,
    /// An epoch is done.
    Epoch,
    /// The training was told to stop: there will be no other state.
    Stop,
}

/// Why a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// All epochs are done.
    Epochs,
    /// There was no better epoch for too long.
    Patience,
    /// It was told to stop.
    Interrupted,
    /// A loss was not a number.
    Diverged,
}

/// A finished training.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The weights of the best epoch.
    pub weights: Weights,
    /// All epochs in turn.
    pub history: Vec<EpochFigures>,
    /// The epoch that the weights are of, from 1: see [`Validation::is_better_than`].
    pub best_epoch: usize,
    /// Why it ended.
    pub ending: Ending,
    /// Training sequences that were cut to `batch_tokens`.
    pub cut: usize,
}

/// Why a training fails.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A loss is not a number, or gradients are not.
    #[error(
        "epoch {epoch}, batch {batch} of {batches}: the {what}: the training diverged; lower the learning rate (it is {rate}): [training] learning_rate, --learning-rate"
    )]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// The batch, from 1.
        batch: usize,
        /// Batches of the epoch.
        batches: usize,
        /// What is not a number.
        what: String,
        /// The highest learning rate.
        rate: f64,
        /// The batch's samples, as indices into [`Problem::train`]; where the loss of some alone is no number, only those.
        samples: Vec<usize>,
        /// The outcome with the best epoch before, if there was one.
        kept: Option<Box<Outcome>>,
    },
    /// candle refuses an operation.
    #[error("candle: {0}")]
    Candle(#[from] candle_core::Error),
    /// The device cannot be used.
    #[error(transparent)]
    Device(#[from] NoDevice),
    /// The threads cannot be started.
    #[error("{threads} threads: {source}")]
    Threads {
        /// How many.
        threads: usize,
        /// What the system says.
        source: rayon::ThreadPoolBuildError,
    },
}

/// Trains from the beginning: see [`resume`].
///
/// # Errors
///
/// See [`TrainError`].
pub fn run(
    recipe: &Recipe,
    problem: &Problem,
    observer: &mut (dyn Observer + Send),
    stop: &AtomicBool,
) -> Result<Outcome, TrainError> {
    resume(State::new(recipe, problem), recipe, problem, observer, stop)
}

/// Trains on from `state`. `stop` is looked at after each batch: once it is true, the training ends with the best so far.
///
/// The result depends on the recipe and the data, and neither on the number of threads nor on where it was resumed; but
/// for another device than the CPU, whose sums are made in an order of its own.
///
/// # Errors
///
/// See [`TrainError`].
pub fn resume(
    state: State,
    recipe: &Recipe,
    problem: &Problem,
    observer: &mut (dyn Observer + Send),
    stop: &AtomicBool,
) -> Result<Outcome, TrainError> {
    let device = recipe.training.device.open()?;
    let threads = recipe.threads();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|source| TrainError::Threads { threads, source })?;
    pool.install(|| {
        let _flush = Flush::denormals();
        Training { recipe, problem, device, state }.run(observer, stop)
    })
}

struct Training<'a> {
    recipe: &'a Recipe,
    problem: &'a Problem,
    device: Device,
    state: State,
}

impl Training<'_> {
    fn run(mut self, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<Outcome, TrainError> {
        let stopped = || stop.load(Ordering::Relaxed);
        let ending = loop {
            if let Some(ending) = self.over() {
                break ending;
            }
            if (stopped() && self.state.epochs_done() > 0) || !self.batches(observer, stop)? {
                observer.state(&self.state, Moment::Stop);
                break Ending::Interrupted;
            }
            let figures = self.figures();
            if !figures.valid.loss.is_finite() {
                let (batch, what) = (self.state.batches_done(), format!("validation loss is {}", figures.valid.loss));
                return Err(self.diverged(what, batch, batch, Vec::new()));
            }
            let better = self.state.end_epoch(figures);
            observer.epoch(&figures, better);
            observer.state(&self.state, Moment::Epoch);
        };
        if self.state.batches_done() > 0 {
            // What there is of the last epoch may be the best; whoever resumes begins before these figures.
            let figures = self.figures();
            let better = self.state.end_epoch(figures);
            observer.epoch(&figures, better);
        }
        Ok(self.outcome(ending))
    }

    /// Why there is no further epoch, if there is none.
    fn over(&self) -> Option<Ending> {
        let (settings, done) = (&self.recipe.training, self.state.epochs_done());
        let best_epoch = self.state.best.as_ref().map_or(done, |(best, _)| best.epoch);
        if done >= settings.epochs {
            Some(Ending::Epochs)
        } else if done - best_epoch >= settings.patience {
            Some(Ending::Patience)
        } else {
            None
        }
    }

    fn outcome(&self, ending: Ending) -> Outcome {
        let State { average, history, best, .. } = &self.state;
        let (best_epoch, weights) = best.as_ref().map_or((0, average), |(figures, weights)| (figures.epoch, weights));
        Outcome { weights: weights.clone(), history: history.clone(), best_epoch, ending, cut: self.problem.cut }
    }

    /// What there is to tell of the epoch under way: tries the averaged weights on what was held out.
    fn figures(&self) -> EpochFigures {
        let State { average, underway, history, .. } = &self.state;
        let network = Network::new(average, &self.problem.architecture);
        EpochFigures {
            epoch: history.len() + 1,
            train_loss: underway.loss / underway.seen as f64,
            train_accuracy: self.share(underway.correct, underway.seen),
            valid: self.problem.validate(&network),
            learning_rate: underway.rate,
        }
    }

    fn diverged(&self, what: String, batch: usize, batches: usize, samples: Vec<usize>) -> TrainError {
        let (epoch, rate) = (self.state.epochs_done() + 1, self.recipe.learning_rate());
        let kept = self.state.best.is_some().then(|| Box::new(self.outcome(Ending::Diverged)));
        TrainError::Diverged { epoch, batch, batches, what, rate, samples, kept }
    }

    fn share(&self, correct: usize, seen: usize) -> Option<f64> {
        self.problem.objective.counts_correct().then(|| correct as f64 / seen as f64)
    }

    fn noise(&self) -> Noise {
        let model = &self.recipe.model;
        Noise {
            dropout: model.dropout,
            layer_dropout: model.layer_dropout,
            embedding_dropout: model.embedding_dropout,
            word_dropout: model.word_dropout,
        }
    }

    /// Goes through what is left of the epoch under way. Returns whether it came to its end.
    fn batches(&mut self, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<bool, TrainError> {
        let Problem { train, .. } = self.problem;
        let settings = &self.recipe.training;
        let lengths: Vec<usize> = train.iter().map(|sample| sample.steps.len()).collect();
        let limits = Limits { texts: self.recipe.batch_size(train.len()), tokens: settings.batch_tokens };
        let batches = batches::shuffled(&lengths, limits, &mut self.state.rng);
        let highest = self.recipe.learning_rate();
        let losses = self.state.history.iter().map(|figures| figures.valid.loss);
        let lowered = plateau(losses, settings.plateau_patience, settings.plateau_factor);
        let epoch = self.state.epochs_done() + 1;
        for (index, batch) in batches.iter().enumerate().skip(self.state.underway.batches) {
            let mut result = self.gradients(batch)?;
            // Counted in batches of this epoch: the number of batches may differ a little from epoch to epoch.
            let at = Position { step: (epoch - 1) * batches.len() + index, steps: settings.epochs * batches.len() };
            let rate = highest * settings.schedule.share(at, settings.warm_up, lowered);
            let held = self.problem.embeddings.as_ref().filter(|embeddings| embeddings.frozen());
            if let Some(embeddings) = held {
                let parameters = self.problem.architecture.shapes().into_iter().zip(&mut result.gradients);
                let of_table = parameters.filter(|((name, _), _)| name == names::EMBEDDING);
                of_table.for_each(|(_, gradients)| embeddings.hold_gradients(gradients));
            }
            let state = &mut self.state;
            let norm = if result.loss.is_finite() {
                state.optimizer.step(&mut state.weights, &mut state.average, &result.gradients, rate)
            } else {
                f64::NAN
            };
            if !norm.is_finite() {
                let what = match result.loss {
                    loss if loss.is_finite() => format!("norm of the gradients is {norm}"),
                    loss => format!("loss is {loss}"),
                };
                let samples = self.culprits(batch)?;
                return Err(self.diverged(what, index + 1, batches.len(), samples));
            }
            for weights in [&mut state.weights, &mut state.average] {
                held.into_iter().for_each(|embeddings| embeddings.hold(weights.get_mut(names::EMBEDDING)));
            }
            state.batches_done += 1;
            let underway = &mut state.underway;
            underway.batches += 1;
            underway.loss += result.loss;
            underway.correct += result.correct;
            underway.seen += result.targets;
            underway.rate = rate;
            let Underway { loss, correct, seen, .. } = *underway;
            observer.batch(&BatchProgress {
                epoch,
                batch: index + 1,
                batches: batches.len(),
                tokens: batch.iter().map(|&sample| lengths[sample]).sum(),
                loss: loss / seen as f64,
                accuracy: self.share(correct, seen),
                learning_rate: rate,
                gradient_norm: norm,
            });
            observer.state(&self.state, Moment::Batch);
            if stop.load(Ordering::Relaxed) && index + 1 < batches.len() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn gradients(&self, batch: &[usize]) -> candle_core::Result<BatchResult> {
        let Problem { architecture, objective, train, .. } = self.problem;
        let samples: Vec<&Sample> = batch.iter().map(|&sample| &train[sample]).collect();
        let (noise, seed, device) = (self.noise(), self.recipe.training.seed, &self.device);
        Graph { architecture, objective, noise, seed, device }.gradients(
            &self.state.weights,
            &samples,
            self.state.batches_done,
        )
    }

    /// The samples of a batch whose loss alone is no number; all of them where each one's is.
    fn culprits(&self, batch: &[usize]) -> candle_core::Result<Vec<usize>> {
        let mut culprits = Vec::new();
        for &sample in batch {
            if !self.gradients(&[sample])?.loss.is_finite() {
                culprits.push(sample);
            }
        }
        Ok(if culprits.is_empty() { batch.to_vec() } else { culprits })
    }
}
