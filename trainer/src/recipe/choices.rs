//! The enumerations among whose words recipe keys choose, and the bits of weights.

use serde::{Deserialize, Serialize};

/// The input of a classifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum InputKind {
    /// Texts.
    #[default]
    Text,
    /// Sequences of numbers.
    Values,
}

/// The value that a forecast's outputs are added to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum Anchor {
    /// The last value of the window: y = last + std · output, where std is the standard deviation of the training rows.
    /// An output of 0 gives the naive forecast, and a trend needs no special treatment.
    #[default]
    Last,
    /// The mean of the training rows: y = mean + std · output.
    Mean,
}

/// Optimizers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum OptimizerKind {
    /// AdamW: Adam with decoupled weight decay.
    #[default]
    Adamw,
    /// Stochastic gradient descent with momentum.
    Sgd,
}

/// The weight of each class in the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum ClassWeights {
    /// 1 for every class.
    #[default]
    None,
    /// Inversely proportional to the number of rows in the class, so that all classes count the same.
    Balanced,
}

/// The validation metric that chooses the best epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Metric {
    /// Share of correct predictions; among equal ones, the lower loss.
    Accuracy,
    /// Mean F1 score over the classes; among equal ones, the lower loss.
    MacroF1,
    /// Mean loss; lower is better.
    Loss,
}

/// The learning rate schedule. In all schedules but `one_cycle`, the rate first rises for the share `warm_up` of the
/// steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Schedule {
    /// The rate rises for a tenth of the steps, then falls to zero along half a cosine.
    #[default]
    OneCycle,
    /// The rate stays the same.
    Constant,
    /// The rate falls to zero along half a cosine.
    Cosine,
    /// The rate is multiplied by plateau_factor whenever the validation loss has not fallen for plateau_patience
    /// epochs.
    Plateau,
}

/// The device that computes the gradients. Everything else, including validation, is computed on the CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum DeviceKind {
    /// The processor, by fused loops: the same bits on every run, and the fastest for small models
    #[default]
    Cpu,
    /// The first NVIDIA GPU, in a `tern` built with the feature `cuda`. Compiled and emulated, not yet run on a card
    Cuda,
    /// An Apple GPU by candle's operations, in a `tern` built with the feature `metal`. Untested
    Metal,
    /// The NVIDIA GPU if there is one and the training is long enough to gain from it, otherwise the processor
    Auto,
}

/// The number of bits of a weight in a device file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bits {
    /// Weights of −7 … 7, with a multiplier for each group of 16 columns.
    Four,
    /// Weights of −127 … 127.
    #[default]
    Eight,
    /// Weights of −32,767 … 32,767, in units of 1/256 of the unit of 8-bit weights.
    Sixteen,
}

impl Bits {
    /// Returns the number of bits.
    pub fn count(self) -> u32 {
        match self {
            Bits::Four => 4,
            Bits::Eight => 8,
            Bits::Sixteen => 16,
        }
    }

    /// Returns the value for a number of bits; `None` if it is not 4, 8 or 16.
    pub fn of(count: u32) -> Option<Self> {
        [Bits::Four, Bits::Eight, Bits::Sixteen].into_iter().find(|bits| bits.count() == count)
    }
}

/// The form in which a device file stores the tokens of its vocabulary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoredTokens {
    /// The text of each token.
    #[default]
    Texts,
    /// A fingerprint of each token, about 2.3 bytes: docs/format.md, "Fingerprints of tokens".
    Fingerprints,
}

/// The bits of the weights that `[export]` configures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Widths {
    /// Bits of the embedding.
    pub embedding: Bits,
    /// Bits of W_ih and W_hh of all recurrent layers.
    pub recurrent: Bits,
}

impl Metric {
    /// Returns the name of the metric for sentences.
    pub fn title(self) -> &'static str {
        match self {
            Metric::Accuracy => "accuracy",
            Metric::MacroF1 => "macro F1",
            Metric::Loss => "loss",
        }
    }
}
