//! Tables of numbers: labelled sequences and time series.
//!
//! [`read`] reads the columns that a [`ColumnSelection`] names, or chooses all columns of numbers, and prints the
//! columns that it leaves out, with the reason.

use super::delimited::{DelimitedFile, Layout};
use super::error;
use crate::display::quoted;
use crate::file_error::FileError;
use crate::progress;
use std::path::Path;

/// The ways to write a missing number, in lower case.
const MISSING: [&str; 16] =
    ["", "na", "n/a", "#n/a", "#na", "<na>", "nan", "-nan", "null", "none", "nil", "nat", "-", "--", "?", "."];

/// The name of the column that holds the name of each row's sequence, in the tables of a model directory and in those
/// that `tern data` reads.
pub const SEQUENCE: &str = "sequence";
/// The name of the column that holds each row's label in the tables of a model directory.
pub const LABEL: &str = "label";

/// Columns of a table, as numbers and as texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The names of the columns of numbers.
    pub names: Vec<String>,
    /// The numbers, `[rows][names]`; NaN for a missing one.
    pub rows: Vec<Vec<f64>>,
    /// The columns that were selected as texts, `[columns][rows]`.
    pub texts: Vec<Vec<String>>,
    /// The first line of each row in the file, from 1.
    pub lines: Vec<u64>,
}

/// The columns of a table to read.
#[derive(Clone, Debug, Default)]
pub struct ColumnSelection<'a> {
    /// The columns to read as texts: the column's name, and the option or recipe key that selects it. The first one, if
    /// any, has the names of sequences, the second one has the labels.
    pub texts: &'a [(&'a str, &'static str)],
    /// The columns to read as numbers. If empty, [`read`] chooses them.
    pub numbers: &'a [String],
    /// Columns that are read as numbers in addition to those of `numbers`, or to those that [`read`] chooses.
    pub required: &'a [String],
    /// The layout of the file.
    pub layout: Layout,
}

/// Reads a table. A missing number, such as `NA` or an empty field, is read as NaN.
///
/// Without [`ColumnSelection::numbers`], a column is read if all its fields are numbers or missing. A column of texts,
/// an empty column, and a column that rises or falls by the same step from row to row (a row number, a year) are left
/// out, which is printed with the reason. If that leaves no column, the first one with a constant step is read.
///
/// Fails if the file cannot be read, a named column does not exist, two columns have the same name, a label is empty,
/// no column of numbers exists, or a column that is read has a text. A column with more numbers than texts is not left
/// out, so that a single faulty field in it is an error.
pub fn read(path: &Path, selection: &ColumnSelection<'_>) -> Result<Table, FileError> {
    let file = DelimitedFile::read(path, selection.layout)?;
    let text_columns =
        selection.texts.iter().map(|(name, key)| file.column(name, key)).collect::<Result<Vec<_>, _>>()?;
    let positions =
        |names: &[String], key| names.iter().map(|name| file.column(name, key)).collect::<Result<Vec<_>, _>>();
    let named = positions(selection.numbers, "--columns")?;
    let required = positions(selection.required, "--targets")?;
    let read_columns: Vec<usize> = if named.is_empty() {
        (0..file.names().len()).filter(|column| !text_columns.contains(column)).collect()
    } else {
        named.iter().copied().chain(required.iter().copied().filter(|column| !named.contains(column))).collect()
    };
    file.distinct(&read_columns)?;
    let mut columns: Vec<Column> = read_columns.iter().map(|&index| Column::new(&file.names()[index])).collect();
    let mut texts = vec![Vec::new(); text_columns.len()];
    let mut lines = Vec::new();
    file.for_each_row(|line, fields, _| {
        lines.push(line);
        for (texts, &index) in texts.iter_mut().zip(&text_columns) {
            texts.push(fields[index].trim().to_owned());
        }
        // The second column of texts, if there is one, has the labels.
        if let (Some(labels), [_, (name, _)]) = (texts.get(1), selection.texts)
            && labels.last().is_some_and(String::is_empty)
        {
            return Err(error::empty_label(path, line, name));
        }
        columns.iter_mut().zip(&read_columns).for_each(|(column, &index)| column.add(line, fields[index].trim()));
        Ok(())
    })?;
    if named.is_empty() {
        let is_required = |column: &Column| selection.required.contains(&column.name);
        columns = choose(path, &file, columns, texts.first(), is_required)?;
    }
    for Column { name, first_text, .. } in &columns {
        if !texts.is_empty() && [SEQUENCE, LABEL].contains(&name.as_str()) {
            let problem = "cannot be read as numbers: the model directory uses this name; rename the column";
            return Err(FileError::new(path, format!("column {name:?} {problem}")));
        }
        if let Some((line, field)) = first_text {
            let expected = format!("is not a number, expected one, or NA for a missing one{}", advice(field));
            return Err(FileError::in_line(path, *line, format!("{field:?} in column {name:?} {expected}")));
        }
    }
    let rows = (0..lines.len()).map(|row| columns.iter().map(|column| column.values[row]).collect()).collect();
    Ok(Table { rows, texts, lines, names: columns.into_iter().map(|column| column.name).collect() })
}

/// A column that is read as numbers.
#[derive(Debug)]
struct Column {
    name: String,
    /// The value of each field; NaN for a missing number and for text.
    values: Vec<f64>,
    /// The number of fields that are numbers.
    number_count: usize,
    /// The number of fields that are text: neither a finite number nor missing.
    text_count: usize,
    /// The number of texts that are numbers with a decimal comma or thousands separators.
    comma_count: usize,
    /// The first field that is text, and its line.
    first_text: Option<(u64, String)>,
}

impl Column {
    fn new(name: &str) -> Self {
        Column {
            name: name.to_owned(),
            values: Vec::new(),
            number_count: 0,
            text_count: 0,
            comma_count: 0,
            first_text: None,
        }
    }

    /// Adds a field, from which surrounding white space has been removed.
    fn add(&mut self, line: u64, field: &str) {
        let number = field.parse().ok().filter(|number: &f64| number.is_finite());
        self.values.push(number.unwrap_or(f64::NAN));
        if number.is_some() {
            self.number_count += 1;
        } else if !MISSING.contains(&field.to_ascii_lowercase().as_str()) {
            self.text_count += 1;
            self.comma_count += usize::from(is_number_with_commas(field));
            self.first_text.get_or_insert_with(|| (line, field.to_owned()));
        }
    }

    /// Returns the reason to leave this column out when columns are chosen, or `None`. `sequences`: the name of each
    /// row's sequence; `None` if the whole table is one sequence.
    fn reason_to_leave_out(&self, sequences: Option<&Vec<String>>) -> Option<String> {
        match &self.first_text {
            // Most fields are numbers, with or without commas. The column is chosen, so that `read` reports the text.
            Some(_) if self.number_count + self.comma_count > self.text_count - self.comma_count => None,
            Some((line, field)) => Some(format!("text such as {field:?} in line {line}")),
            None if self.number_count == 0 => Some("all fields are empty".to_owned()),
            None => {
                let step = self.constant_step(sequences)?;
                let verb = if step > 0.0 { "rises" } else { "falls" };
                Some(format!("it {verb} by {} from row to row, as a row number or a date does", step.abs()))
            }
        }
    }

    /// Returns the difference between successive rows of a sequence if it is the same everywhere in the column and not
    /// zero; otherwise, or if there are fewer than two differences, `None`.
    fn constant_step(&self, sequences: Option<&Vec<String>>) -> Option<f64> {
        let same_sequence = |row: usize| sequences.is_none_or(|names| names[row] == names[row - 1]);
        let mut steps =
            (1..self.values.len()).filter(|&row| same_sequence(row)).map(|row| self.values[row] - self.values[row - 1]);
        let (step, second) = (steps.next()?, steps.next()?);
        let is_same = |other: f64| (other - step).abs() <= 1e-6 * step.abs();
        (step != 0.0 && is_same(second) && steps.all(is_same)).then_some(step)
    }
}

/// Chooses the columns of numbers and prints the columns that are left out. `sequences`: the name of each row's
/// sequence; `None` if the whole table is one sequence. `is_required`: returns true for a column that is chosen
/// whatever it holds. Fails if there is no column of numbers, or if the names of all chosen columns are numbers,
/// because the file then seems to have no header.
fn choose(
    path: &Path,
    file: &DelimitedFile,
    columns: Vec<Column>,
    sequences: Option<&Vec<String>>,
    is_required: impl Fn(&Column) -> bool,
) -> Result<Vec<Column>, FileError> {
    let (mut chosen, mut left_out) = (Vec::new(), Vec::new());
    for column in columns {
        match column.reason_to_leave_out(sequences) {
            Some(reason) if !is_required(&column) => left_out.push((column, reason)),
            _ => chosen.push(column),
        }
    }
    if chosen.is_empty() {
        // The first column that was left out only because of its constant step is read after all.
        let is_ramp = |(column, _): &(Column, String)| column.first_text.is_none() && column.number_count > 0;
        chosen.extend(left_out.iter().position(is_ramp).map(|index| left_out.remove(index).0));
    }
    let reasons = || {
        let reason = |(column, reason): &(Column, String)| format!("{:?}: {reason}", column.name);
        let mut reasons: Vec<String> = left_out.iter().take(10).map(reason).collect();
        if left_out.len() > 10 {
            reasons.push(format!("and {} more", left_out.len() - 10));
        }
        reasons.join("; ")
    };
    if chosen.is_empty() {
        return Err(FileError::new(path, format!("no column of numbers: {}{}", reasons(), file.hint())));
    }
    if file.layout.header && chosen.iter().all(|column| column.name.parse::<f64>().is_ok()) {
        let names: Vec<String> = chosen.into_iter().map(|column| column.name).collect();
        let problem = format!(
            "line 1 holds the numbers {}, expected the names of the columns; if the file has no header, use \
             --no-header; if these are the names, select them with --columns",
            quoted(&names)
        );
        return Err(FileError::new(path, problem));
    }
    if !left_out.is_empty() {
        progress::note(format_args!("columns left out (select them with --columns): {}", reasons()));
    }
    Ok(chosen)
}

/// Returns true for a number with a decimal comma or with thousands separators.
fn is_number_with_commas(field: &str) -> bool {
    field.contains(',') && field.replace(',', "").parse::<f64>().is_ok_and(f64::is_finite)
}

/// Returns advice for a field that is not a number.
fn advice(field: &str) -> String {
    if is_number_with_commas(field) {
        "; write a decimal point, and no thousands separators".to_owned()
    } else {
        "; correct the field, or select other columns with --columns".to_owned()
    }
}

impl Table {
    /// Writes the rows `range` as a CSV file that [`read`] reads. `texts`: the names of the columns of texts, which
    /// come before the numbers.
    pub fn write(&self, path: &Path, texts: &[&str], range: std::ops::Range<usize>) -> std::io::Result<()> {
        let mut writer = csv::Writer::from_path(path)?;
        writer.write_record(texts.iter().copied().chain(self.names.iter().map(String::as_str)))?;
        for row in range {
            let texts = self.texts.iter().map(|column| column[row].clone());
            let number = |value: &f64| if value.is_nan() { "NA".to_owned() } else { value.to_string() };
            writer.write_record(texts.chain(self.rows[row].iter().map(number)))?;
        }
        writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str, selection: &ColumnSelection<'_>) -> Result<Table, FileError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        read(&path, selection)
    }

    fn all(text: &str) -> Result<Table, FileError> {
        table(text, &ColumnSelection::default())
    }

    fn error(text: &str) -> String {
        all(text).unwrap_err().to_string()
    }

    #[test]
    fn all_columns_of_numbers_are_read_and_missing_numbers_are_nan() {
        let read = all("\"Month\",a, b\n1949-01,1,NA\n1949-02,-2.5e1,3\n1949-03,,?\n").unwrap();
        assert_eq!(read.names, ["a", "b"]);
        assert_eq!(read.lines, [2, 3, 4]);
        assert_eq!(read.rows[1], [-25.0, 3.0]);
        let missing: Vec<bool> = read.rows.concat().iter().map(|number| number.is_nan()).collect();
        assert_eq!(missing, [false, true, false, false, true, true]);
    }

    #[test]
    fn the_usual_signs_of_missing_numbers_are_read_as_missing() {
        for sign in ["N/A", "NA", "NULL", "None", "n/a", "nan", "NAN", "NaN", "#N/A", "<NA>", "-", "null", "?", ""] {
            let read = all(&format!("day,sold\n1st,3\n2nd,{sign}\n3rd,7\n")).unwrap();
            assert_eq!(read.names, ["sold"], "{sign}");
            assert!(read.rows[1][0].is_nan(), "{sign}");
        }
    }

    #[test]
    fn text_among_numbers_is_refused_with_line_and_column() {
        for field in ["inf", "-inf", "x", "12 kg"] {
            let error = error(&format!("day,sold,warm\na,1,5\nb,2,6\nc,{field},7\nd,4,9\n"));
            let expected = format!("t.csv: line 4: {field:?} in column \"sold\" is not a number");
            assert!(error.contains(&expected), "{error}");
        }
        let layout = Layout { delimiter: Some(b';'), ..Layout::default() };
        let selection = ColumnSelection { layout, ..ColumnSelection::default() };
        let error = table("day;sold\na;1,5\nb;2,25\n", &selection).unwrap_err().to_string();
        assert!(
            error.contains("line 2: \"1,5\" in column \"sold\"") && error.contains("write a decimal point"),
            "{error}"
        );
    }

    #[test]
    fn lines_are_counted_after_blank_lines_and_line_breaks_of_windows() {
        for text in ["day,y\r\na,5\r\nb,6\r\nc,x\r\n", "day,y\na,5\n\nb,x\nc,6\nd,7\n"] {
            assert!(error(text).contains("line 4: \"x\" in column \"y\""), "{}", error(text));
        }
        assert_eq!(all("day,y\r\na,5\r\n\r\n\r\nb,6\r\n").unwrap().lines, [2, 5]);
    }

    #[test]
    fn number_tables_have_the_checks_of_text_tables() {
        let dir = tempfile::tempdir().unwrap();
        for (bytes, expected) in [
            (
                &b"day,y\na,5\ncaf\xe9,6\n"[..],
                "line 3, byte 4 of the line: 0xe9 is not UTF-8, expected a UTF-8 file (as latin1",
            ),
            (b"\xff\xfed\0a\0", "the file is UTF-16"),
            (b"PK\x03\x04", "a ZIP archive or a spreadsheet"),
            (b"day,y\n\"a,5\nb,6\n", "line 2: the quotation mark that opens field 1 is never closed"),
            (b"a,y,y\n1,3,4\n", "columns 2 and 3 are both named \"y\""),
            (b"a;b\n1;x\n", "or name the separator with --delimiter ';'"),
            (b"", "the file is empty"),
            (b"a,y\n", "no row after the header"),
            (b"a,y\n1,2,3\n", "line 2 has 3 fields, expected 2"),
        ] {
            let path = dir.path().join("t.csv");
            std::fs::write(&path, bytes).unwrap();
            let error = read(&path, &ColumnSelection::default()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn columns_that_count_rows_are_left_out_unless_selected() {
        let text = "year,back,spots,\n1800,9,50,0\n1801,8,72,1\n1802,7,86,2\n1803,6,90,3\n";
        assert_eq!(all(text).unwrap().names, ["spots"]);
        let (names, required) = (["year".to_owned(), "spots".to_owned()], ["back".to_owned()]);
        let named = ColumnSelection { numbers: &names, ..ColumnSelection::default() };
        assert_eq!(table(text, &named).unwrap().names, names);
        let required = ColumnSelection { required: &required, ..ColumnSelection::default() };
        assert_eq!(table(text, &required).unwrap().names, ["back", "spots"]);
        let only = all("year\n1800\n1801\n1802\n").unwrap();
        assert_eq!(only.names, ["year"], "the only column of numbers is read");
        // A counter that begins again with each sequence, and a column without a name.
        let text = ",sequence,step,x\n0,a,0,3\n1,a,1,5\n2,a,2,5\n3,b,0,1\n4,b,1,2\n5,b,2,9\n";
        let sequences =
            ColumnSelection { texts: &[("sequence", "sequence_column in [data]")], ..ColumnSelection::default() };
        assert_eq!(table(text, &sequences).unwrap().names, ["x"]);
    }

    #[test]
    fn a_first_line_of_numbers_is_pointed_out_and_can_be_read() {
        let text = "5,7\n6,3\n1,2\n";
        assert!(error(text).contains("line 1 holds the numbers \"5\", \"7\", expected the names"), "{}", error(text));
        let layout = Layout { header: false, ..Layout::default() };
        let read = table(text, &ColumnSelection { layout, ..ColumnSelection::default() }).unwrap();
        assert_eq!((read.names, read.rows[0].clone()), (vec!["1".to_owned(), "2".to_owned()], vec![5.0, 7.0]));
    }

    #[test]
    fn a_saved_table_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        let selection = ColumnSelection { texts: &[("label", "label_column in [data]")], ..ColumnSelection::default() };
        let first = table("a,label,b\n0.1,x,2\n1e-7,y,NA\n1000000001.5,z,4\n", &selection).unwrap();
        first.write(&path, &["label"], 0..3).unwrap();
        let back = read(&path, &selection).unwrap();
        assert_eq!((&back.texts[0], &back.rows[0]), (&first.texts[0], &first.rows[0]));
        assert!(back.rows[1][0] == 1e-7 && back.rows[1][1].is_nan() && back.rows[2][0] == 1_000_000_001.5);
        let text = "id,y,label\na,x,1\na,x,3\nb,z,1\n";
        let texts = [("id", "sequence_column in [data]"), ("y", "label_column in [data]")];
        let error =
            table(text, &ColumnSelection { texts: &texts, ..ColumnSelection::default() }).unwrap_err().to_string();
        assert!(error.contains("column \"label\" cannot be read as numbers"), "{error}");
    }

    #[test]
    fn selected_columns_must_exist_and_hold_numbers() {
        let columns = ["a".to_owned(), "c".to_owned()];
        let selection = ColumnSelection { numbers: &columns, ..ColumnSelection::default() };
        for (text, expected) in [
            ("a,b\n1,x\n2,y\n", "no column \"c\"; line 1 has the columns \"a\", \"b\""),
            ("a,c\n1,2\n1,x\n", "line 3: \"x\" in column \"c\" is not a number"),
            ("a,c\n1,inf\n", "\"inf\" in column \"c\" is not a number"),
        ] {
            let error = table(text, &selection).unwrap_err().to_string();
            assert!(error.contains("t.csv") && error.contains(expected), "{error}");
        }
        let none = error("a,c\nx,\ny,NA\n");
        assert!(
            none.contains("no column of numbers: \"a\": text such as \"x\" in line 2; \"c\": all fields are empty"),
            "{none}"
        );
    }
}
