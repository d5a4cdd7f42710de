//! The sequences of a table of numbers, and the predictions of a model for them.

use crate::data::number_table::{self, ColumnSelection, Table};
use crate::data::{Layout, Windows, normalise};
use crate::display::quoted;
use crate::file_error::FileError;
use crate::float_model::Channel;
use crate::logits::Logits;
use crate::model::Model;
use crate::nn::network::Input;
use crate::tasks::classification::Analysis;
use crate::train::Steps;
use rayon::prelude::*;
use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

/// The sequences of a table.
#[derive(Clone, Debug)]
pub struct SequenceTable {
    /// The table. Its first column of texts has the name of each row's sequence; the second, if present, the label.
    pub table: Table,
    /// The range of rows of each sequence, in the order of the rows.
    pub spans: Vec<Range<usize>>,
}

impl SequenceTable {
    /// Reads a table and groups its rows into sequences. `label_column`: `None` reads no labels. `numbers`: the columns
    /// to read as numbers; if empty, they are chosen as by [`number_table::read`]. Fails if the table cannot be read,
    /// or the rows of a sequence are not consecutive or have different labels.
    pub fn read(
        path: &Path,
        sequence_column: &str,
        label_column: Option<&str>,
        numbers: &[String],
        layout: Layout,
    ) -> Result<Self, FileError> {
        let mut texts = vec![(sequence_column, "sequence_column in [data]")];
        texts.extend(label_column.map(|name| (name, "label_column in [data]")));
        let selection = ColumnSelection { texts: &texts, numbers, layout, ..ColumnSelection::default() };
        let table = number_table::read(path, &selection)?;
        let names = &table.texts[0];
        let mut spans: Vec<Range<usize>> = Vec::new();
        let mut seen_names = HashSet::new();
        for (row, name) in names.iter().enumerate() {
            let line = table.lines[row];
            let begins_sequence = row == 0 || names[row - 1] != *name;
            if begins_sequence {
                let is_new_name = seen_names.insert(name);
                if !is_new_name {
                    let problem = format!("sequence {name:?} continues after another one, expected its rows together");
                    return Err(FileError::in_line(path, line, problem));
                }
                spans.push(row..row);
            }
            // There is always one, since the first row begins a sequence.
            let Some(span) = spans.last_mut() else { continue };
            span.end = row + 1;
            if let Some(labels) = table.texts.get(1) {
                let first_row = span.start;
                if labels[row] != labels[first_row] {
                    let expected = format!("expected {:?} as in its first row", labels[first_row]);
                    let problem = format!("sequence {name:?} has label {:?}, {expected}", labels[row]);
                    return Err(FileError::in_line(path, line, problem));
                }
            }
        }
        Ok(SequenceTable { table, spans })
    }

    /// Resamples the sequences and cuts them into windows as `windows` says; the windows are the sequences of the
    /// result.
    pub fn windows(self, windows: &Windows) -> Self {
        if windows.are_whole() {
            return self;
        }
        let table = windows.apply(self.table);
        let names = &table.texts[0];
        let begins_sequence = |row: &usize| *row == 0 || names[row - 1] != names[*row];
        let starts: Vec<usize> = (0..names.len()).filter(begins_sequence).collect();
        let ends = starts.iter().skip(1).copied().chain([names.len()]);
        SequenceTable { spans: starts.iter().zip(ends).map(|(&start, end)| start..end).collect(), table }
    }

    /// Returns the name of a sequence.
    pub fn name(&self, sequence: usize) -> &str {
        &self.table.texts[0][self.spans[sequence].start]
    }

    /// Returns the label of a sequence. Panics if the labels were not read.
    pub fn label(&self, sequence: usize) -> &str {
        &self.table.texts[1][self.spans[sequence].start]
    }

    /// Returns the index of each sequence's label in `labels`. `path`: the file of the table, for errors. Fails if a
    /// label is not in `labels`.
    pub fn classes(&self, labels: &[String], path: &Path) -> Result<Vec<usize>, FileError> {
        let class = |sequence: usize| {
            let found = self.label(sequence);
            labels.iter().position(|label| label == found).ok_or_else(|| {
                let problem = format!("unknown label {found:?}; the labels are {}", quoted(labels));
                FileError::in_line(path, self.table.lines[self.spans[sequence].start], problem)
            })
        };
        (0..self.spans.len()).map(class).collect()
    }

    /// Returns the normalised values of a sequence: `[steps][channels]`, one step after the other.
    pub fn steps(&self, sequence: usize, channels: &[Channel]) -> Steps {
        let rows = self.table.rows[self.spans[sequence].clone()].iter();
        Steps::Values { values: normalise::normalise(channels, rows).concat(), channels: channels.len() }
    }

    /// Returns a table of the given sequences, in the given order.
    pub fn select(&self, sequences: &[usize]) -> SequenceTable {
        let rows: Vec<usize> = sequences.iter().flat_map(|&sequence| self.spans[sequence].clone()).collect();
        let text = |column: &Vec<String>| rows.iter().map(|&row| column[row].clone()).collect();
        let table = Table {
            names: self.table.names.clone(),
            rows: rows.iter().map(|&row| self.table.rows[row].clone()).collect(),
            texts: self.table.texts.iter().map(text).collect(),
            lines: rows.iter().map(|&row| self.table.lines[row]).collect(),
        };
        let mut spans = Vec::new();
        let mut start = 0;
        for &sequence in sequences {
            let end = start + self.spans[sequence].len();
            spans.push(start..end);
            start = end;
        }
        SequenceTable { table, spans }
    }

    /// Returns the number of rows of the first sequences, as many as together fit into `max_rows`. The first sequence
    /// is counted even if it is longer; without sequences the number is 0.
    pub fn whole_sequence_rows(&self, max_rows: usize) -> usize {
        let last_fitting = self.spans.iter().take_while(|span| span.end <= max_rows).last();
        last_fitting.or(self.spans.first()).map_or(0, |span| span.end)
    }

    /// Returns the names of all sequences.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        (0..self.spans.len()).map(|sequence| self.name(sequence))
    }
}

/// Runs a model on each sequence of a table. Returns the logits of each sequence, one for each label.
pub fn logits(model: &dyn Model, sequences: &SequenceTable) -> Vec<Logits> {
    let channels = &model.config().channels;
    let logits_of = |sequence| match sequences.steps(sequence, channels) {
        Steps::Values { values, .. } => model.outputs(Input::Values(&values)),
        Steps::Tokens(ids) => model.outputs(Input::Tokens(&ids)),
    };
    (0..sequences.spans.len()).into_par_iter().map(logits_of).collect()
}

/// Analyses the predictions of a model for labelled sequences. `path`: the file of the sequences, for errors. Fails if
/// the model lacks a label.
pub fn analyse(model: &dyn Model, sequences: &SequenceTable, path: &Path) -> Result<Analysis, FileError> {
    let labels = sequences.classes(model.labels(), path)?;
    let rows = labels.into_iter().zip(logits(model, sequences)).zip(&sequences.spans);
    let outputs = rows.map(|((label, logits), span)| (label, logits, span.len()));
    Ok(Analysis::of(model.config(), outputs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_for_calibration_end_with_a_sequence() {
        let table = Table { names: Vec::new(), rows: vec![Vec::new(); 6], texts: Vec::new(), lines: vec![0; 6] };
        let sequences = SequenceTable { table, spans: vec![0..3, 3..5, 5..6] };
        for (most, expected) in [(6, 6), (9, 6), (5, 5), (4, 3), (3, 3), (1, 3)] {
            assert_eq!(sequences.whole_sequence_rows(most), expected, "{most}");
        }
        assert_eq!(sequences.select(&[]).whole_sequence_rows(9), 0);
    }
}
