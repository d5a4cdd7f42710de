//! The epochs.

use super::batches::{self, Limits};
use super::graph::{self, Noise, Text};
use super::initial;
use super::optimizer::{Method, Optimizer, Settings};
use super::prepare::Prepared;
use super::schedule::{Position, plateau};
use crate::architecture::Architecture;
use crate::denormals::Flush;
use crate::metrics::{Evaluation, argmax, log_softmax};
use crate::nn::network::Network;
use crate::recipe::{OptimizerKind, Recipe};
use crate::vocabulary::Vocabulary;
use crate::weights::Weights;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;
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
    /// Mean loss of the epoch so far, with noise and label smoothing.
    pub loss: f64,
    /// Accuracy of the epoch so far, with noise.
    pub accuracy: f64,
}

/// The figures of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EpochFigures {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Mean loss on the batches as they came, with noise and label smoothing.
    pub train_loss: f64,
    /// Accuracy on the batches as they came, with noise.
    pub train_accuracy: f64,
    /// Mean cross entropy on the held-out rows.
    pub valid_loss: f64,
    /// Accuracy on the held-out rows.
    pub valid_accuracy: f64,
    /// Mean F1 over the classes on the held-out rows.
    pub valid_macro_f1: f64,
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
    /// The epoch that the weights are of, from 1: the one with the highest validation accuracy, of equal ones that with
    /// the lowest loss.
    pub best_epoch: usize,
    /// Why it ended.
    pub ending: Ending,
    /// Training texts that were cut to `batch_tokens`.
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
    data: &Prepared,
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
        Training::new(recipe, data).run(observer, stop)
    })
}

struct Sequence {
    ids: Vec<u32>,
    label: usize,
}

struct Training<'a> {
    recipe: &'a Recipe,
    train: Vec<Sequence>,
    valid: Vec<Sequence>,
    architecture: Architecture,
    cut: usize,
    weights: Weights,
    average: Weights,
    optimizer: Optimizer,
    rng: ChaCha8Rng,
    batches_done: u64,
}

impl<'a> Training<'a> {
    fn new(recipe: &'a Recipe, data: &Prepared) -> Self {
        let encode = |examples: &[crate::data::Example], vocabulary: &Vocabulary| -> Vec<Sequence> {
            examples
                .par_iter()
                .map(|example| Sequence { ids: vocabulary.encode(&example.text), label: example.label })
                .collect()
        };
        let mut train = encode(&data.train, &data.vocabulary);
        let limit = recipe.training.batch_tokens;
        let mut cut = 0;
        for sequence in train.iter_mut().filter(|sequence| sequence.ids.len() > limit) {
            sequence.ids.drain(..sequence.ids.len() - limit);
            cut += 1;
        }
        let architecture = recipe.model.architecture(data.vocabulary.len(), data.labels.len());
        let mut rng = ChaCha8Rng::seed_from_u64(recipe.training.seed);
        let weights = initial::weights(&architecture, &mut rng);
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
        Training {
            recipe,
            train,
            valid: encode(&data.valid, &data.vocabulary),
            architecture,
            cut,
            optimizer: Optimizer::new(&names, &weights, settings),
            average: weights.clone(),
            weights,
            rng,
            batches_done: 0,
        }
    }

    fn run(mut self, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<Outcome, TrainError> {
        let mut history: Vec<EpochFigures> = Vec::new();
        let mut best: Option<(EpochFigures, Weights)> = None;
        let mut ending = Ending::Epochs;
        for epoch in 1..=self.recipe.training.epochs {
            let figures = self.epoch(epoch, &history, observer, stop)?;
            let better = best.as_ref().is_none_or(|(best, _)| is_better(&figures, best));
            observer.epoch(&figures, better);
            history.push(figures);
            if better {
                best = Some((figures, self.average.clone()));
            }
            let best_epoch = best.as_ref().map_or(epoch, |(best, _)| best.epoch);
            if stop.load(Ordering::Relaxed) {
                ending = Ending::Interrupted;
                break;
            }
            if epoch - best_epoch >= self.recipe.training.patience {
                ending = Ending::Patience;
                break;
            }
        }
        let (best_epoch, weights) = best.map_or((0, self.average), |(figures, weights)| (figures.epoch, weights));
        Ok(Outcome { weights, history, best_epoch, ending, cut: self.cut })
    }

    fn epoch(
        &mut self,
        epoch: usize,
        history: &[EpochFigures],
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<EpochFigures, TrainError> {
        let settings = &self.recipe.training;
        let noise = Noise {
            dropout: self.recipe.model.dropout,
            layer_dropout: self.recipe.model.layer_dropout,
            embedding_dropout: self.recipe.model.embedding_dropout,
            word_dropout: self.recipe.model.word_dropout,
            label_smoothing: settings.label_smoothing,
        };
        let lengths: Vec<usize> = self.train.iter().map(|sequence| sequence.ids.len()).collect();
        let limits = Limits { texts: self.recipe.batch_size(self.train.len()), tokens: settings.batch_tokens };
        let batches = batches::shuffled(&lengths, limits, &mut self.rng);
        let highest = self.recipe.learning_rate();
        let losses = history.iter().map(|figures| figures.valid_loss);
        let lowered = plateau(losses, settings.plateau_patience, settings.plateau_factor);
        let (mut loss, mut correct, mut seen, mut rate) = (0.0, 0, 0, 0.0);
        for (index, batch) in batches.iter().enumerate() {
            let texts: Vec<Text<'_>> =
                batch.iter().map(|&text| Text { ids: &self.train[text].ids, label: self.train[text].label }).collect();
            let result =
                graph::gradients(&self.weights, &self.architecture, &texts, noise, settings.seed, self.batches_done)?;
            if !result.loss.is_finite() {
                let rate = highest;
                return Err(TrainError::Diverged { epoch, batch: index + 1, loss: result.loss, rate });
            }
            // Counted in batches of this epoch: the number of batches may differ a little from epoch to epoch.
            let at = Position { step: (epoch - 1) * batches.len() + index, steps: settings.epochs * batches.len() };
            rate = highest * settings.schedule.share(at, settings.warm_up, lowered);
            self.optimizer.step(&mut self.weights, &mut self.average, &result.gradients, rate);
            self.batches_done += 1;
            loss += result.loss;
            correct += result.correct;
            seen += batch.len();
            observer.batch(&BatchProgress {
                epoch,
                batch: index + 1,
                batches: batches.len(),
                tokens: texts.iter().map(|text| text.ids.len()).sum(),
                loss: loss / seen as f64,
                accuracy: correct as f64 / seen as f64,
            });
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        let validation = self.validate();
        Ok(EpochFigures {
            epoch,
            train_loss: loss / seen as f64,
            train_accuracy: correct as f64 / seen as f64,
            valid_loss: validation.loss(),
            valid_accuracy: validation.accuracy(),
            valid_macro_f1: validation.macro_f1(),
            learning_rate: rate,
        })
    }

    /// How the averaged weights do on the held-out rows.
    fn validate(&self) -> Evaluation {
        let network = Network::new(&self.average, self.architecture.recurrent);
        let logits: Vec<Vec<f32>> = self.valid.par_iter().map(|sequence| network.logits(&sequence.ids)).collect();
        let mut evaluation = Evaluation::new(self.architecture.sizes.labels);
        for (sequence, logits) in self.valid.iter().zip(logits) {
            let losses = log_softmax(logits.iter().map(|&logit| f64::from(logit)));
            evaluation.add(sequence.label, argmax(&logits), -losses[sequence.label]);
        }
        evaluation
    }
}

fn is_better(a: &EpochFigures, b: &EpochFigures) -> bool {
    a.valid_accuracy > b.valid_accuracy || (a.valid_accuracy == b.valid_accuracy && a.valid_loss < b.valid_loss)
}
