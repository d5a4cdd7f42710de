//! The epochs.

use super::batches::{self, Limits};
use super::graph::{self, Noise};
use super::initial;
use super::optimizer::{Method, Optimizer, Settings};
use super::problem::{Problem, Validation};
use super::sample::Sample;
use super::schedule::{Position, plateau};
use crate::denormals::Flush;
use crate::nn::network::Network;
use crate::recipe::{OptimizerKind, Recipe};
use crate::weights::{Weights, names};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};

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
    /// A loss is not a number.
    #[error(
        "epoch {epoch}: the loss is {loss} in batch {batch}: the training diverged; lower [training] learning_rate (it is {rate})"
    )]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// The batch, from 1.
        batch: usize,
        /// Its loss.
        loss: f64,
        /// The highest learning rate.
        rate: f64,
    },
    /// candle refuses an operation.
    #[error("candle: {0}")]
    Candle(#[from] candle_core::Error),
    /// The threads cannot be started.
    #[error("{threads} threads: {source}")]
    Threads {
        /// How many.
        threads: usize,
        /// What the system says.
        source: rayon::ThreadPoolBuildError,
    },
}

/// Trains. `stop` is looked at after each batch: once it is true, the training ends with the best so far.
///
/// The result depends on the recipe and the data, and not on the number of threads.
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
    let threads = recipe.threads();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|source| TrainError::Threads { threads, source })?;
    pool.install(|| {
        let _flush = Flush::denormals();
        Training { recipe, problem, state: State::new(recipe, problem) }.run(observer, stop)
    })
}

struct Training<'a> {
    recipe: &'a Recipe,
    problem: &'a Problem,
    state: State,
}

/// Everything that changes from batch to batch and from epoch to epoch.
struct State {
    weights: Weights,
    average: Weights,
    optimizer: Optimizer,
    rng: ChaCha8Rng,
    batches_done: u64,
    history: Vec<EpochFigures>,
    /// The figures of the best epoch so far, and its averaged weights.
    best: Option<(EpochFigures, Weights)>,
}

impl State {
    /// Before the first epoch.
    fn new(recipe: &Recipe, problem: &Problem) -> Self {
        let architecture = &problem.architecture;
        let mut rng = ChaCha8Rng::seed_from_u64(recipe.training.seed);
        let mut weights = initial::weights(architecture, &mut rng);
        if let Some(embeddings) = &problem.embeddings {
            embeddings.start(weights.get_mut(names::EMBEDDING), initial::EMBEDDING_STD);
        }
        let names: Vec<String> = architecture.shapes().into_iter().map(|(name, _)| name).collect();
        let training = &recipe.training;
        let settings = Settings {
            method: match training.optimizer {
                OptimizerKind::Adamw => Method::AdamW,
                OptimizerKind::Sgd => Method::Sgd { momentum: training.momentum as f32, nesterov: training.nesterov },
            },
            weight_decay: training.weight_decay as f32,
            clip_norm: training.clip_norm,
            averaging: training.weight_averaging,
        };
        State {
            optimizer: Optimizer::new(&names, &weights, settings),
            average: weights.clone(),
            weights,
            rng,
            batches_done: 0,
            history: Vec::new(),
            best: None,
        }
    }
}

impl Training<'_> {
    fn run(mut self, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<Outcome, TrainError> {
        let mut ending = Ending::Epochs;
        for epoch in 1..=self.recipe.training.epochs {
            let figures = self.epoch(epoch, observer, stop)?;
            let state = &mut self.state;
            let better = state.best.as_ref().is_none_or(|(best, _)| figures.valid.is_better_than(&best.valid));
            observer.epoch(&figures, better);
            state.history.push(figures);
            if better {
                state.best = Some((figures, state.average.clone()));
            }
            let best_epoch = state.best.as_ref().map_or(epoch, |(best, _)| best.epoch);
            if stop.load(Ordering::Relaxed) {
                ending = Ending::Interrupted;
                break;
            }
            if epoch - best_epoch >= self.recipe.training.patience {
                ending = Ending::Patience;
                break;
            }
        }
        let State { average, history, best, .. } = self.state;
        let (best_epoch, weights) = best.map_or((0, average), |(figures, weights)| (figures.epoch, weights));
        Ok(Outcome { weights, history, best_epoch, ending, cut: self.problem.cut })
    }

    fn epoch(
        &mut self,
        epoch: usize,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<EpochFigures, TrainError> {
        let Problem { architecture, objective, train, .. } = self.problem;
        let settings = &self.recipe.training;
        let noise = Noise {
            dropout: self.recipe.model.dropout,
            layer_dropout: self.recipe.model.layer_dropout,
            embedding_dropout: self.recipe.model.embedding_dropout,
            word_dropout: self.recipe.model.word_dropout,
        };
        let lengths: Vec<usize> = train.iter().map(|sample| sample.steps.len()).collect();
        let limits = Limits { texts: self.recipe.batch_size(train.len()), tokens: settings.batch_tokens };
        let state = &mut self.state;
        let batches = batches::shuffled(&lengths, limits, &mut state.rng);
        let highest = self.recipe.learning_rate();
        let losses = state.history.iter().map(|figures| figures.valid.loss);
        let lowered = plateau(losses, settings.plateau_patience, settings.plateau_factor);
        let (mut loss, mut correct, mut seen, mut rate) = (0.0, 0, 0, 0.0);
        let share = |correct: usize, seen: usize| objective.counts_correct().then(|| correct as f64 / seen as f64);
        for (index, batch) in batches.iter().enumerate() {
            let samples: Vec<&Sample> = batch.iter().map(|&sample| &train[sample]).collect();
            let mut result = graph::gradients(
                &state.weights,
                architecture,
                objective,
                &samples,
                noise,
                settings.seed,
                state.batches_done,
            )?;
            if !result.loss.is_finite() {
                let rate = highest;
                return Err(TrainError::Diverged { epoch, batch: index + 1, loss: result.loss, rate });
            }
            // Counted in batches of this epoch: the number of batches may differ a little from epoch to epoch.
            let at = Position { step: (epoch - 1) * batches.len() + index, steps: settings.epochs * batches.len() };
            rate = highest * settings.schedule.share(at, settings.warm_up, lowered);
            let held = self.problem.embeddings.as_ref().filter(|embeddings| embeddings.frozen());
            if let Some(embeddings) = held {
                let parameters = architecture.shapes().into_iter().zip(&mut result.gradients);
                let of_table = parameters.filter(|((name, _), _)| name == names::EMBEDDING);
                of_table.for_each(|(_, gradients)| embeddings.hold_gradients(gradients));
            }
            state.optimizer.step(&mut state.weights, &mut state.average, &result.gradients, rate);
            for weights in [&mut state.weights, &mut state.average] {
                held.into_iter().for_each(|embeddings| embeddings.hold(weights.get_mut(names::EMBEDDING)));
            }
            state.batches_done += 1;
            loss += result.loss;
            correct += result.correct;
            seen += result.targets;
            observer.batch(&BatchProgress {
                epoch,
                batch: index + 1,
                batches: batches.len(),
                tokens: batch.iter().map(|&sample| lengths[sample]).sum(),
                loss: loss / seen as f64,
                accuracy: share(correct, seen),
            });
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        let network = Network::new(&state.average, architecture);
        Ok(EpochFigures {
            epoch,
            train_loss: loss / seen as f64,
            train_accuracy: share(correct, seen),
            valid: self.problem.validate(&network),
            learning_rate: rate,
        })
    }
}
