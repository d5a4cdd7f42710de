//! The state of a training between two batches: everything that a checkpoint holds.

use super::initial;
use super::optimizer::{Method, Optimizer, Settings};
use super::problem::Problem;
use super::validation::Validation;
use crate::architecture::{Architecture, names};
use crate::nn::network::Network;
use crate::nn::ngrams::Grid;
use crate::recipe::{Metric, OptimizerKind, Recipe};
use crate::weights::Weights;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// The state of a training between two batches.
#[derive(Debug)]
pub struct State {
    /// The current weights.
    pub(super) weights: Weights,
    /// The moving average of the weights, which is validated and saved. For the n-gram table it has the form that
    /// [`Optimizer::averaged`] describes.
    pub(super) average: Weights,
    /// The optimizer with its own state, such as moments.
    pub(super) optimizer: Optimizer,
    /// The random number generator of the initial weights and of the order of the training samples.
    pub(super) rng: ChaCha8Rng,
    /// The number of batches that are done in the whole training. Each batch is a step of the optimizer.
    pub(super) total_batches_done: u64,
    /// The figures of the finished epochs.
    pub(super) history: Vec<EpochFigures>,
    /// The figures of the best epoch so far, and its averaged weights; `None` if no epoch is finished.
    pub(super) best: Option<(EpochFigures, Weights)>,
    /// The current epoch.
    pub(super) epoch: EpochProgress,
}

/// The figures of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochFigures {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Mean loss of the training targets, with dropout, label smoothing and class weights.
    pub train_loss: f64,
    /// Share of the training targets that were predicted correctly, with dropout. `None` for a forecast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_accuracy: Option<f64>,
    /// Figures of the validation rows.
    #[serde(flatten)]
    pub valid: Validation,
    /// Learning rate at the end of the epoch.
    pub learning_rate: f64,
}

/// The progress within the current epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EpochProgress {
    /// The position of the random number generator before the epoch's batches were drawn, from which a resumed training
    /// draws the same batches again.
    pub word_pos: u64,
    /// Number of batches that are done.
    pub batches: usize,
    /// Sum of the losses of all targets.
    pub loss: f64,
    /// Number of correct predictions.
    pub correct: usize,
    /// Number of targets, each of which is predicted once.
    pub seen: usize,
    /// The learning rate of the last batch.
    pub rate: f64,
    /// The [`Grid::step`] of the grid that the n-gram table is rounded to in this epoch; 0 if it is not rounded.
    #[serde(default)]
    pub ngram_step: f64,
}

/// Returns the weights before the first step of a training.
pub fn initial_weights(recipe: &Recipe, problem: &Problem) -> Weights {
    State::new(recipe, problem).weights
}

impl State {
    /// Returns the state before the first step. The seed of the recipe determines it.
    pub fn new(recipe: &Recipe, problem: &Problem) -> Self {
        let architecture = &problem.architecture;
        let mut rng = ChaCha8Rng::seed_from_u64(recipe.training.seed);
        let embedding_std = recipe.model.embedding_init_std as f32;
        let mut weights = initial::weights(architecture, embedding_std, &mut rng);
        if let Some(embeddings) = &problem.embeddings {
            embeddings.initialise(weights.get_mut(names::EMBEDDING), embedding_std);
        }
        let parameter_names: Vec<String> = architecture.shapes().into_iter().map(|(name, _)| name).collect();
        let training = &recipe.training;
        let settings = Settings {
            method: match training.optimizer {
                OptimizerKind::Adamw => Method::AdamW,
                OptimizerKind::Sgd => Method::Sgd { momentum: training.momentum as f32, nesterov: training.nesterov },
            },
            weight_decay: training.weight_decay as f32,
            clip_norm: training.clip_norm,
            averaging: recipe.weight_averaging(),
        };
        // The average of the n-gram table is stored as its difference from the weights: see `Optimizer::averaged`.
        let mut average = weights.clone();
        if architecture.ngrams.is_some() {
            average.get_mut(names::NGRAMS).data.fill(0.0);
        }
        let mut state = State {
            optimizer: Optimizer::new(&parameter_names, &weights, settings),
            average,
            weights,
            rng,
            total_batches_done: 0,
            history: Vec::new(),
            best: None,
            epoch: EpochProgress::default(),
        };
        state.begin_epoch();
        state
    }

    /// Begins an epoch: resets the progress and notes the position of the random number generator.
    pub(super) fn begin_epoch(&mut self) {
        let word_pos = u64::try_from(self.rng.get_word_pos()).expect("no training takes 2^64 random words");
        self.epoch = EpochProgress { word_pos, ..EpochProgress::default() };
    }

    /// Records the figures of a finished epoch and begins the next one. Returns true if the finished epoch is the best
    /// so far by `metric`.
    pub(super) fn end_epoch(&mut self, figures: EpochFigures, metric: Metric) -> bool {
        let is_best = self.best.as_ref().is_none_or(|(best, _)| figures.valid.is_better_than(&best.valid, metric));
        self.history.push(figures);
        if is_best {
            self.best = Some((figures, self.averaged()));
        }
        self.begin_epoch();
        is_best
    }

    /// Returns the moving average of the weights.
    pub fn averaged(&self) -> Weights {
        self.optimizer.averaged(&self.weights, &self.average)
    }

    /// Returns the network of the averaged weights, with its n-gram table rounded as in the finished model.
    pub(super) fn network(&self, architecture: &Architecture) -> Network {
        let mut weights = self.averaged();
        round_ngrams(&mut weights, architecture);
        Network::new(&weights, architecture)
    }

    /// Returns the number of finished epochs.
    pub fn epochs_done(&self) -> usize {
        self.history.len()
    }

    /// Returns the number of batches that are done in the current epoch.
    pub fn epoch_batches_done(&self) -> usize {
        self.epoch.batches
    }

    /// Returns the number of steps of the whole training so far, one for each batch.
    pub fn steps(&self) -> u64 {
        self.total_batches_done
    }

    /// Returns true if no weight is infinite or NaN.
    pub fn is_finite(&self) -> bool {
        self.weights.iter().all(|(_, array)| array.data.iter().all(|value| value.is_finite()))
    }
}

/// Rounds the table of the n-gram branch to the grid that [`Grid::fit`] chooses, and returns the grid. Without an
/// n-gram branch, changes nothing and returns `None`.
pub fn round_ngrams(weights: &mut Weights, architecture: &Architecture) -> Option<Grid> {
    let table = architecture.ngrams?;
    let values = &mut weights.get_mut(names::NGRAMS).data;
    let grid = Grid::fit(values, table.bits);
    for value in values.iter_mut() {
        *value = grid.round(*value);
    }
    Some(grid)
}
