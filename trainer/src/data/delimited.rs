//! Delimited files (CSV, TSV): one reader for tables of texts and tables of numbers.

mod quoting;

use super::encoding;
use super::error::MissingColumn;
use super::text::Part;
use crate::file_error::FileError;
use crate::progress;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The number of rows that are read to decide whether the first line is a header or data.
const SAMPLE_ROWS: usize = 1000;

/// The layout of a delimited file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The separator. `None`: a tab in `.tsv` and `.tab` files, a comma elsewhere.
    pub delimiter: Option<u8>,
    /// True if the first line names the columns. Without a header, columns have their numbers as names: "1", "2", ….
    pub header: bool,
    /// True if quotation marks enclose fields (RFC 4180), false if they are ordinary characters.
    pub quoting: bool,
}

impl Default for Layout {
    fn default() -> Self {
        Layout { delimiter: None, header: true, quoting: true }
    }
}

/// A delimited file in memory.
#[derive(Debug)]
pub struct DelimitedFile {
    path: PathBuf,
    /// The content of the file.
    text: Arc<String>,
    pub(super) layout: Layout,
    delimiter: u8,
    /// The names of the columns.
    names: Vec<String>,
}

impl DelimitedFile {
    /// Reads a file, checks its encoding and its quotation marks, and reads the names of its columns. A column without
    /// a name is called "column N". Prints a warning if quotation marks seem to enclose whole rows. Fails if the file
    /// cannot be read, is not UTF-8 or is empty, or if its quotation marks do not pair up.
    pub fn read(path: &Path, layout: Layout) -> Result<Self, FileError> {
        let (file, warning) = DelimitedFile::open(path, layout)?;
        warning.iter().for_each(progress::warn);
        Ok(file)
    }

    /// Reads a file as [`read`](Self::read) does, but returns the warning, if there is one, instead of printing it.
    pub(super) fn open(path: &Path, layout: Layout) -> Result<(Self, Option<String>), FileError> {
        let _stage = progress::Stage::new(format!("checking {}", path.display()));
        let text = Arc::new(encoding::read(path)?);
        if text.trim().is_empty() {
            let expected = "expected a header line such as `text,label` and a row for each example";
            return Err(FileError::new(path, format!("the file is empty, {expected}")));
        }
        let has_tabs = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tsv") || e.eq_ignore_ascii_case("tab"));
        let delimiter = layout.delimiter.unwrap_or(if has_tabs { b'\t' } else { b',' });
        let mut file = DelimitedFile { path: path.to_owned(), text, layout, delimiter, names: Vec::new() };
        let mut first = csv::StringRecord::new();
        let mut reader = file.reader(false);
        reader.read_record(&mut first).map_err(|error| file.failure(error, &mut file.lines()))?;
        file.names = if layout.header {
            let name = |(index, name): (usize, &str)| match name.trim() {
                "" => format!("column {}", index + 1),
                name => name.to_owned(),
            };
            first.iter().enumerate().map(name).collect()
        } else {
            (1..=first.len()).map(|number| number.to_string()).collect()
        };
        let warning = if layout.quoting {
            quoting::check(&file.path, &file.text, file.delimiter, file.names.len())?
        } else {
            None
        };
        Ok((file, warning))
    }

    /// The names of the columns, in their order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the position of the column `wanted`. `option` is the option or recipe key that chooses the column. Fails
    /// if no column or more than one has this name.
    pub fn column(&self, wanted: &str, option: &'static str) -> Result<usize, FileError> {
        let mut places = (0..self.names.len()).filter(|&column| self.names[column] == wanted);
        match (places.next(), places.next()) {
            (Some(column), None) => Ok(column),
            (Some(first), Some(second)) => Err(self.duplicate(wanted, first, second)),
            (None, _) => {
                let place = if self.layout.header { "line 1" } else { "without a header, the file" };
                let missing = MissingColumn { wanted, place, found: &self.names, option, hint: &self.hint() };
                Err(missing.error(&self.path))
            }
        }
    }

    /// Checks that no two of the columns at `positions` have the same name. The error names both columns.
    pub fn distinct(&self, positions: &[usize]) -> Result<(), FileError> {
        for (index, &second) in positions.iter().enumerate() {
            if let Some(&first) = positions[..index].iter().find(|&&first| self.names[first] == self.names[second]) {
                return Err(self.duplicate(&self.names[second], first, second));
            }
        }
        Ok(())
    }

    /// Returns the error for two columns with the same name, `first` and `second` by their positions.
    fn duplicate(&self, name: &str, first: usize, second: usize) -> FileError {
        let columns = format!("columns {} and {} are both named {name:?}", first + 1, second + 1);
        FileError::in_line(&self.path, 1, format!("{columns}, expected different names; rename one of them"))
    }

    /// Calls `on_row` for each row after the header, if there is one, and returns the number of rows. The arguments of
    /// `on_row` are the row's first line in the file, its fields, and its part of the file's content. Fails if a row
    /// has more or fewer fields than the first line, if no row exists, or if `on_row` fails.
    pub fn for_each_row(
        &self,
        mut on_row: impl FnMut(u64, &csv::StringRecord, &Part<'_>) -> Result<(), FileError>,
    ) -> Result<usize, FileError> {
        let stage = progress::Stage::with_total(format!("reading {}", self.path.display()), self.text.len());
        let (mut reader, mut lines) = (self.reader(self.layout.header), self.lines());
        let (mut record, mut count) = (csv::StringRecord::new(), 0);
        while reader.read_record(&mut record).map_err(|error| self.failure(error, &mut lines))? {
            let line = lines.advance(record.position());
            let range = lines.byte..reader.position().byte() as usize;
            on_row(line, &record, &Part { content: &self.text, range })?;
            count += 1;
            if count % 1024 == 0 {
                stage.at(lines.byte);
            }
        }
        if count == 0 {
            return Err(FileError::new(&self.path, "no row after the header, expected a row for each example"));
        }
        Ok(count)
    }

    /// Returns a reader of the file's rows. `skip_first`: true to skip the first row, the header.
    fn reader(&self, skip_first: bool) -> csv::Reader<&[u8]> {
        let mut builder = csv::ReaderBuilder::new();
        builder.delimiter(self.delimiter).has_headers(skip_first).quoting(self.layout.quoting);
        builder.from_reader(self.text.as_bytes())
    }

    /// Returns a counter of the file's lines, before the first byte.
    fn lines(&self) -> Lines<'_> {
        Lines { content: self.text.as_bytes(), byte: 0, line: 1 }
    }

    /// Returns the error for a row that the csv library cannot read.
    fn failure(&self, error: csv::Error, lines: &mut Lines<'_>) -> FileError {
        let line = lines.advance(error.position());
        let problem = match error.into_kind() {
            csv::ErrorKind::Io(error) => error.to_string(),
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => format!(
                "line {line} has {len} fields, expected {expected_len} as in the first line; a field with the separator, \
                 a quotation mark or a line break in it needs quotation marks around it"
            ),
            kind => format!("{kind:?}"),
        };
        FileError::new(&self.path, problem)
    }

    /// Returns advice for a table that lacks a wanted column, with the punctuation that joins it to the message, or an
    /// empty text. The likely causes are another separator, a missing header, and sequences in another layout.
    pub(super) fn hint(&self) -> String {
        if let [name] = self.names.as_slice() {
            let separator = [';', '\t', '|', ','].into_iter().find(|&separator| name.contains(separator));
            let value = match separator {
                Some('\t') => " tab".to_owned(),
                Some(separator) => format!(" '{separator}'"),
                None => String::new(),
            };
            return format!(", or name the separator with --delimiter{value}");
        }
        let first_row = self.sample().into_iter().next().unwrap_or_default();
        let number_count = first_row.iter().filter(|field| is_number(field)).count();
        // If each line holds a whole sequence, all its fields are numbers, except at most one: a name or a label.
        if number_count > 2 && number_count + 1 >= self.names.len() {
            return ". Line 1 holds numbers: a table of sequences has a row for each time step and the columns \
                    sequence, label and one for each channel (docs/data.md)"
                .to_owned();
        }
        if !self.layout.header || !self.header_looks_like_data() {
            return String::new();
        }
        // If the columns cannot be guessed, the advice has the placeholder N for their numbers.
        let [text, label] = match self.guess_columns() {
            Some(columns) => columns.map(|column| (column + 1).to_string()),
            None => ["N", "N"].map(str::to_owned),
        };
        format!(
            ". Line 1 looks like data: if the file has no header, use --no-header --text-column {text} --label-column {label}"
        )
    }

    /// Returns the first [`SAMPLE_ROWS`] rows, the header included.
    fn sample(&self) -> Vec<csv::StringRecord> {
        self.reader(false).into_records().take(SAMPLE_ROWS).map_while(Result::ok).collect()
    }

    /// Returns true if the first line has a number, a field of three or more words, or a value that occurs again in its
    /// column.
    pub fn header_looks_like_data(&self) -> bool {
        let sample = self.sample();
        let Some((first, rows)) = sample.split_first() else { return false };
        first.iter().enumerate().any(|(column, field)| {
            let field = field.trim();
            let occurs_again = || rows.iter().any(|row| row.get(column).is_some_and(|other| other.trim() == field));
            !field.is_empty() && (is_number(field) || field.split_whitespace().count() > 2 || occurs_again())
        })
    }

    /// Guesses the positions of texts and labels in a table of two columns: labels have fewer distinct values. `None`
    /// for a table of another number of columns.
    fn guess_columns(&self) -> Option<[usize; 2]> {
        let sample = self.sample();
        let distinct = |column: usize| sample.iter().filter_map(|row| row.get(column)).collect::<HashSet<_>>().len();
        match self.names.len() {
            2 if distinct(0) < distinct(1) => Some([1, 0]),
            2 => Some([0, 1]),
            _ => None,
        }
    }
}

fn is_number(field: &str) -> bool {
    field.trim().parse::<f64>().is_ok()
}

/// Counts the lines of a file up to a position. The csv library's own count is one short after a line that ends in CR
/// LF.
struct Lines<'a> {
    content: &'a [u8],
    /// The position up to which lines are counted.
    byte: usize,
    /// The line at `byte`, from 1.
    line: u64,
}

impl Lines<'_> {
    /// Returns the line of the record that begins at `position` or after blank lines at `position`, and sets `byte` to
    /// the beginning of the record. Positions must not decrease from call to call. `None`: the position of the last
    /// call.
    fn advance(&mut self, position: Option<&csv::Position>) -> u64 {
        let start = position.map_or(self.byte, |position| self.byte.max(position.byte() as usize));
        let blank_bytes = self.content[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let record_start = start + blank_bytes;
        let passed = &self.content[self.byte..record_start];
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.byte = record_start;
        self.line
    }
}
