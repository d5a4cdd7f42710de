//! Tables in CSV and TSV files.

use super::{Example, TableError, encoding, quoting};
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Which columns hold what, and what stands between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// Header of the column with the texts.
    pub text: String,
    /// Header of the column with the labels.
    pub label: String,
    /// The separator. `None`: a tab where the file's name ends in `.tsv` or `.tab`, a comma elsewhere.
    pub delimiter: Option<u8>,
}

impl Default for Columns {
    fn default() -> Self {
        Columns { text: "text".to_owned(), label: "label".to_owned(), delimiter: None }
    }
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The text; may be empty.
    pub text: String,
    /// The label without white space around it; never empty.
    pub label: String,
    /// Line of the file where the row begins, from 1; 0 where the text is a file of its own.
    pub line: u64,
}

/// Reads a table: RFC 4180, with a header, in UTF-8 with or without a byte-order mark.
///
/// # Errors
///
/// See [`TableError`]; every one names the file, and the line where there is one.
pub fn read(path: &Path, columns: &Columns) -> Result<Vec<Row>, TableError> {
    let bytes = std::fs::read(path).map_err(TableError::io(path))?;
    let text = encoding::decode(path, &bytes)?;
    if text.trim().is_empty() {
        return Err(TableError::Empty { path: path.to_owned() });
    }
    let delimiter = columns.delimiter.unwrap_or(default_delimiter(path));
    quoting::check(path, text, delimiter)?;
    let body = text.as_bytes();
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(body);
    let mut lines = Lines { body, byte: 0, line: 1 };
    let header: Vec<String> = reader
        .headers()
        .map_err(|error| failure(path, error, &mut lines))?
        .iter()
        .map(|name| name.trim().to_owned())
        .collect();
    let column = |wanted: &str, option| {
        header.iter().position(|name| name == wanted).ok_or_else(|| TableError::MissingColumn {
            path: path.to_owned(),
            wanted: wanted.to_owned(),
            place: "line 1".to_owned(),
            found: header.clone(),
            option,
            one_column: header.len() == 1,
        })
    };
    let text = column(&columns.text, "text-column")?;
    let label = column(&columns.label, "label-column")?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| failure(path, error, &mut lines))?;
        let line = lines.at(record.position());
        let row = Row { text: record[text].to_owned(), label: record[label].trim().to_owned(), line };
        if row.label.is_empty() {
            return Err(TableError::EmptyLabel { path: path.to_owned(), line, column: columns.label.clone() });
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return Err(TableError::NoRows { path: path.to_owned() });
    }
    Ok(rows)
}

pub(super) fn default_delimiter(path: &Path) -> u8 {
    let extension = path.extension().map(|e| e.to_ascii_lowercase());
    if extension.is_some_and(|e| e == "tsv" || e == "tab") { b'\t' } else { b',' }
}

/// Counts lines by bytes: the csv library's own count is one short after a line that ends in CR LF.
struct Lines<'a> {
    body: &'a [u8],
    byte: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of a record that begins at or after `position`. Positions must not fall from call to call.
    fn at(&mut self, position: Option<&csv::Position>) -> u64 {
        let start = position.map_or(0, |position| position.byte() as usize).max(self.byte);
        let blank = self.body[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let passed = &self.body[self.byte..start + blank];
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.byte = start + blank;
        self.line
    }
}

fn failure(path: &Path, error: csv::Error, lines: &mut Lines<'_>) -> TableError {
    let path = path.to_owned();
    let line = lines.at(error.position());
    match error.into_kind() {
        csv::ErrorKind::Io(source) => TableError::Io { path, source },
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            TableError::Fields { path, line, found: len, expected: expected_len }
        }
        kind => TableError::Io { path, source: std::io::Error::other(format!("{kind:?}")) },
    }
}

/// Writes examples as a CSV file with the header `text,label`.
///
/// # Errors
///
/// What the system says.
pub fn write(path: &Path, examples: &[Example], labels: &[String]) -> std::io::Result<()> {
    let mut writer = csv::Writer::from_writer(File::create(path)?);
    writer.write_record(["text", "label"])?;
    for example in examples {
        writer.write_record([&example.text, &labels[example.label]])?;
    }
    writer.into_inner().map_err(|error| error.into_error())?.flush()
}
