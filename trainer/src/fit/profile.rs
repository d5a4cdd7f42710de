//! The properties of the data by which `tern fit` chooses its candidates, the recipes that it trains.

use crate::architecture::InputLayer;
use crate::recipe::{InputKind, LONG_TEXT, Recipe, TokenizerKind};
use crate::tasks::TaskData;
use crate::train::{Classes, Objective};
use serde::Serialize;
use std::fmt;

/// The properties of a classifier's data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Profile {
    /// The number of training rows.
    pub rows: usize,
    /// The number of classes.
    pub classes: usize,
    /// The number of folds of the cross-validation; 1 with a validation split.
    pub folds: usize,
    /// True if the rows are sequences of numbers.
    pub reads_values: bool,
    /// The name of the tokenizer: that of the options, or the one that suits the texts. Unused for sequences of
    /// numbers.
    pub tokenizer: &'static str,
    /// The size of the vocabulary, or the number of channels.
    pub inputs: usize,
    /// The mean number of tokens or time steps of a row.
    pub mean_steps: f64,
}

impl Profile {
    /// Returns the properties of data that were read with `recipe`; `None` if the task is not classification.
    pub fn new(recipe: &Recipe, data: &dyn TaskData) -> Option<Self> {
        let problem = data.problem();
        // One weight for each class.
        let Objective::Classes(Classes { weights, .. }) = &problem.objective else { return None };
        let steps: usize = problem.train.iter().map(|sample| sample.steps.len()).sum();
        let inputs = match problem.architecture.input {
            InputLayer::Embedding { vocab_size, .. } => vocab_size,
            InputLayer::Values { channels } => channels,
        };
        Some(Profile {
            rows: problem.train.len(),
            classes: weights.len(),
            folds: problem.fold_count().max(1),
            reads_values: recipe.data.input == InputKind::Values,
            tokenizer: recipe.tokenizer.kind.unwrap_or_default().name(),
            inputs,
            mean_steps: steps as f64 / problem.train.len().max(1) as f64,
        })
    }

    /// Returns true if the texts are long, by the rule of the recipe's defaults.
    pub fn has_long_texts(&self) -> bool {
        !self.reads_values && self.mean_steps > LONG_TEXT && !self.has_characters()
    }

    /// Returns true if the n-gram table has fingerprints, a check byte for each row, by the rule of the recipe's
    /// defaults.
    pub fn has_fingerprints(&self) -> bool {
        self.has_long_texts() && self.folds == 1
    }

    /// Returns true if the tokenizer makes one token of each character or byte.
    pub fn has_characters(&self) -> bool {
        [TokenizerKind::Chars, TokenizerKind::Bytes].iter().any(|kind| kind.name() == self.tokenizer)
    }
}

/// Describes the data in one line.
impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Profile { rows, classes, folds, reads_values, tokenizer, inputs, mean_steps } = self;
        if *reads_values {
            write!(
                f,
                "{rows} sequences of {classes} classes, {inputs} channels, {mean_steps:.0} time steps on average"
            )?;
        } else {
            write!(f, "{rows} texts of {classes} classes, {mean_steps:.1} tokens on average (tokenizer {tokenizer})")?;
        }
        if *folds > 1 { write!(f, ", {folds}-fold cross-validation") } else { Ok(()) }
    }
}
