//! Labelled texts: reading them from files, folders and the Hugging Face hub, numbering labels, holding rows out.
//!
//! [`read`] takes every [`Source`]. What it cannot read it refuses with the file, the line and what was expected there.

mod deal;
mod encoding;
mod error;
mod folder;
#[cfg(feature = "hub")]
mod hub;
mod jsonl;
pub mod normalise;
pub mod number_table;
#[cfg(feature = "hub")]
mod parquet;
mod quoting;
mod save;
pub mod sequences;
mod source;
mod split;
mod statistics;
mod table;

pub use deal::deal;
pub use error::TableError;
pub use save::{Format, save};
pub use sequences::{Sequence, Sequences};
pub use source::{Place, Source, is_hub, read};
pub use split::{SplitError, hold_out, parts, sample};
pub use statistics::{Lengths, Statistics};
pub use table::{Columns, Row, write};

#[cfg(test)]
mod tests;

/// A text and the number of its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The text as it stood in the table.
    pub text: String,
    /// Index into the list of labels.
    pub label: usize,
}

/// The distinct labels of `rows`, sorted by their bytes.
pub fn labels(rows: &[Row]) -> Vec<String> {
    let mut labels: Vec<String> = rows.iter().map(|row| row.label.clone()).collect();
    labels.sort();
    labels.dedup();
    labels
}

/// Labels in a table that a model does not have.
#[derive(Debug, thiserror::Error)]
#[error("{path}: unknown label{} {} ({}{}); the model knows {}",
    if unknown.len() == 1 { "" } else { "s" }, quoted(unknown), if *rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") },
    if *line == 0 { String::new() } else { format!(", the first in line {line}") }, quoted(known))]
pub struct UnknownLabels {
    /// The table.
    pub path: String,
    /// The labels that are not known, sorted.
    pub unknown: Vec<String>,
    /// The labels that are.
    pub known: Vec<String>,
    /// How many rows have an unknown label.
    pub rows: usize,
    /// Line of the first of them; 0 where each text is a file.
    pub line: u64,
}

/// Up to ten names in quotation marks.
pub(crate) fn quoted(names: &[String]) -> String {
    let mut list: Vec<String> = names.iter().take(10).map(|name| format!("{name:?}")).collect();
    if names.len() > list.len() {
        list.push(format!("and {} more", names.len() - list.len()));
    }
    list.join(", ")
}

/// Numbers the labels of `rows`, which were read from `path`.
///
/// # Errors
///
/// Where a label is not in `labels`.
pub fn number(rows: Vec<Row>, labels: &[String], path: &str) -> Result<Vec<Example>, UnknownLabels> {
    let index = |row: &Row| labels.iter().position(|label| *label == row.label);
    let bad: Vec<&Row> = rows.iter().filter(|row| index(row).is_none()).collect();
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
    Ok(rows.into_iter().filter_map(|row| Some(Example { label: index(&row)?, text: row.text })).collect())
}
