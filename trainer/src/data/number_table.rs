//! Tables of numbers.
//!
//! A table of sequences has a column by which rows belong together, consecutive rows with the same
//! value being one sequence, and a column of labels; a table of a series is in the order of time. All other columns that
//! hold numbers are channels.
//!
//! A number may be missing: an empty field, `NA`, `NaN`, `null` or `?`. What a network reads in its place is the last
//! number of the channel before it, in the same sequence or window's series, or the channel's mean where there is none.
//! A missing number is never learnt and never counted in a figure.

use crate::data::quoted;
use std::path::{Path, PathBuf};

/// What stands for a number that is not known.
const MISSING: [&str; 6] = ["", "NA", "NaN", "nan", "null", "?"];

/// Columns of a table, some of them read as numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Names of the columns of numbers.
    pub names: Vec<String>,
    /// `[rows][names]`; NaN where a number is missing.
    pub rows: Vec<Vec<f32>>,
    /// The columns that were asked for as texts: `[columns][rows]`.
    pub texts: Vec<Vec<String>>,
    /// Line of the file where each row begins, from 1.
    pub lines: Vec<u64>,
}

/// Why a table of numbers cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum NumberTableError {
    /// The file cannot be opened or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Not a table.
    #[error("{}: line {line}: {problem}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// What is wrong, what was expected.
        problem: String,
    },
    /// A column is not there.
    #[error("{}: no column {wanted:?}; line 1 has the columns {}. Name it with {key} in the recipe", path.display(), quoted(found))]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        wanted: String,
        /// The columns that are there.
        found: Vec<String>,
        /// The key of the recipe.
        key: &'static str,
    },
    /// A field is not a number.
    #[error("{}: line {line}: {field:?} in column {column:?} is not a number, expected one, or NA where it is not known", path.display())]
    NotANumber {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The column.
        column: String,
        /// What stands there.
        field: String,
    },
    /// There is no column of numbers.
    #[error("{}: no column holds nothing but numbers; the columns are {}. Name those to read with columns = [...] in [data]", path.display(), quoted(found))]
    NoNumbers {
        /// The file.
        path: PathBuf,
        /// The columns.
        found: Vec<String>,
    },
    /// There are too few rows.
    #[error("{}: {found} rows, expected {expected} or more: {why}", path.display())]
    TooShort {
        /// The file.
        path: PathBuf,
        /// How many there are.
        found: usize,
        /// How many there must be.
        expected: usize,
        /// What for.
        why: String,
    },
    /// A sequence has more than one label.
    #[error("{}: line {line}: sequence {sequence:?} has label {label:?}, expected {expected:?} as in its first row", path.display())]
    Labels {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The sequence.
        sequence: String,
        /// Its label here.
        label: String,
        /// Its label before.
        expected: String,
    },
    /// What a sequence is told apart by occurs in two places.
    #[error("{}: line {line}: sequence {sequence:?} begins again, expected its rows together", path.display())]
    TornApart {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The sequence.
        sequence: String,
    },
    /// There are not the labels that there should be.
    #[error("{}: {problem}", path.display())]
    Classes {
        /// The file.
        path: PathBuf,
        /// What is wrong, what was expected.
        problem: String,
    },
}

/// What to read of a table.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// Columns to read as texts, with the keys of the recipe that name them.
    pub texts: &'a [(&'a str, &'static str)],
    /// Columns to read as numbers. Empty: all others that hold nothing but numbers.
    pub numbers: &'a [String],
    /// The separator. `None`: a tab where the file's name ends in `.tsv` or `.tab`, a comma elsewhere.
    pub delimiter: Option<u8>,
}

/// Reads a table with a header.
///
/// # Errors
///
/// See [`NumberTableError`]; every one names the file, and the line where there is one.
pub fn read(path: &Path, wanted: &Wanted<'_>) -> Result<Table, NumberTableError> {
    let io = |source| NumberTableError::Io { path: path.to_owned(), source };
    let bytes = std::fs::read(path).map_err(io)?;
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let tabs = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tsv") || e.eq_ignore_ascii_case("tab"));
    let delimiter = wanted.delimiter.unwrap_or(if tabs { b'\t' } else { b',' });
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(body);
    let bad = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        let problem = match error.into_kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("{len} fields, expected {expected_len} as in the header")
            }
            csv::ErrorKind::Utf8 { .. } => "not UTF-8, expected a UTF-8 file".to_owned(),
            kind => format!("{kind:?}"),
        };
        NumberTableError::Row { path: path.to_owned(), line, problem }
    };
    let header: Vec<String> = reader.headers().map_err(bad)?.iter().map(str::to_owned).collect();
    let find = |name: &str, key| {
        let missing = || NumberTableError::MissingColumn {
            path: path.to_owned(),
            wanted: name.to_owned(),
            found: header.clone(),
            key,
        };
        header.iter().position(|column| column == name).ok_or_else(missing)
    };
    let texts = wanted.texts.iter().map(|(name, key)| find(name, key)).collect::<Result<Vec<_>, _>>()?;
    let records = reader.records().collect::<Result<Vec<_>, _>>().map_err(bad)?;
    let named = wanted.numbers.iter().map(|name| find(name, "columns in [data]")).collect::<Result<Vec<_>, _>>()?;
    let numbers = if named.is_empty() {
        let all = (0..header.len()).filter(|column| !texts.contains(column));
        all.filter(|&column| records.iter().all(|record| number(&record[column]).is_some())).collect()
    } else {
        named
    };
    if numbers.is_empty() {
        return Err(NumberTableError::NoNumbers { path: path.to_owned(), found: header });
    }
    let line = |record: &csv::StringRecord| record.position().map_or(0, csv::Position::line);
    let row = |record: &csv::StringRecord| {
        let field = |&column: &usize| {
            number(&record[column]).ok_or_else(|| NumberTableError::NotANumber {
                path: path.to_owned(),
                line: line(record),
                column: header[column].clone(),
                field: record[column].to_owned(),
            })
        };
        numbers.iter().map(field).collect()
    };
    if records.is_empty() {
        let why = "there is nothing after the header".to_owned();
        return Err(NumberTableError::TooShort { path: path.to_owned(), found: 0, expected: 1, why });
    }
    Ok(Table {
        rows: records.iter().map(row).collect::<Result<_, _>>()?,
        texts: texts.iter().map(|&column| records.iter().map(|record| record[column].to_owned()).collect()).collect(),
        lines: records.iter().map(line).collect(),
        names: numbers.into_iter().map(|column| header[column].clone()).collect(),
    })
}

/// A number, NaN where it is missing; `None` of what is neither.
fn number(field: &str) -> Option<f32> {
    if MISSING.contains(&field) {
        return Some(f32::NAN);
    }
    field.parse().ok().filter(|number: &f32| number.is_finite())
}

impl Table {
    /// Writes the rows `range` as a table that [`read`] reads, with the columns `texts` before the numbers.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn write(&self, path: &Path, texts: &[&str], range: std::ops::Range<usize>) -> std::io::Result<()> {
        let mut writer = csv::Writer::from_path(path)?;
        writer.write_record(texts.iter().copied().chain(self.names.iter().map(String::as_str)))?;
        for row in range {
            let texts = self.texts.iter().map(|column| column[row].clone());
            let number = |value: &f32| if value.is_nan() { "NA".to_owned() } else { value.to_string() };
            writer.write_record(texts.chain(self.rows[row].iter().map(number)))?;
        }
        writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str, wanted: &Wanted<'_>) -> Result<Table, NumberTableError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        read(&path, wanted)
    }

    #[test]
    fn all_columns_of_numbers_are_read_and_what_is_missing_is_nan() {
        let read = table("\"Month\",a, b\n1949-01,1,NA\n1949-02,-2.5e1,3\n1949-03,,?\n", &Wanted::default()).unwrap();
        assert_eq!(read.names, ["a", "b"]);
        assert_eq!(read.lines, [2, 3, 4]);
        assert_eq!(read.rows[1], [-25.0, 3.0]);
        let missing: Vec<bool> = read.rows.concat().iter().map(|number| number.is_nan()).collect();
        assert_eq!(missing, [false, true, false, false, true, true]);
    }

    #[test]
    fn comes_back_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        let wanted = Wanted { texts: &[("label", "label_column")], ..Wanted::default() };
        let read_first = table("a,label,b\n0.1,x,2\n1e-7,y,NA\n3,z,4\n", &wanted).unwrap();
        read_first.write(&path, &["label"], 0..2).unwrap();
        let back = read(&path, &wanted).unwrap();
        assert_eq!((&back.texts[0], &back.rows[0]), (&vec!["x".to_owned(), "y".to_owned()], &read_first.rows[0]));
        assert!(back.rows[1][0] == 1e-7 && back.rows[1][1].is_nan());
    }

    #[test]
    fn bad_tables_are_refused_with_the_place() {
        let columns = ["a".to_owned(), "c".to_owned()];
        let of = |columns| Wanted { numbers: columns, ..Wanted::default() };
        for (text, wanted, expected) in [
            ("a,b\n1,x\n2,y\n", of(&columns), "no column \"c\"; line 1 has the columns \"a\", \"b\""),
            ("a,c\n1,2\n1,x\n", of(&columns), "line 3: \"x\" in column \"c\" is not a number"),
            ("a,c\n1,inf\n", of(&columns), "\"inf\" in column \"c\" is not a number"),
            ("a,c\n1,2,3\n", of(&columns), "line 2: 3 fields, expected 2"),
            ("a,c\n", of(&columns), "0 rows, expected 1 or more"),
            ("a,c\nx,y\n", Wanted::default(), "no column holds nothing but numbers; the columns are \"a\", \"c\""),
        ] {
            let error = table(text, &wanted).unwrap_err().to_string();
            assert!(error.contains("t.csv") && error.contains(expected), "{error}");
        }
    }
}
