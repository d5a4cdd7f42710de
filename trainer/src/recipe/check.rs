//! What a recipe may say.

use super::{Fault, Output, Recipe, Task};
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
        if self.task != Task::Classify {
            return Err(RecipeError::Value {
                key: "task",
                found: self.task.name().to_owned(),
                expected: Task::Classify.name().to_owned(),
            });
        }
        if model.output == Output::Linear {
            return Err(RecipeError::Value {
                key: "[model] output",
                found: model.output.name().to_owned(),
                expected: "softmax or sigmoid: a classifier gives probabilities".to_owned(),
            });
        }
        range("[model] head_hidden", model.head_hidden, 0, 4096)?;
        range("[model] layer_dropout", model.layer_dropout, 0.0, 0.95)?;
        range("[model] dropout", model.dropout, 0.0, 0.95)?;
        range("[model] embedding_dropout", model.embedding_dropout, 0.0, 0.95)?;
        range("[model] word_dropout", model.word_dropout, 0.0, 0.95)?;
        training.check()?;
        card.check()
    }
}

fn lines(path: &Path, faults: &[Fault]) -> String {
    let line = |fault: &Fault| format!("{}: line {}: {}", path.display(), fault.line, fault.message);
    faults.iter().map(line).collect::<Vec<_>>().join("\n")
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
