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

pub use delimited::Layout;
pub use encoding::read as read_text;
pub use error::TableError;
pub use save::{Format, save};
pub use sequences::{Sequence, Sequences};
pub use source::{Place, Source, is_hub, is_plain_text, read};
pub use split::{folds, hold_out, partition, sample, sample_indices, split};
pub use statistics::{Lengths, Statistics};
pub use table::{Columns, Row, read_saved, write};

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

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
    let labels: BTreeSet<&str> = rows.iter().map(|row| row.label.as_str()).collect();
    labels.into_iter().map(str::to_owned).collect()
}

/// Returns up to ten names in quotation marks, separated by commas.
pub(crate) fn quoted(names: &[String]) -> String {
    let mut list: Vec<String> = names.iter().take(10).map(|name| format!("{name:?}")).collect();
    if names.len() > list.len() {
        list.push(format!("and {} more", names.len() - list.len()));
    }
    list.join(", ")
}

/// Replaces the label of each row by its index in `labels`. `path` is the source of the rows, for errors. Fails if a
/// row's label is not in `labels`.
pub fn number(rows: Vec<Row>, labels: &[String], path: &Path) -> Result<Vec<Example>, TableError> {
    let index: HashMap<&str, usize> = labels.iter().map(String::as_str).zip(0..).collect();
    let bad: Vec<&Row> = rows.iter().filter(|row| !index.contains_key(row.label.as_str())).collect();
    let Some(first) = bad.first() else {
        return Ok(rows.into_iter().map(|row| Example { label: index[row.label.as_str()], text: row.text }).collect());
    };
    let unknown: BTreeSet<&String> = bad.iter().map(|row| &row.label).collect();
    let unknown: Vec<String> = unknown.into_iter().cloned().collect();
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    // Each text of a folder is a file of its own and has line 0.
    let place = if first.line == 0 { String::new() } else { format!(", the first in line {}", first.line) };
    let problem = format!(
        "unknown label{} {} ({} row{}{place}); the model has the labels {}",
        plural(unknown.len()),
        quoted(&unknown),
        bad.len(),
        plural(bad.len()),
        quoted(labels)
    );
    Err(TableError::new(path, problem))
}
