//! Labels of texts and their indices.

use super::table::{Example, Row};
use crate::display::quoted;
use crate::file_error::FileError;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// Returns the distinct labels of `rows`, sorted by their bytes.
pub fn distinct_labels(rows: &[Row]) -> Vec<String> {
    let labels: BTreeSet<&str> = rows.iter().map(|row| row.label.as_str()).collect();
    labels.into_iter().map(str::to_owned).collect()
}

/// Replaces the label of each row by its index in `labels`. `path` is the source of the rows, for errors. Fails if a
/// row's label is not in `labels`.
pub fn labels_to_indices(rows: Vec<Row>, labels: &[String], path: &Path) -> Result<Vec<Example>, FileError> {
    let index: HashMap<&str, usize> = labels.iter().map(String::as_str).zip(0..).collect();
    let faulty_rows: Vec<&Row> = rows.iter().filter(|row| !index.contains_key(row.label.as_str())).collect();
    let Some(first) = faulty_rows.first() else {
        return Ok(rows.into_iter().map(|row| Example { label: index[row.label.as_str()], text: row.text }).collect());
    };
    let unknown: BTreeSet<&str> = faulty_rows.iter().map(|row| row.label.as_str()).collect();
    let unknown: Vec<String> = unknown.into_iter().map(str::to_owned).collect();
    let plural_ending = |count: usize| if count == 1 { "" } else { "s" };
    // A row of line 0 is a whole file of a folder.
    let place = if first.line == 0 { String::new() } else { format!(", the first in line {}", first.line) };
    let problem = format!(
        "unknown label{} {} ({} row{}{place}); the model has the labels {}",
        plural_ending(unknown.len()),
        quoted(&unknown),
        faulty_rows.len(),
        plural_ending(faulty_rows.len()),
        quoted(labels)
    );
    Err(FileError::new(path, problem))
}
