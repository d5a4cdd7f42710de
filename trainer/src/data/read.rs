//! Reads labelled texts from every kind of source.

use super::source::Source;
use super::table::{self, Columns, Row};
use super::{folder, lines};
use crate::file_error::FileError;
use std::path::Path;

/// Reads labelled texts from a CSV, TSV, JSONL, fastText or Parquet file, a folder of texts, or the Hugging Face hub.
/// Fails if both columns of `columns` have the same name, the source cannot be read, or a row is faulty. Parquet files
/// and the hub need the feature `hub`.
pub fn read(path: &Path, columns: &Columns) -> Result<Vec<Row>, FileError> {
    if columns.text == columns.label {
        let problem = format!("column {:?} is selected for both texts and labels, expected two columns", columns.text);
        return Err(FileError::new(path, problem));
    }
    match Source::of(path) {
        Source::Table => table::read(path, columns),
        Source::JsonLines => lines::read_json(path, columns),
        Source::FastText => lines::read_fast_text(path),
        Source::Folder => folder::read(path),
        #[cfg(feature = "hub")]
        Source::Parquet => super::parquet::read(path, columns),
        #[cfg(feature = "hub")]
        Source::Hub => super::hub::read(path, columns),
        #[cfg(not(feature = "hub"))]
        Source::Parquet => needs_feature(path, "Parquet files"),
        #[cfg(not(feature = "hub"))]
        Source::Hub => needs_feature(path, "data sets of the Hugging Face hub"),
    }
}

/// Returns the error for a source of a `kind` that needs the feature `hub`.
#[cfg(not(feature = "hub"))]
fn needs_feature(path: &Path, kind: &str) -> Result<Vec<Row>, FileError> {
    let problem = format!(
        "this `tern` was built without the feature `hub`, which reads {kind}; build it with \
         `cargo install --locked --path trainer --features hub`, or convert the data to CSV or JSONL"
    );
    Err(FileError::new(path, problem))
}
