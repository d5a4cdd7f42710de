//! `[training]`

use super::check::{RecipeError, range};
use crate::train::DeviceKind;
pub use crate::train::Schedule;
use serde::{Deserialize, Serialize};

/// What an example of each class weighs in the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum ClassWeights {
    /// As any other.
    #[default]
    None,
    /// The less the more there are of its class, so that all classes weigh the same.
    Balanced,
}

/// How the network learns.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Training {
    /// The most passes over the examples.
    pub epochs: usize,
    /// Texts in a batch. 0: a fiftieth of the examples, a thousandth of a language model's windows, but 4 at least and 32 at
    /// most, so that an epoch of little data has steps enough.
    pub batch_size: usize,
    /// Tokens or rows of a sequence that are learnt from, the first ones. 0: all.
    pub max_length: usize,
    /// The most tokens in a batch, which bounds the memory; of a longer text the last that many are learnt from.
    pub batch_tokens: usize,
    /// How a gradient becomes a step.
    pub optimizer: OptimizerKind,
    /// The highest learning rate. 0: 0.003 with `adamw`, 0.005 for a language model, 0.1 with `sgd`.
    pub learning_rate: f64,
    /// How the learning rate changes over the training.
    pub schedule: Schedule,
    /// Share of the steps in which the learning rate rises. Not with `one_cycle`, which has a rise of its own.
    pub warm_up: f64,
    /// Epochs in which the validation loss may fail to fall before `plateau` lowers the learning rate.
    pub plateau_patience: usize,
    /// What `plateau` multiplies the learning rate by.
    pub plateau_factor: f64,
    /// Share of a step that the next one keeps. With `sgd`.
    pub momentum: f64,
    /// Whether `sgd` takes Nesterov's form of momentum.
    pub nesterov: bool,
    /// Decay of weight matrices: `adamw` shrinks them by this share and the learning rate in each step, `sgd` adds this
    /// share of them to the gradients.
    pub weight_decay: f64,
    /// The greatest norm of all gradients together; longer ones are shortened to it. 0: any.
    pub clip_norm: f64,
    /// Epochs without a better validation accuracy after which training ends.
    pub patience: usize,
    /// Share of the target probability that is spread over all labels.
    pub label_smoothing: f64,
    /// What an example of each class weighs.
    pub class_weights: ClassWeights,
    /// Decay per step of the running average of the weights, which is what is validated and kept; 0: the weights
    /// themselves.
    pub weight_averaging: f64,
    /// Where all random numbers begin.
    pub seed: u64,
    /// Threads to compute with. They change the time and no bit of the result. 0: one a core, four at most.
    pub threads: usize,
    /// What computes the gradients.
    pub device: DeviceKind,
}

impl Default for Training {
    fn default() -> Self {
        Training {
            epochs: 20,
            batch_size: 0,
            max_length: 0,
            batch_tokens: 16_384,
            optimizer: OptimizerKind::Adamw,
            learning_rate: 0.0,
            schedule: Schedule::OneCycle,
            warm_up: 0.0,
            plateau_patience: 2,
            plateau_factor: 0.5,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 0.01,
            clip_norm: 1.0,
            patience: 8,
            label_smoothing: 0.05,
            class_weights: ClassWeights::None,
            weight_averaging: 0.98,
            seed: 1,
            threads: 0,
            device: DeviceKind::Cpu,
        }
    }
}

/// How gradients become steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum OptimizerKind {
    /// Adam with decoupled weight decay; with weight_decay 0, plain Adam.
    #[default]
    Adamw,
    /// Gradient descent with momentum.
    Sgd,
}

impl Training {
    pub(super) fn check(&self) -> Result<(), RecipeError> {
        range("[training] epochs", self.epochs, 1, 100_000)?;
        range("[training] batch_size", self.batch_size, 0, 1 << 16)?;
        range("[training] max_length", self.max_length, 0, 1 << 24)?;
        range("[training] batch_tokens", self.batch_tokens, 1, 1 << 24)?;
        range("[training] learning_rate", self.learning_rate, 0.0, 100.0)?;
        range("[training] warm_up", self.warm_up, 0.0, 1.0)?;
        if self.schedule == Schedule::OneCycle && self.warm_up != 0.0 {
            return Err(RecipeError::Value {
                key: "[training] warm_up",
                found: self.warm_up.to_string(),
                expected: "0 with schedule one_cycle, which rises for a tenth of the steps".to_owned(),
            });
        }
        range("[training] plateau_patience", self.plateau_patience, 0, 100_000)?;
        range("[training] plateau_factor", self.plateau_factor, 1e-6, 1.0)?;
        range("[training] momentum", self.momentum, 0.0, 0.9999)?;
        if self.nesterov && (self.optimizer != OptimizerKind::Sgd || self.momentum == 0.0) {
            return Err(RecipeError::Value {
                key: "[training] nesterov",
                found: "true".to_owned(),
                expected: "false without optimizer sgd and a momentum above 0".to_owned(),
            });
        }
        range("[training] weight_decay", self.weight_decay, 0.0, 10.0)?;
        range("[training] clip_norm", self.clip_norm, 0.0, 1e9)?;
        range("[training] patience", self.patience, 1, 100_000)?;
        range("[training] label_smoothing", self.label_smoothing, 0.0, 0.9)?;
        range("[training] weight_averaging", self.weight_averaging, 0.0, 0.99999)?;
        // TOML has no larger integers.
        range("[training] seed", self.seed, 0, i64::MAX as u64)?;
        range("[training] threads", self.threads, 0, 256)
    }
}
