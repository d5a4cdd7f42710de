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

/// The largest number of columns whose reasons to be left out are printed.
const MAX_REASONS: usize = 10;

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
    // The positions in the file of the columns that are read as texts, and of those that are read as numbers.
    let text_positions =
        selection.texts.iter().map(|(name, key)| file.column(name, key)).collect::<Result<Vec<_>, _>>()?;
    let positions =
        |names: &[String], key| names.iter().map(|name| file.column(name, key)).collect::<Result<Vec<_>, _>>();
    let named = positions(selection.numbers, "--columns")?;
    let required = positions(selection.required, "--targets")?;
    let number_positions: Vec<usize> = if named.is_empty() {
        (0..file.names().len()).filter(|position| !text_positions.contains(position)).collect()
    } else {
        let further = required.iter().filter(|position| !named.contains(position));
        named.iter().chain(further).copied().collect()
    };
    file.distinct(&number_positions)?;

    let mut columns: Vec<Column> = number_positions.iter().map(|&index| Column::new(&file.names()[index])).collect();
    let mut texts = vec![Vec::new(); text_positions.len()];
    let mut lines = Vec::new();
    file.for_each_row(|line, fields, _| {
        lines.push(line);
        for (column, &position) in texts.iter_mut().zip(&text_positions) {
            column.push(fields[position].trim().to_owned());
        }
        // The second column of texts, if there is one, has the labels.
        if let Some((label_column, _)) = selection.texts.get(1)
            && fields[text_positions[1]].trim().is_empty()
        {
            return Err(error::empty_label(path, line, label_column));
        }
        for (column, &position) in columns.iter_mut().zip(&number_positions) {
            column.add(line, fields[position].trim());
        }
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
        // Decimal numbers are rounded, so their differences are not exactly equal.
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
        if let Some(index) = left_out.iter().position(is_ramp) {
            let (column, _) = left_out.remove(index);
            chosen.push(column);
        }
    }
    let reasons = || {
        let reason = |(column, reason): &(Column, String)| format!("{:?}: {reason}", column.name);
        let mut reasons: Vec<String> = left_out.iter().take(MAX_REASONS).map(reason).collect();
        if left_out.len() > MAX_REASONS {
            reasons.push(format!("and {} more", left_out.len() - MAX_REASONS));
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
mod tests;
