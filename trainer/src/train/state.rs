//! Everything that a training is in the midst of: what a checkpoint keeps, and what it is continued from.

use super::initial;
use super::optimizer::{Method, Optimizer, Settings};
use super::problem::Problem;
use super::run::EpochFigures;
use crate::recipe::{OptimizerKind, Recipe};
use crate::weights::{Weights, names};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Everything that changes from batch to batch and from epoch to epoch.
#[derive(Debug)]
pub struct State {
    pub(super) weights: Weights,
    pub(super) average: Weights,
    pub(super) optimizer: Optimizer,
    pub(super) rng: ChaCha8Rng,
    pub(super) batches_done: u64,
    pub(super) history: Vec<EpochFigures>,
    /// The figures of the best epoch so far, and its averaged weights.
    pub(super) best: Option<(EpochFigures, Weights)>,
    pub(super) underway: Underway,
}

/// The epoch under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Underway {
    /// Where the random numbers were before its batches were dealt out, so that they can be dealt out again.
    pub word_pos: u64,
    /// Batches done.
    pub batches: usize,
    /// Sum of the losses.
    pub loss: f64,
    /// Targets that were met.
    pub correct: usize,
    /// Targets seen.
    pub seen: usize,
    /// The learning rate of the last batch.
    pub rate: f64,
}

impl State {
    /// Before the first epoch.
    pub fn new(recipe: &Recipe, problem: &Problem) -> Self {
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
        let mut state = State {
            optimizer: Optimizer::new(&names, &weights, settings),
            average: weights.clone(),
            weights,
            rng,
            batches_done: 0,
            history: Vec::new(),
            best: None,
            underway: Underway::default(),
        };
        state.begin_epoch();
        state
    }

    /// Before the first batch of an epoch.
    pub(super) fn begin_epoch(&mut self) {
        let word_pos = u64::try_from(self.rng.get_word_pos()).expect("no training takes 2^64 random words");
        self.underway = Underway { word_pos, ..Underway::default() };
    }

    /// Takes in the figures of an epoch that is done. Returns whether it is the best so far.
    pub(super) fn end_epoch(&mut self, figures: EpochFigures) -> bool {
        let better = self.best.as_ref().is_none_or(|(best, _)| figures.valid.is_better_than(&best.valid));
        self.history.push(figures);
        if better {
            self.best = Some((figures, self.average.clone()));
        }
        self.begin_epoch();
        better
    }

    /// Epochs that are done.
    pub fn epochs_done(&self) -> usize {
        self.history.len()
    }

    /// Batches that are done in the epoch under way.
    pub fn batches_done(&self) -> usize {
        self.underway.batches
    }

    /// Steps that are taken in all.
    pub fn steps(&self) -> u64 {
        self.batches_done
    }

    /// Whether every weight is a number.
    pub fn is_finite(&self) -> bool {
        self.weights.iter().all(|(_, array)| array.data.iter().all(|value| value.is_finite()))
    }
}
