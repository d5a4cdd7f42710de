//! What belongs to one task alone.

use super::{Output, Recipe, Task};
use serde::{Deserialize, Serialize};

/// What the examples are.
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

/// What a language model learns from at a time.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LanguageModel {
    /// Tokens of a window: what follows each of them is learnt, backwards through all of them and the context.
    pub window: usize,
    /// Tokens before each window that are read first and not learnt, so that a window does not begin with an empty
    /// state.
    pub context: usize,
}

impl Default for LanguageModel {
    fn default() -> Self {
        LanguageModel { window: 128, context: 32 }
    }
}

/// What a forecast reads and says.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Forecast {
    /// Rows that it reads.
    pub window: usize,
    /// Rows that it says.
    pub horizon: usize,
    /// Columns that it says. Without any: the first one.
    pub targets: Vec<String>,
    /// Rows of a season: by it the seasonal baseline is made. 0: none.
    pub season: usize,
    /// What the outputs are counted from.
    pub anchor: Anchor,
}

impl Default for Forecast {
    fn default() -> Self {
        Forecast { window: 24, horizon: 1, targets: Vec::new(), season: 0, anchor: Anchor::Last }
    }
}

/// What the outputs of a forecast are counted from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum Anchor {
    /// The last number of the window: y = last + std · output. A model that has learnt nothing is as good as the naive
    /// forecast, and a trend is no obstacle.
    #[default]
    Last,
    /// The mean: y = mean + std · output.
    Mean,
}

impl Recipe {
    /// Gives the settings that suit the task to everything that `given`, by section and key, does not hold. The plain
    /// defaults are those of classifiers of text.
    pub(super) fn suit(&mut self, given: impl Fn(&str, &str) -> bool) {
        fn set<T>(value: &mut T, given: bool, suits: T) {
            if !given {
                *value = suits;
            }
        }
        let Recipe { model, training, .. } = self;
        match self.task {
            Task::Classify => {}
            Task::LanguageModel => {
                set(&mut model.embedding, given("model", "embedding"), 64);
                set(&mut model.hidden, given("model", "hidden"), 128);
                set(&mut model.dropout, given("model", "dropout"), 0.0);
                set(&mut model.embedding_dropout, given("model", "embedding_dropout"), 0.0);
                set(&mut model.word_dropout, given("model", "word_dropout"), 0.0);
                set(&mut training.epochs, given("training", "epochs"), 10);
            }
            Task::Forecast => {
                set(&mut model.hidden, given("model", "hidden"), 32);
                set(&mut model.dropout, given("model", "dropout"), 0.0);
                set(&mut model.layer_dropout, given("model", "layer_dropout"), 0.0);
                set(&mut model.output, given("model", "output"), Output::Linear);
            }
        }
    }
}
