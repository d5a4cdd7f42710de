//! What a recipe may say.

use super::{Fault, InputKind, Output, Pooling, Recipe, Task};
use crate::architecture::{MAX_LAYERS, Merge};
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Why a recipe is refused.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not a recipe.
    #[error("{}: {source}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: Box<toml::de::Error>,
    },
    /// Sections, keys or words that no recipe has, or values of the wrong kind.
    #[error("{}", lines(path, faults))]
    Keys {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where. At least one.
        faults: Vec<Fault>,
    },
    /// A value is out of range.
    #[error("{key} is {found}, expected {expected}")]
    Value {
        /// The section and the key.
        key: &'static str,
        /// The value.
        found: String,
        /// What it may be.
        expected: String,
    },
}

impl Recipe {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`RecipeError::Value`] for the first one that is out of range.
    pub fn check(&self) -> Result<(), RecipeError> {
        let Recipe { data, vocabulary, model, training, card, .. } = self;
        range("[data] valid_fraction", data.valid_fraction, 0.001, 0.9)?;
        if let Some(delimiter) = data.delimiter
            && (!delimiter.is_ascii() || matches!(delimiter, '"' | '\r' | '\n'))
        {
            return Err(RecipeError::Value {
                key: "[data] delimiter",
                found: format!("{delimiter:?}"),
                expected: "an ASCII character other than a quotation mark or a line break".to_owned(),
            });
        }
        self.tokenizer.check()?;
        range("[vocabulary] max_size", vocabulary.max_size, 3, 1 << 24)?;
        range("[vocabulary] min_count", vocabulary.min_count, 1, 1 << 30)?;
        let (least, freezes) = (usize::from(model.embeddings.is_none()), model.freeze_embeddings);
        range("[model] embedding", model.embedding, least, 4096)?;
        if freezes && model.embeddings.is_none() {
            return Err(RecipeError::Value {
                key: "[model] freeze_embeddings",
                found: "true".to_owned(),
                expected: "false where there is no file of embeddings: random vectors must learn".to_owned(),
            });
        }
        range("[model] hidden", model.hidden, 1, 4096)?;
        range("[model] layers", model.layers, 1, MAX_LAYERS)?;
        if model.merge != Merge::Concat && !model.bidirectional {
            return Err(RecipeError::Value {
                key: "[model] merge",
                found: model.merge.name().to_owned(),
                expected: "concat where bidirectional is false: there is nothing to merge".to_owned(),
            });
        }
        self.check_task()?;
        range("[model] head_hidden", model.head_hidden, 0, 4096)?;
        range("[model] layer_dropout", model.layer_dropout, 0.0, 0.95)?;
        range("[model] dropout", model.dropout, 0.0, 0.95)?;
        range("[model] embedding_dropout", model.embedding_dropout, 0.0, 0.95)?;
        range("[model] word_dropout", model.word_dropout, 0.0, 0.95)?;
        training.check()?;
        self.export.check()?;
        card.check()
    }
}

fn lines(path: &Path, faults: &[Fault]) -> String {
    let line = |fault: &Fault| format!("{}: line {}: {}", path.display(), fault.line, fault.message);
    faults.iter().map(line).collect::<Vec<_>>().join("\n")
}

impl Recipe {
    /// What a task does not go together with.
    fn check_task(&self) -> Result<(), RecipeError> {
        let Recipe { task, data, language_model, forecast, model, .. } = self;
        let value = |key, found: &str, expected: &str| {
            Err(RecipeError::Value { key, found: found.to_owned(), expected: expected.to_owned() })
        };
        range("[language_model] window", language_model.window, 1, 1 << 16)?;
        range("[language_model] context", language_model.context, 0, 1 << 16)?;
        range("[forecast] window", forecast.window, 1, 1 << 16)?;
        range("[forecast] horizon", forecast.horizon, 1, 1 << 12)?;
        range("[forecast] season", forecast.season, 0, 1 << 24)?;
        match (task, model.output) {
            (Task::Classify, Output::Linear) => {
                return value("[model] output", "linear", "softmax or sigmoid: a classifier gives probabilities");
            }
            (Task::LanguageModel, Output::Sigmoid | Output::Linear) => {
                let expected = "softmax: a language model gives each token a probability";
                return value("[model] output", model.output.name(), expected);
            }
            (Task::Forecast, Output::Sigmoid) => {
                return value("[model] output", "sigmoid", "linear: a forecast gives numbers");
            }
            _ => {}
        }
        if *task == Task::LanguageModel {
            if data.input == InputKind::Values {
                return value("[data] input", "values", "text where task is language-model");
            }
            if model.bidirectional {
                let expected = "false where task is language-model: it would read what it is to say";
                return value("[model] bidirectional", "true", expected);
            }
            if model.pooling != Pooling::Last {
                let expected = "last where task is language-model: each state says what follows it";
                return value("[model] pooling", model.pooling.name(), expected);
            }
        }
        Ok(())
    }
}

pub(super) fn range<T: PartialOrd + Display>(
    key: &'static str,
    found: T,
    least: T,
    most: T,
) -> Result<(), RecipeError> {
    // NaN is in no range.
    if found >= least && found <= most {
        return Ok(());
    }
    Err(RecipeError::Value { key, found: found.to_string(), expected: format!("{least} to {most}") })
}
