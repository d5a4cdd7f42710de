//! Prepares the training of a text classifier: reads labelled texts, sets validation rows aside, and builds the
//! vocabulary.

use crate::data::{self, Columns, Example, Place};
use crate::file_error::FileError;
use crate::recipe::{Output, Recipe};
use crate::vocabulary::{RESERVED_IDS, Vocabulary};
use anyhow::bail;
use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;

/// The data of a text classifier's training.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The labels, sorted by their bytes.
    pub labels: Vec<String>,
    /// The vocabulary of the training rows.
    pub vocabulary: Vocabulary,
    /// The training rows.
    pub train: Vec<Example>,
    /// The validation rows. With cross-validation, all training rows.
    pub valid: Vec<Example>,
    /// The fold of each training row, from 0. Empty without cross-validation.
    pub folds: Vec<usize>,
    /// The number of validation rows whose text is also a training text. 0 if Tern made the validation split.
    pub leaked: usize,
    /// The number of rows that repeat the text of an earlier row; equal texts are in the same part of a split. 0 if the
    /// recipe names validation data.
    pub duplicates: usize,
    /// The place of each training row in its file. The data that [`splits`](Self::splits) returns have the places of
    /// all rows instead.
    pub places: Vec<Place>,
}

impl Prepared {
    /// Returns one copy of the data for each fold, with the rows of the fold as validation rows and the others as
    /// training rows; without cross-validation, returns `self` only.
    pub fn splits(&self) -> Vec<Cow<'_, Prepared>> {
        if self.folds.is_empty() {
            return vec![Cow::Borrowed(self)];
        }
        let split = |fold| {
            let is_held_out: Vec<bool> = self.folds.iter().map(|&row_fold| row_fold == fold).collect();
            let (train, valid) = data::partition(self.train.clone(), &is_held_out);
            Cow::Owned(Prepared { train, valid, folds: Vec::new(), ..self.clone() })
        };
        let last_fold = self.folds.iter().max().copied().unwrap_or(0);
        (0..=last_fold).map(split).collect()
    }

    /// Reads the validation rows from the source `path`, and counts those whose text is also a training text. Fails if
    /// the source cannot be read, or has a label that the training rows lack.
    fn read_validation(&mut self, path: &Path, columns: &Columns) -> anyhow::Result<()> {
        self.valid = data::labels_to_indices(data::read(path, columns)?, &self.labels, path)?;
        let train_texts: HashSet<&str> = texts(&self.train).collect();
        self.leaked = texts(&self.valid).filter(|text| train_texts.contains(text)).count();
        Ok(())
    }

    /// Moves the validation rows out of the training rows or, if the recipe asks for a cross-validation, divides the
    /// training rows into folds. Fails if no class has two distinct texts.
    fn split_off_validation(&mut self, recipe: &Recipe) -> anyhow::Result<()> {
        // Rows with equal texts stay together.
        let keys: Vec<&str> = texts(&self.train).collect();
        let classes: Vec<usize> = self.train.iter().map(|example| example.label).collect();
        self.duplicates = keys.len() - keys.iter().collect::<HashSet<_>>().len();
        let (fraction, seed) = (recipe.data.valid_fraction, recipe.split_seed());
        let held_out =
            data::hold_out(&keys, &classes, &self.labels, fraction, seed).map_err(FileError::at(&recipe.data.train))?;
        match recipe.folds(keys.len()) {
            // No cross-validation.
            1 => {
                (self.train, self.valid) = data::partition(std::mem::take(&mut self.train), &held_out);
                (self.places, _) = data::partition(std::mem::take(&mut self.places), &held_out);
            }
            count => {
                self.folds = data::folds(&keys, &classes, count, seed);
                self.valid = self.train.clone();
            }
        }
        Ok(())
    }
}

/// Returns the texts of some examples.
fn texts(examples: &[Example]) -> impl ExactSizeIterator<Item = &str> + Clone {
    examples.iter().map(|example| example.text.as_str())
}

/// Reads the recipe's data, makes a validation split or folds if the recipe names no validation data, builds the
/// vocabulary from the training rows, and writes the settings that depend on the data into the recipe. Fails if a table
/// cannot be read, the labels do not suit the model or a split, the recipe's settings contradict each other, or the
/// vocabulary would be empty.
pub fn prepare(recipe: &mut Recipe) -> anyhow::Result<Prepared> {
    let data = recipe.data.clone();
    let columns = Columns { text: data.text_column.clone(), label: data.label_column.clone(), layout: data.layout() };
    let path = data.train.clone();
    let rows = data::read(&path, &columns)?;
    let labels = data::distinct_labels(&rows);
    if let [label] = labels.as_slice() {
        bail!("{}: every label is {label:?}, expected two labels or more", path.display());
    }
    if recipe.model.output == Output::Sigmoid && labels.len() != 2 {
        let (path, count) = (path.display(), labels.len());
        bail!("{path}: {count} labels, expected 2 where [model] output is \"sigmoid\"; take output = \"softmax\"");
    }
    let places: Vec<Place> = rows.iter().enumerate().map(|(index, row)| Place { row: index, line: row.line }).collect();
    let train = data::labels_to_indices(rows, &labels, &path)?;
    // The validation rows or folds and the vocabulary are filled in below.
    let (valid, folds, vocabulary) = (Vec::new(), Vec::new(), Vocabulary::none());
    let mut prepared = Prepared { labels, vocabulary, train, valid, folds, leaked: 0, duplicates: 0, places };
    match &data.valid {
        Some(valid) => prepared.read_validation(valid, &columns)?,
        None => prepared.split_off_validation(recipe)?,
    }
    // 1 means that there is no cross-validation.
    recipe.data.folds = prepared.folds.iter().max().map_or(1, |last| last + 1);
    recipe.resolve_text_settings(texts(&prepared.train), prepared.labels.len());
    // The tokenizer and the n-gram branch may have been chosen by the texts, so the recipe is checked again.
    recipe.check()?;
    let (min_count, max_size) = (recipe.vocabulary.min_count(), Some(recipe.vocabulary.max_size()));
    prepared.vocabulary =
        Vocabulary::build_for(recipe.tokenizer.tokenizer(), texts(&prepared.train), min_count, max_size);
    if prepared.vocabulary.len() == RESERVED_IDS && recipe.model.num_layers > 0 {
        bail!(
            "{}: no token occurs {min_count} times or more, so the vocabulary would be empty; use --tokenizer chars or \
             wordpiece for texts without spaces and for single words",
            path.display()
        );
    }
    Ok(prepared)
}
