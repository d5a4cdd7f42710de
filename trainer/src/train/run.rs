//! The training loop: epochs, batches, validation after each epoch.
//!
//! A single process with an NVIDIA GPU trains entirely on it: then [`State`] is a copy, which `read_device` updates. In
//! all other cases the device computes only the gradients, and the weights are updated on the host.

use super::Sample;
use super::augment::Augmentation;
use super::batches::{self, Limits};
use super::callback::{BatchProgress, Callback, StateEvent};
use super::device::{ChosenDevice, copy_to_gpu, gpu_error};
use super::outcome::{Outcome, StopReason, TrainError};
use super::problem::Problem;
use super::schedule::{Position, plateau_rate_factor};
use super::state::{EpochFigures, EpochProgress, State};
use crate::architecture::names;
use crate::denormals::Flush;
use crate::nn::ngrams::Grid;
use crate::recipe::{Recipe, Sequences};
use candle_core::Device;
use std::sync::atomic::{AtomicBool, Ordering};
use tern_nn::device_training::{DeviceTraining, Prepared};
use tern_nn::graph::{BatchResult, Dropout, Graph};
use tern_nn::process_group::{OneProcess, ProcessGroup};

/// Trains a network from its initial weights in this process: see [`resume`].
pub fn run(
    recipe: &Recipe,
    problem: &Problem,
    callback: &mut (dyn Callback + Send),
    stop: &AtomicBool,
) -> Result<Outcome, TrainError> {
    resume(State::new(recipe, problem), recipe, problem, callback, stop, &OneProcess)
}

/// Continues a training from `state`. Once `stop` is true in any process of the group, the training stops after the
/// current batch and returns the best epoch so far. All processes call this function with the same state, recipe and
/// problem, and get the same result.
///
/// On the CPU the result depends only on the recipe and the data, not on the number of threads or processes or on
/// interruptions. A GPU adds in another order and gives slightly different results.
///
/// Fails if the device or the threads cannot be started, an operation of candle fails, or a loss or a gradient is
/// infinite or NaN.
pub fn resume(
    state: State,
    recipe: &Recipe,
    problem: &Problem,
    callback: &mut (dyn Callback + Send),
    stop: &AtomicBool,
    group: &dyn ProcessGroup,
) -> Result<Outcome, TrainError> {
    let choice = recipe.training.device.choose(recipe, problem, group);
    let ChosenDevice { device, reason } = choice.map_err(TrainError::Start)?;
    if let Some(reason) = reason {
        callback.on_device(&reason);
    }
    let threads = recipe.threads();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| TrainError::Start(format!("{threads} threads: {error}")))?;
    pool.install(|| {
        let _flush = Flush::denormals();
        // The gradients of several processes are added on the host.
        let is_all_on_gpu = device.is_cuda() && group.world_size() == 1;
        let on_device = if is_all_on_gpu { Some(copy_to_gpu(&state, problem, &device)?) } else { None };
        Training { recipe, problem, device, group, state, on_device, prepared: None }.run(callback, stop)
    })
}

/// A running training.
struct Training<'a> {
    recipe: &'a Recipe,
    problem: &'a Problem,
    device: Device,
    group: &'a dyn ProcessGroup,
    state: State,
    /// The weights and the optimizer's state if the training runs entirely on a GPU. The copies in `state` are outdated
    /// until `read_device` updates them.
    on_device: Option<DeviceTraining>,
    /// The next batch of a training entirely on a GPU, if it is prepared already.
    prepared: Option<Prepared>,
}

/// The figures of a step.
struct StepFigures {
    /// Sum of the losses of all targets.
    loss: f64,
    /// Number of correct predictions.
    correct: usize,
    /// Number of targets.
    targets: usize,
    /// Norm of the gradients before clipping; infinite or NaN if the loss or a gradient is.
    norm: f64,
}

impl Training<'_> {
    /// Trains the remaining epochs and returns the outcome.
    fn run(mut self, callback: &mut dyn Callback, stop: &AtomicBool) -> Result<Outcome, TrainError> {
        let stop_reason = loop {
            if let Some(reason) = self.stop_reason() {
                break reason;
            }
            // In the first epoch at least one batch is trained before an interrupt takes effect, so that there is an
            // outcome.
            let is_stopped_before_epoch = self.is_stopped(stop) && self.state.epochs_done() > 0;
            let is_epoch_done = !is_stopped_before_epoch && self.run_batches(callback, stop)?;
            if !is_epoch_done {
                self.read_device()?;
                callback.on_state(&self.state, StateEvent::Interrupted);
                break StopReason::Interrupted;
            }
            self.read_device()?;
            let figures = self.figures();
            if !figures.valid.loss.is_finite() {
                let fault = format!("validation loss is {}", figures.valid.loss);
                let (batches, no_samples) = (self.state.epoch_batches_done(), Vec::new());
                return Err(self.diverged(fault, batches, batches, no_samples));
            }
            let is_best = self.state.end_epoch(figures, self.recipe.metric());
            callback.on_epoch(&figures, is_best);
            callback.on_state(&self.state, StateEvent::AfterEpoch);
        };
        if self.state.epoch_batches_done() > 0 {
            // After an interrupt, the weights of the unfinished epoch may be the best. The callback has already
            // received the state before this epoch is ended, so that a resumed training continues within the epoch.
            let figures = self.figures();
            let is_best = self.state.end_epoch(figures, self.recipe.metric());
            callback.on_epoch(&figures, is_best);
        }
        Ok(self.outcome(stop_reason))
    }

    /// Returns true if `stop` is true in any process.
    fn is_stopped(&self, stop: &AtomicBool) -> bool {
        self.group.any(stop.load(Ordering::Relaxed))
    }

    /// Returns the reason to stop before the next epoch; `None` if the training continues.
    fn stop_reason(&self) -> Option<StopReason> {
        let (settings, done) = (&self.recipe.training, self.state.epochs_done());
        // Without a finished epoch there is no best one, and the number of epochs since the best one counts as 0.
        let best_epoch = self.state.best.as_ref().map_or(done, |(best, _)| best.epoch);
        // The cross-validation has found the best number of epochs.
        let epochs = self.problem.cross_validation.as_ref().map_or(self.recipe.epochs(), |found| found.best_epoch);
        if done >= epochs {
            Some(StopReason::Epochs)
        } else if done - best_epoch >= settings.patience {
            Some(StopReason::Patience)
        } else {
            None
        }
    }

    /// Returns the outcome with the weights of the best epoch, or with the current average if no epoch is finished.
    fn outcome(&self, stop_reason: StopReason) -> Outcome {
        let State { history, best, .. } = &self.state;
        let (best_epoch, weights) = match best {
            Some((figures, weights)) => (figures.epoch, weights.clone()),
            None => (0, self.state.averaged()),
        };
        Outcome { weights, history: history.clone(), best_epoch, stop_reason }
    }

    /// Returns the figures of the current epoch. The averaged weights are validated, unless a cross-validation has
    /// measured the figures of this epoch: then there is no validation split.
    fn figures(&self) -> EpochFigures {
        let State { epoch, history, .. } = &self.state;
        let network = self.state.network(&self.problem.architecture);
        // In the cross-validation's history, the index of this epoch is the number of finished epochs.
        let cross_validated = self.problem.cross_validation.as_ref().and_then(|found| found.history.get(history.len()));
        EpochFigures {
            epoch: history.len() + 1,
            train_loss: epoch.loss / epoch.seen as f64,
            train_accuracy: self.accuracy(epoch.correct, epoch.seen),
            valid: cross_validated.copied().unwrap_or_else(|| self.problem.validate(&network)),
            learning_rate: epoch.rate,
        }
    }

    /// Returns the error for an infinite or NaN quantity, with advice. `fault`: the quantity and its value. `batch`:
    /// the number of the batch, from 1, among the `batches` of the epoch. `samples`: see [`TrainError::Diverged`].
    fn diverged(&self, fault: String, batch: usize, batches: usize, samples: Vec<usize>) -> TrainError {
        let (epoch, rate) = (self.state.epochs_done() + 1, self.recipe.learning_rate());
        let message = format!(
            "epoch {epoch}, batch {batch} of {batches}: the {fault}: the training diverged; lower the learning rate (it is \
             {rate}): [training] learning_rate, --learning-rate"
        );
        let best = self.state.best.is_some().then(|| Box::new(self.outcome(StopReason::Diverged)));
        TrainError::Diverged { message, samples, best }
    }

    /// Returns the share of correct predictions among `seen` ones; `None` for a forecast.
    fn accuracy(&self, correct: usize, seen: usize) -> Option<f64> {
        self.problem.objective.has_accuracy().then(|| correct as f64 / seen as f64)
    }

    /// Trains on the remaining batches of the current epoch. Returns false if `stop` ended the epoch early.
    fn run_batches(&mut self, callback: &mut dyn Callback, stop: &AtomicBool) -> Result<bool, TrainError> {
        let settings = &self.recipe.training;
        let lengths: Vec<usize> = self.problem.train.iter().map(|sample| sample.steps.len()).collect();
        let limits = Limits { sequences: self.recipe.batch_size(lengths.len()), tokens: settings.batch_tokens };
        let batches = batches::shuffled(&lengths, limits, &mut self.state.rng);
        let losses = self.state.history.iter().map(|figures| figures.valid.loss);
        let plateau_factor = plateau_rate_factor(losses, settings.plateau_patience, settings.plateau_factor);
        let epoch = self.state.epochs_done() + 1;
        // In the second half of the epochs, the n-gram table is rounded in the forward pass, as in the finished model.
        // The grid is chosen at the beginning of an epoch; an epoch that is resumed has that of its checkpoint.
        if let Some(table) = self.problem.architecture.ngrams
            && self.state.epoch_batches_done() == 0
            && 2 * epoch > self.recipe.epochs()
        {
            let grid = Grid::fit(&self.state.weights[names::NGRAMS].data, table.bits);
            self.state.epoch.ngram_step = grid.step.into();
        }
        for (index, batch) in batches.iter().enumerate().skip(self.state.epoch.batches) {
            // The number of batches differs a little from epoch to epoch. The schedule assumes that every epoch has as
            // many batches as this one.
            let step = (epoch - 1) * batches.len() + index;
            let position = Position { step, steps: self.recipe.epochs() * batches.len() };
            let rate_factor = settings.schedule.rate_factor(position, settings.warm_up, plateau_factor);
            let learning_rate = self.recipe.learning_rate() * rate_factor;
            let StepFigures { loss, norm, .. } = match self.on_device {
                Some(_) => self.step_on_device(batch, batches.get(index + 1), learning_rate)?,
                None => self.step(batch, learning_rate)?,
            };
            if !norm.is_finite() {
                self.read_device()?;
                let fault = match loss.is_finite() {
                    true => format!("norm of the gradients is {norm}"),
                    false => format!("loss is {loss}"),
                };
                let samples = self.diverged_samples(batch)?;
                return Err(self.diverged(fault, index + 1, batches.len(), samples));
            }
            let EpochProgress { loss, correct, seen, .. } = self.state.epoch;
            callback.on_batch(&BatchProgress {
                epoch,
                batch: index + 1,
                batches: batches.len(),
                tokens: batch.iter().map(|&sample| lengths[sample]).sum(),
                loss: loss / seen as f64,
                accuracy: self.accuracy(correct, seen),
                learning_rate,
                gradient_norm: norm,
            });
            if self.on_device.is_none() || callback.wants_state() {
                self.read_device()?;
                callback.on_state(&self.state, StateEvent::AfterBatch);
            }
            if self.is_stopped(stop) && index + 1 < batches.len() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes a step with a batch, given by its samples' indices, and applies the gradients on the host. If the loss or
    /// the norm of the gradients is infinite or NaN, the weights do not change.
    fn step(&mut self, batch: &[usize], learning_rate: f64) -> Result<StepFigures, TrainError> {
        let mut result = self.gradients(batch)?;
        let BatchResult { loss, correct, targets, .. } = result;
        if !loss.is_finite() {
            return Ok(StepFigures { loss, correct, targets, norm: f64::NAN });
        }
        let frozen = self.problem.embeddings.as_ref().filter(|embeddings| embeddings.frozen());
        if let Some(embeddings) = frozen {
            // The gradients are in the order of the parameters.
            for ((name, _), gradients) in self.problem.architecture.shapes().into_iter().zip(&mut result.gradients) {
                if name == names::EMBEDDING {
                    embeddings.zero_frozen_gradients(gradients);
                }
            }
        }
        let BatchResult { gradients, ngram_rows, .. } = &result;
        let State { optimizer, weights, average, .. } = &mut self.state;
        let norm = optimizer.step(weights, average, gradients, ngram_rows, learning_rate);
        let figures = StepFigures { loss, correct, targets, norm };
        if norm.is_finite() {
            if let Some(embeddings) = frozen {
                // Weight decay and the average's rounding errors have changed the frozen vectors.
                for weights in [&mut self.state.weights, &mut self.state.average] {
                    embeddings.reset_frozen(weights.get_mut(names::EMBEDDING));
                }
            }
            self.count(&figures, learning_rate);
        }
        Ok(figures)
    }

    /// Takes a step with a batch on the GPU, and prepares the batch `next` while the GPU computes. If the loss or the
    /// norm of the gradients is infinite or NaN, the step is not counted.
    fn step_on_device(
        &mut self,
        batch: &[usize],
        next: Option<&Vec<usize>>,
        learning_rate: f64,
    ) -> Result<StepFigures, TrainError> {
        let number = self.state.total_batches_done;
        let prepared = self.prepared.take().unwrap_or_else(|| self.prepare(batch, number));
        let targets = prepared.targets();
        let graph = graph(self.recipe, self.problem, &self.state, &self.device, self.group);
        let Some(training) = &mut self.on_device else {
            return Err(TrainError::Start("the training is not on a GPU".to_owned()));
        };
        let figures = training.step(&graph, &prepared, learning_rate).map_err(gpu_error)?;
        self.prepared = next.map(|next| self.prepare(next, number + 1));
        let (loss, correct, norm) = figures.read().map_err(gpu_error)?;
        let norm = if loss.is_finite() { norm } else { f64::NAN };
        let figures = StepFigures { loss, correct, targets, norm };
        if norm.is_finite() {
            self.count(&figures, learning_rate);
        }
        Ok(figures)
    }

    /// Packs a batch for the GPU. `number`: the number of batches before this one in the whole training.
    fn prepare(&self, batch: &[usize], number: u64) -> Prepared {
        let graph = graph(self.recipe, self.problem, &self.state, &self.device, self.group);
        self.with_samples(batch, number, |samples| graph.prepare(samples, number))
    }

    /// Copies the weights and the optimizer's state from the GPU to `state`, if the training runs entirely on a GPU.
    fn read_device(&mut self) -> Result<(), TrainError> {
        let State { weights, average, optimizer, .. } = &mut self.state;
        match &self.on_device {
            Some(training) => training.read(weights, average, optimizer).map_err(gpu_error),
            None => Ok(()),
        }
    }

    /// Adds the figures of a step to those of the epoch, and counts its batch.
    fn count(&mut self, step: &StepFigures, learning_rate: f64) {
        let State { total_batches_done, epoch, .. } = &mut self.state;
        *total_batches_done += 1;
        epoch.batches += 1;
        epoch.loss += step.loss;
        epoch.correct += step.correct;
        epoch.seen += step.targets;
        epoch.rate = learning_rate;
    }

    /// Computes the gradients of a batch with dropout, without changing the state. In a training entirely on a GPU,
    /// only [`diverged_samples`](Self::diverged_samples) calls this, and the CPU computes the gradients.
    fn gradients(&self, batch: &[usize]) -> candle_core::Result<BatchResult> {
        let device = if self.on_device.is_some() { &Device::Cpu } else { &self.device };
        let graph = graph(self.recipe, self.problem, &self.state, device, self.group);
        let number = self.state.total_batches_done;
        self.with_samples(batch, number, |samples| graph.gradients(&self.state.weights, samples, number))
    }

    /// Returns the result of `compute` for the samples of a batch, after the augmentation of the recipe. `number`: as
    /// for [`prepare`](Self::prepare).
    fn with_samples<R>(&self, batch: &[usize], number: u64, compute: impl FnOnce(&[&Sample]) -> R) -> R {
        let samples: Vec<&Sample> = batch.iter().map(|&sample| &self.problem.train[sample]).collect();
        let Sequences { jitter, scaling, .. } = self.recipe.sequences;
        let augmentation = Augmentation { jitter, scaling };
        match augmentation.apply(&samples, self.recipe.training.seed, number) {
            Some(augmented) => compute(&augmented.iter().collect::<Vec<_>>()),
            None => compute(&samples),
        }
    }

    /// Returns those samples of a batch that have an infinite or NaN loss by themselves; all samples if none has.
    fn diverged_samples(&self, batch: &[usize]) -> candle_core::Result<Vec<usize>> {
        let mut diverged = Vec::new();
        for &sample in batch {
            if !self.gradients(&[sample])?.loss.is_finite() {
                diverged.push(sample);
            }
        }
        Ok(if diverged.is_empty() { batch.to_vec() } else { diverged })
    }
}

/// Returns the [`Graph`] that computes gradients with the settings of a training.
fn graph<'a>(
    recipe: &Recipe,
    problem: &'a Problem,
    state: &State,
    device: &'a Device,
    group: &'a dyn ProcessGroup,
) -> Graph<'a> {
    let Problem { architecture, objective, .. } = problem;
    let (model, training) = (&recipe.model, &recipe.training);
    let dropout = Dropout {
        dropout: model.dropout(),
        layer_dropout: model.layer_dropout,
        embedding_dropout: model.embedding_dropout,
        word_dropout: model.word_dropout(),
        ngram_dropout: model.ngram_dropout(),
    };
    let step = state.epoch.ngram_step as f32;
    let grid = architecture.ngrams.filter(|_| step > 0.0).map(|table| Grid::new(step, table.bits));
    let branch_loss = training.branch_loss.unwrap_or(0.0);
    let (seed, shards) = (training.seed, training.shards);
    Graph { architecture, objective, dropout, grid, branch_loss, seed, shards, device, group }
}
