//! From a recipe to numbered examples.

use crate::data::{self, Columns, Example, Place, SplitError, TableError, UnknownLabels};
use crate::recipe::{Output, Recipe};
use crate::vocabulary::Vocabulary;
use std::collections::HashSet;
use std::path::PathBuf;

/// The data of a training.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The labels, sorted by their bytes.
    pub labels: Vec<String>,
    /// The tokens that get an id.
    pub vocabulary: Vocabulary,
    /// Examples to learn from.
    pub train: Vec<Example>,
    /// Examples to choose the best epoch by.
    pub valid: Vec<Example>,
    /// Validation examples whose text is among those to learn from as well. 0 where the rows were held out by us.
    pub leaked: usize,
    /// Rows whose text stands in an earlier row; where the rows were held out by us, they were kept together with that. 0
    /// where there is a validation table.
    pub duplicates: usize,
    /// Where each example to learn from stands.
    pub places: Vec<Place>,
}

/// Why the data cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// A table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The validation table has other labels than the training table.
    #[error(transparent)]
    Labels(#[from] UnknownLabels),
    /// A class is too small.
    #[error("{}: {source}", path.display())]
    Split {
        /// The table.
        path: PathBuf,
        /// Which class.
        source: SplitError,
    },
    /// There is nothing to tell apart.
    #[error("{}: every label is {label:?}, expected two labels or more", path.display())]
    OneClass {
        /// The table.
        path: PathBuf,
        /// The only label.
        label: String,
    },
    /// A sigmoid cannot tell more than two labels apart.
    #[error("{}: {labels} labels, expected 2 where [model] output is \"sigmoid\"; take output = \"softmax\"", path.display())]
    Sigmoid {
        /// The table.
        path: PathBuf,
        /// How many labels there are.
        labels: usize,
    },
    /// No token is frequent enough.
    #[error("{}: no token occurs {min_count} times or more, so the vocabulary would be empty; use --tokenizer chars or wordpiece for texts without spaces and for single words", path.display())]
    NoTokens {
        /// The table.
        path: PathBuf,
        /// How often a token must occur.
        min_count: usize,
    },
}

/// Reads the recipe's tables, holds rows out where it names no validation table, and builds the vocabulary from the
/// examples to learn from.
///
/// # Errors
///
/// See [`PrepareError`].
pub fn prepare(recipe: &Recipe) -> Result<Prepared, PrepareError> {
    let data = &recipe.data;
    let columns = Columns {
        text: data.text_column.clone(),
        label: data.label_column.clone(),
        layout: data.layout(),
    };
    let path = data.train.clone();
    let rows = data::read(&path, &columns)?;
    let labels = data::labels(&rows);
    if let [label] = labels.as_slice() {
        return Err(PrepareError::OneClass { path, label: label.clone() });
    }
    if recipe.model.output == Output::Sigmoid && labels.len() != 2 {
        return Err(PrepareError::Sigmoid { path, labels: labels.len() });
    }
    let places: Vec<Place> = rows.iter().enumerate().map(|(row, of)| Place { row, line: of.line }).collect();
    let examples = data::number(rows, &labels, &path.display().to_string())?;
    let distinct: HashSet<&str> = examples.iter().map(|example| example.text.as_str()).collect();
    let (train, valid, places, leaked, duplicates) = match &data.valid {
        Some(valid) => {
            let rows = data::read(valid, &columns)?;
            let valid = data::number(rows, &labels, &valid.display().to_string())?;
            let leaked = valid.iter().filter(|example| distinct.contains(example.text.as_str())).count();
            (examples, valid, places, leaked, 0)
        }
        None => {
            let duplicates = examples.len() - distinct.len();
            let (keys, classes): (Vec<&str>, Vec<usize>) =
                examples.iter().map(|example| (example.text.as_str(), example.label)).unzip();
            let held_out = data::hold_out(&keys, &classes, &labels, data.valid_fraction, recipe.training.seed)
                .map_err(|source| PrepareError::Split { path: path.clone(), source })?;
            let (train, valid) = data::partition(examples, &held_out);
            (train, valid, data::partition(places, &held_out).0, 0, duplicates)
        }
    };
    let min_count = recipe.vocabulary.min_count;
    let texts = train.iter().map(|example| example.text.as_str());
    let vocabulary =
        Vocabulary::build_for(recipe.tokenizer.tokenizer(), texts, min_count, Some(recipe.vocabulary.max_size));
    if vocabulary.len() == 2 {
        return Err(PrepareError::NoTokens { path, min_count });
    }
    Ok(Prepared { labels, vocabulary, train, valid, leaked, duplicates, places })
}
