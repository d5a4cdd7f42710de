//! Tables of labelled texts in CSV and TSV files.

use super::delimited::{DelimitedFile, Layout};
use super::error;
use super::text::Text;
use crate::file_error::FileError;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// A text and the index of its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The text as it is in the table.
    pub text: Text,
    /// Index into the list of labels.
    pub label: usize,
}

/// The columns of texts and labels, and the layout of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// Name of the column with the texts.
    pub text: String,
    /// Name of the column with the labels.
    pub label: String,
    /// The layout of delimited files.
    pub layout: Layout,
}

impl Default for Columns {
    fn default() -> Self {
        Columns { text: "text".to_owned(), label: "label".to_owned(), layout: Layout::default() }
    }
}

/// A labelled text of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The text; may be empty.
    pub text: Text,
    /// The label without white space around it; never empty.
    pub label: Text,
    /// First line of the row in its file, from 1; for Parquet, the number of the row; 0 if the text is a whole file.
    pub line: u64,
}

impl Row {
    /// Creates a row. `label`: the label without white space around it. The error is "text" or "label" if that part
    /// contains a NUL, because a saved table with a NUL could not be read again.
    pub(super) fn new(text: Text, label: Text, line: u64) -> Result<Self, &'static str> {
        match (text.contains('\0'), label.contains('\0')) {
            (true, _) => Err("text"),
            (_, true) => Err("label"),
            _ => Ok(Row { text, label, line }),
        }
    }
}

/// Reads a CSV or TSV file in UTF-8, with or without a byte-order mark. Fails if the file cannot be read, lacks a
/// column or has an empty label.
pub fn read(path: &Path, columns: &Columns) -> Result<Vec<Row>, FileError> {
    rows(path, columns, &DelimitedFile::read(path, columns.layout)?)
}

/// Reads a table that [`write()`] wrote, without a warning about its quotation marks. Fails as [`read`] does.
pub fn read_saved(path: &Path) -> Result<Vec<Row>, FileError> {
    let columns = Columns::default();
    rows(path, &columns, &DelimitedFile::open(path, columns.layout)?.0)
}

/// Reads the rows of an opened file.
fn rows(path: &Path, columns: &Columns, file: &DelimitedFile) -> Result<Vec<Row>, FileError> {
    let text = file.column(&columns.text, "--text-column")?;
    let label = file.column(&columns.label, "--label-column")?;
    let mut rows = Vec::new();
    file.for_each_row(|line, fields, part| {
        // Without `Row::new`: the file was refused if it had a NUL.
        let row = Row { text: part.text(&fields[text]), label: part.text(fields[label].trim()), line };
        if row.label.is_empty() {
            return Err(error::empty_label(path, line, &columns.label));
        }
        rows.push(row);
        Ok(())
    })?;
    Ok(rows)
}

/// Writes examples as a CSV file with the header `text,label`.
pub fn write(path: &Path, examples: &[Example], labels: &[String]) -> std::io::Result<()> {
    let mut writer = csv::Writer::from_writer(File::create(path)?);
    writer.write_record(["text", "label"])?;
    for example in examples {
        writer.write_record([example.text.as_str(), &labels[example.label]])?;
    }
    writer.into_inner().map_err(|error| error.into_error())?.flush()
}
