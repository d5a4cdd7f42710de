//! Training data: tables of labelled texts and of numbers from files, folders and the Hugging Face hub, and their
//! splits.
//!
//! [`read`] reads labelled texts from every kind of [`Source`]. Errors name the file, the line and what was expected.

mod delimited;
mod encoding;
mod error;
mod folder;
#[cfg(feature = "hub")]
mod hub;
mod lines;
pub mod normalise;
pub mod number_table;
#[cfg(feature = "hub")]
mod parquet;
pub mod progress;
mod save;
pub mod sequences;
mod source;
mod split;
mod statistics;
mod table;

pub use delimited::{DelimitedFile, Layout};
pub use encoding::read as read_text;
pub use error::TableError;
pub use save::{Format, save};
pub use sequences::{Sequence, Sequences};
pub use source::{Place, Source, is_hub, is_plain_text, read};
pub use split::{SplitError, folds, hold_out, partition, sample, sample_indices, split};
pub use statistics::{Lengths, Statistics};
pub use table::{Columns, Row, read_saved, write};

use std::collections::{HashMap, HashSet};

#[cfg(test)]
mod tests;

/// A text and the index of its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The text as it is in the table.
    pub text: String,
    /// Index into the list of labels.
    pub label: usize,
}

/// Returns the distinct labels of `rows`, sorted by their bytes.
pub fn labels(rows: &[Row]) -> Vec<String> {
    let labels: HashSet<&str> = rows.iter().map(|row| row.label.as_str()).collect();
    let mut labels: Vec<String> = labels.into_iter().map(str::to_owned).collect();
    labels.sort();
    labels
}

/// A table has labels that a model does not have.
#[derive(Debug, thiserror::Error)]
#[error("{path}: unknown label{} {} ({}{}); the model has the labels {}",
    if unknown.len() == 1 { "" } else { "s" }, quoted(unknown), if *rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") },
    if *line == 0 { String::new() } else { format!(", the first in line {line}") }, quoted(known))]
pub struct UnknownLabels {
    /// The table.
    pub path: String,
    /// The unknown labels, sorted.
    pub unknown: Vec<String>,
    /// The model's labels.
    pub known: Vec<String>,
    /// Number of rows with an unknown label.
    pub rows: usize,
    /// Line of the first of these rows; 0 if each text is a file.
    pub line: u64,
}

/// Returns up to ten names in quotation marks, separated by commas.
pub(crate) fn quoted(names: &[String]) -> String {
    let mut list: Vec<String> = names.iter().take(10).map(|name| format!("{name:?}")).collect();
    if names.len() > list.len() {
        list.push(format!("and {} more", names.len() - list.len()));
    }
    list.join(", ")
}

/// Replaces the label of each row by its index in `labels`. `path` is the source of the rows, for errors.
///
/// # Errors
///
/// Returns an error if a row's label is not in `labels`.
pub fn number(rows: Vec<Row>, labels: &[String], path: &str) -> Result<Vec<Example>, UnknownLabels> {
    let index: HashMap<&str, usize> = labels.iter().map(String::as_str).zip(0..).collect();
    let bad: Vec<&Row> = rows.iter().filter(|row| !index.contains_key(row.label.as_str())).collect();
    if let Some(first) = bad.first() {
        let mut unknown: Vec<String> = bad.iter().map(|row| row.label.clone()).collect();
        unknown.sort();
        unknown.dedup();
        return Err(UnknownLabels {
            path: path.to_owned(),
            unknown,
            known: labels.to_vec(),
            rows: bad.len(),
            line: first.line,
        });
    }
    Ok(rows.into_iter().map(|row| Example { label: index[row.label.as_str()], text: row.text }).collect())
}
