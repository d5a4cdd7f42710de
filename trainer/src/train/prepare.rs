//! Reads labelled texts, splits off the validation rows, and builds the vocabulary.

use crate::data::{self, Columns, Example, Place};
use crate::file_error::FileError;
use crate::recipe::{Output, Recipe};
use crate::vocabulary::Vocabulary;
use anyhow::bail;
use std::collections::HashSet;

/// The data of a text classifier's training.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The labels, sorted by their bytes.
    pub labels: Vec<String>,
    /// The tokens that have an id.
    pub vocabulary: Vocabulary,
    /// The training rows.
    pub train: Vec<Example>,
    /// The validation rows. With cross-validation, all training rows.
    pub valid: Vec<Example>,
    /// The fold of each training row, from 0. Empty without cross-validation.
    pub folds: Vec<usize>,
    /// The number of validation rows whose text is also a training text. 0 if Tern made the validation split.
    pub leaked: usize,
    /// The number of rows that repeat the text of an earlier row; such rows are in the same part of a split. 0 if the
    /// recipe names validation data.
    pub duplicates: usize,
    /// The place of each training row in its file.
    pub places: Vec<Place>,
}

impl Prepared {
    /// Returns the data of each fold, or the data itself without cross-validation.
    pub fn parts(&self) -> Vec<Prepared> {
        if self.folds.is_empty() {
            return vec![self.clone()];
        }
        let part = |fold| {
            let is_held_out: Vec<bool> = self.folds.iter().map(|&of_row| of_row == fold).collect();
            let (train, valid) = data::partition(self.train.clone(), &is_held_out);
            Prepared { train, valid, folds: Vec::new(), ..self.clone() }
        };
        (0..=*self.folds.iter().max().unwrap_or(&0)).map(part).collect()
    }
}

/// Reads the recipe's data, makes a validation split or folds if the recipe names no validation data, builds the
/// vocabulary from the training rows, and writes the settings that depend on the data into the recipe.
///
/// # Errors
///
/// If a table cannot be read, the labels do not suit the model or a split, or the vocabulary would be empty.
pub fn prepare(recipe: &mut Recipe) -> anyhow::Result<Prepared> {
    let data = recipe.data.clone();
    let columns = Columns { text: data.text_column.clone(), label: data.label_column.clone(), layout: data.layout() };
    let path = data.train.clone();
    let rows = data::read(&path, &columns)?;
    let labels = data::labels(&rows);
    if let [label] = labels.as_slice() {
        bail!("{}: every label is {label:?}, expected two labels or more", path.display());
    }
    if recipe.model.output == Output::Sigmoid && labels.len() != 2 {
        let (path, count) = (path.display(), labels.len());
        bail!("{path}: {count} labels, expected 2 where [model] output is \"sigmoid\"; take output = \"softmax\"");
    }
    let places: Vec<Place> = rows.iter().enumerate().map(|(row, of)| Place { row, line: of.line }).collect();
    let examples = data::number(rows, &labels, &path)?;
    let distinct: HashSet<&str> = examples.iter().map(|example| example.text.as_str()).collect();
    let mut folds = Vec::new();
    let (train, valid, places, leaked, duplicates) = match &data.valid {
        Some(valid) => {
            let rows = data::read(valid, &columns)?;
            let valid = data::number(rows, &labels, valid)?;
            let leaked = valid.iter().filter(|example| distinct.contains(example.text.as_str())).count();
            (examples, valid, places, leaked, 0)
        }
        None => {
            let duplicates = examples.len() - distinct.len();
            let (keys, classes): (Vec<&str>, Vec<usize>) =
                examples.iter().map(|example| (example.text.as_str(), example.label)).unzip();
            let held_out = data::hold_out(&keys, &classes, &labels, data.valid_fraction, recipe.training.seed)
                .map_err(FileError::at(&path))?;
            match recipe.folds(examples.len()) {
                1 => {
                    let (train, valid) = data::partition(examples, &held_out);
                    (train, valid, data::partition(places, &held_out).0, 0, duplicates)
                }
                count => {
                    folds = data::folds(&keys, &classes, count, recipe.training.seed);
                    (examples.clone(), examples, places, 0, duplicates)
                }
            }
        }
    };
    recipe.data.folds = folds.iter().max().map_or(1, |last| last + 1);
    let texts = train.iter().map(|example| example.text.as_str());
    recipe.resolve_text_settings(texts.clone());
    let min_count = recipe.vocabulary.min_count();
    let vocabulary =
        Vocabulary::build_for(recipe.tokenizer.tokenizer(), texts, min_count, Some(recipe.vocabulary.max_size));
    if vocabulary.len() == 2 {
        bail!(
            "{}: no token occurs {min_count} times or more, so the vocabulary would be empty; use --tokenizer chars or \
             wordpiece for texts without spaces and for single words",
            path.display()
        );
    }
    Ok(Prepared { labels, vocabulary, train, valid, folds, leaked, duplicates, places })
}
