//! The words that a recipe's keys choose from.

use serde::{Deserialize, Serialize};

/// The content of the training rows.
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
    /// The last value of the window: y = last + std · output. Before training the forecast equals the naive forecast,
    /// and a trend needs no special treatment.
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
    /// Adam with decoupled weight decay; with weight_decay 0, plain Adam.
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

impl Metric {
    /// Returns the metric's name in sentences.
    pub fn title(self) -> &'static str {
        match self {
            Metric::Accuracy => "accuracy",
            Metric::MacroF1 => "macro F1",
            Metric::Loss => "loss",
        }
    }
}
