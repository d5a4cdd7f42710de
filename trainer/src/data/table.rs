//! Tables in CSV and TSV files.

use super::{Example, quoted};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

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
    /// Line of the file where the row begins, from 1.
    pub line: u64,
}

/// Why a table cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file cannot be opened or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// There is nothing in the file.
    #[error("{}: the file is empty, expected a header line such as `text,label` and a row for each example", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The header lacks a column.
    #[error("{}: no column {wanted:?}; line 1 has the columns {}. Choose one with --{option}{}", path.display(), quoted(found),
        if *one_column { ", or name the separator with --delimiter" } else { "" })]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The column looked for.
        wanted: String,
        /// The columns found.
        found: Vec<String>,
        /// The option that names this column.
        option: &'static str,
        /// Whether the separator is probably the wrong one.
        one_column: bool,
    },
    /// Text and label are the same column.
    #[error("column {name:?} is named for both texts and labels, expected two columns")]
    SameColumn {
        /// The column.
        name: String,
    },
    /// A row has more or fewer fields than the header.
    #[error("{}: line {line} has {found} fields, expected {expected} as in the header; a field with the separator, a quotation mark or a line break in it must stand in quotation marks", path.display())]
    Fields {
        /// The file.
        path: PathBuf,
        /// Where the row begins.
        line: u64,
        /// Its fields.
        found: u64,
        /// The header's fields.
        expected: u64,
    },
    /// A row has no label.
    #[error("{}: line {line}: the label is empty, expected a name in column {column:?}; fill it in or delete the row", path.display())]
    EmptyLabel {
        /// The file.
        path: PathBuf,
        /// Where the row begins.
        line: u64,
        /// The column of labels.
        column: String,
    },
    /// A row is not UTF-8.
    #[error("{}: line {line}: not UTF-8, expected a UTF-8 file; convert it, for example with `iconv -f latin1 -t utf-8`", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Where the row begins.
        line: u64,
    },
    /// There is a header and nothing else.
    #[error("{}: there is no row after the header, expected a row for each example", path.display())]
    NoRows {
        /// The file.
        path: PathBuf,
    },
}

/// Reads a table: RFC 4180, with a header, in UTF-8 with or without a byte-order mark.
///
/// # Errors
///
/// See [`TableError`]; every one names the file, and the line where there is one.
pub fn read(path: &Path, columns: &Columns) -> Result<Vec<Row>, TableError> {
    let io = |source| TableError::Io { path: path.to_owned(), source };
    if columns.text == columns.label {
        return Err(TableError::SameColumn { name: columns.text.clone() });
    }
    let bytes = std::fs::read(path).map_err(io)?;
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(TableError::Empty { path: path.to_owned() });
    }
    let mut reader =
        csv::ReaderBuilder::new().delimiter(columns.delimiter.unwrap_or(default_delimiter(path))).from_reader(body);
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

fn default_delimiter(path: &Path) -> u8 {
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
        csv::ErrorKind::Utf8 { .. } => TableError::NotUtf8 { path, line },
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
