//! What a model is for.

use serde::{Deserialize, Serialize};

/// What a model does with what it reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
#[value(rename_all = "kebab-case")]
pub enum Task {
    /// Gives a text or a sequence of numbers one of its labels.
    #[default]
    Classify,
    /// Says which token comes next.
    LanguageModel,
    /// Says which numbers come next.
    Forecast,
}

impl Task {
    /// The value of `task` in recipes and in `config.json`.
    pub fn name(self) -> &'static str {
        match self {
            Task::Classify => "classify",
            Task::LanguageModel => "language-model",
            Task::Forecast => "forecast",
        }
    }
}

/// What a model reads at each step, as `input` in `config.json` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Input {
    /// A token of a text.
    #[default]
    Tokens,
    /// A number of each channel.
    Values,
}

impl Input {
    /// The value of `input` in `config.json`.
    pub fn name(self) -> &'static str {
        match self {
            Input::Tokens => "tokens",
            Input::Values => "values",
        }
    }
}

/// What the outputs of the last layer mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum Output {
    /// A logit for each label or token; their softmax are the probabilities.
    #[default]
    Softmax,
    /// One logit z for two labels: σ(z) is the probability of the second.
    Sigmoid,
    /// Normalised numbers.
    Linear,
}

impl Output {
    /// The value of `output` in recipes and in `config.json`.
    pub fn name(self) -> &'static str {
        match self {
            Output::Softmax => "softmax",
            Output::Sigmoid => "sigmoid",
            Output::Linear => "linear",
        }
    }
}
