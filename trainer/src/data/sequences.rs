//! Sequences of numbers for `tern data`: a table in which consecutive rows with the same `sequence` are one sequence.

use super::delimited::{DelimitedFile, Layout};
use super::number_table::{self, ColumnSelection, SEQUENCE};
use super::source::Source;
use super::text::Text;
use super::windows::Windows;
use crate::file_error::FileError;
use std::path::Path;

/// The labelled sequences of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequences {
    /// The names of the numbers of a step.
    pub channels: Vec<String>,
    /// The sequences in the order of the file.
    pub sequences: Vec<Sequence>,
}

/// A sequence. The numbers are stored as decimal text, with `NA` for a missing one, because `tern data` only copies
/// them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The sequence's value in the column `sequence`.
    pub name: Text,
    /// The label in the first row of the sequence.
    pub label: Text,
    /// The numbers as text: `[steps][channels]`.
    pub steps: Vec<Vec<String>>,
}

/// Returns true if `path` is a table with a column `sequence` and without the column `text_column`; false also if it
/// cannot be read.
pub fn is_table(path: &Path, text_column: &str, layout: Layout) -> bool {
    if Source::of(path) != Source::Table {
        return false;
    }
    let Ok((file, _)) = DelimitedFile::open(path, layout) else { return false };
    let has = |name: &str| file.names().iter().any(|column| column == name);
    has(SEQUENCE) && !has(text_column)
}

/// Reads a table with a column `sequence`, a column of labels named `label_column` and one column for each channel, and
/// cuts its sequences into `windows`. Fails if the table cannot be read or a label is empty.
pub fn read_table(path: &Path, label_column: &str, layout: Layout, windows: &Windows) -> Result<Sequences, FileError> {
    let texts = [(SEQUENCE, "--sequence-column"), (label_column, "--label-column")];
    let table = number_table::read(path, &ColumnSelection { texts: &texts, layout, ..ColumnSelection::default() })?;
    let table = windows.apply(table);
    let mut all = Sequences { channels: table.names, sequences: Vec::new() };
    let number_text = |number: &f64| if number.is_nan() { "NA".to_owned() } else { number.to_string() };
    for ((name, label), numbers) in table.texts[0].iter().zip(&table.texts[1]).zip(&table.rows) {
        let step = numbers.iter().map(number_text).collect();
        match all.sequences.last_mut() {
            Some(last) if *last.name == **name => last.steps.push(step),
            _ => all.sequences.push(Sequence {
                name: name.as_str().into(),
                label: label.as_str().into(),
                steps: vec![step],
            }),
        }
    }
    Ok(all)
}
