//! Where labelled texts come from: one function for every kind of source.

use super::table::{self, Columns, Row};
use super::{TableError, folder, jsonl};
use std::path::Path;

/// What a path of data names a source by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A CSV or TSV file.
    Table,
    /// A file of JSON objects, one a line.
    JsonLines,
    /// A Parquet file.
    Parquet,
    /// A directory with a folder for each label.
    Folder,
    /// A data set of the Hugging Face hub: `hf:owner/name`.
    Hub,
}

impl Source {
    /// What `path` is: by its beginning, by what is there, by its ending.
    pub fn of(path: &Path) -> Self {
        if is_hub(path) {
            return Source::Hub;
        }
        if path.is_dir() {
            return Source::Folder;
        }
        let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
        match ending.as_ref().and_then(|ending| ending.to_str()) {
            Some("jsonl" | "ndjson" | "json") => Source::JsonLines,
            Some("parquet") => Source::Parquet,
            _ => Source::Table,
        }
    }
}

/// Whether `path` names a data set of the Hugging Face hub and no file.
pub fn is_hub(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.starts_with("hf:"))
}

/// Reads labelled texts from a CSV, TSV, JSONL or Parquet file, a folder of texts, or the Hugging Face hub.
///
/// # Errors
///
/// See [`TableError`]; every one names the file, and the line where there is one.
pub fn read(path: &Path, columns: &Columns) -> Result<Vec<Row>, TableError> {
    if columns.text == columns.label {
        return Err(TableError::SameColumn { name: columns.text.clone() });
    }
    match Source::of(path) {
        Source::Table => table::read(path, columns),
        Source::JsonLines => jsonl::read(path, columns),
        Source::Folder => folder::read(path),
        Source::Parquet => parquet(path, columns),
        Source::Hub => hub(path, columns),
    }
}

/// Where a row stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// How many rows [`read`] gave before it.
    pub row: usize,
    /// [`Row::line`].
    pub line: u64,
}

impl Place {
    /// For people: the file, and the line where there is one.
    pub fn show(self, path: &Path) -> String {
        match (Source::of(path), self.line) {
            (Source::Folder, _) => folder::file(path, self.row).unwrap_or(path.to_owned()).display().to_string(),
            (_, 0) => format!("{}: row {}", path.display(), self.row + 1),
            (_, line) => format!("{}: line {line}", path.display()),
        }
    }
}

#[cfg(feature = "hub")]
use super::{hub::read as hub, parquet::read as parquet};

#[cfg(not(feature = "hub"))]
fn parquet(path: &Path, _: &Columns) -> Result<Vec<Row>, TableError> {
    Err(TableError::Feature { path: path.to_owned(), what: "Parquet files" })
}

#[cfg(not(feature = "hub"))]
fn hub(path: &Path, _: &Columns) -> Result<Vec<Row>, TableError> {
    Err(TableError::Feature { path: path.to_owned(), what: "data sets of the Hugging Face hub" })
}
