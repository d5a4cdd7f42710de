//! Sequence classification: a model predicts one of its labels for a sequence of numbers.

mod sequence_mistakes;
mod sequence_training;

use sequence_mistakes::SequenceMistakes;
use sequence_training::LabelledSequences;

use super::classification::fold_predictions::{self, FoldPredictions};
use super::classification::{self, Analysis, SUMMARY_FIGURES, class_figures, label_comparison};
use super::{CommandOutput, NamedModel, PredictOptions, TaskData, TaskHandler};
use crate::data;
use crate::data::number_table::{self, ColumnSelection, Table};
use crate::data::{Layout, Row, TableError, normalise};
use crate::display::visible;
use crate::float_model::{Channel, FloatModel, files};
use crate::logits::Logits;
use crate::model::{DataFile, Model};
use crate::nn::network::Input;
use crate::paint::Paint;
use crate::recipe::Recipe;
use crate::report::{TaskWording, ValidationResult};
use crate::train::Steps;
use rayon::prelude::*;
use serde_json::json;
use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

pub use crate::data::number_table::{LABEL, SEQUENCE};

/// The commands of sequence classification.
pub struct SequenceClassification;

impl TaskHandler for SequenceClassification {
    fn prepare(&self, recipe: &mut Recipe) -> anyhow::Result<Box<dyn TaskData>> {
        Ok(Box::new(LabelledSequences::read(recipe)?))
    }

    fn evaluate(&self, model: &dyn Model, data: &DataFile<'_>, paint: Paint) -> anyhow::Result<CommandOutput> {
        let evaluation = analyse(model, &read(model, data)?, data.path)?.evaluation;
        Ok(class_figures::figures(model.labels(), &evaluation, paint, None))
    }

    fn predict(&self, model: &dyn Model, path: &str, _: PredictOptions) -> anyhow::Result<Vec<CommandOutput>> {
        let sequences =
            Sequences::read(Path::new(path), SEQUENCE, None, &model.config().channel_names(), Layout::default())?;
        let output = |(sequence, logits): (usize, Logits)| {
            let label = &model.labels()[logits.label()];
            let probability = logits.log_probabilities()[logits.label()].exp();
            let name = sequences.name(sequence);
            let json = json!({
                "sequence": name,
                "label": label,
                "probability": probability,
                "logits": logits.to_json(),
                "steps": sequences.spans[sequence].len(),
            });
            let line = format!("{} {:.1}%\t{}", visible(label), 100.0 * probability, visible(name));
            CommandOutput { json, lines: vec![line] }
        };
        Ok(logits(model, &sequences).into_iter().enumerate().map(output).collect())
    }

    fn compare(&self, models: [NamedModel<'_>; 2], data: &DataFile<'_>, rows: usize) -> anyhow::Result<CommandOutput> {
        let (mut examples, mut predicted): (Vec<Row>, Vec<Vec<String>>) = (Vec::new(), Vec::new());
        for NamedModel { model, .. } in &models {
            let all = read(*model, data)?;
            let predictions = analyse(*model, &all, data.path)?.predictions;
            predicted.push(predictions.iter().map(|prediction| model.labels()[prediction.predicted].clone()).collect());
            let example = |sequence: usize| Row {
                text: all.name(sequence).to_owned(),
                label: all.label(sequence).to_owned(),
                line: all.table.lines[all.spans[sequence].start],
            };
            examples = (0..all.spans.len()).map(example).collect();
        }
        label_comparison::compare(&examples, &models, [&predicted[0], &predicted[1]], "sequences", rows)
    }

    fn validate(&self, model: &FloatModel, dir: &Path) -> anyhow::Result<ValidationResult> {
        if let Some(FoldPredictions { examples, analysis, metrics }) = fold_predictions::read(dir, model.labels())? {
            let mistakes = SequenceMistakes::new(&analysis, examples.iter().map(|example| example.text.as_str()));
            return Ok(ValidationResult { metrics, report: Arc::new(mistakes) });
        }
        let path = dir.join(files::VALIDATION);
        if !path.is_file() {
            return Ok(ValidationResult::none(SequenceMistakes::default()));
        }
        let sequences =
            Sequences::read(&path, SEQUENCE, Some(LABEL), &model.config().channel_names(), Layout::default())?;
        let analysis = analyse(model, &sequences, &path)?;
        let mistakes = SequenceMistakes::new(&analysis, sequences.names());
        let metrics = classification::validation(&analysis, model.labels());
        Ok(ValidationResult { metrics, report: Arc::new(mistakes) })
    }
}

/// The words for sequence classifiers in the report.
static WORDING: TaskWording = TaskWording {
    purpose: |config| format!("Predicts one of {} labels for a sequence of numbers", config.labels.len()),
    figures: SUMMARY_FIGURES,
    loss: "Loss (cross-entropy)",
    compared: "sequences",
    validation: ("sequences", "/validation/examples"),
    training: ("sequences", "/train_examples"),
    splits_classes: true,
    files: [files::VALIDATION, files::CALIBRATION],
    hub_task: ("tabular-classification", "Classification of numeric sequences"),
    intended_use: (
        "sequences",
        "It predicts one of its labels for every sequence, even if none fits: look at the probability. It was not tested on other data.",
    ),
    commands: |folder, validation| format!("tern predict {folder} {folder}/{validation}"),
};

/// Reads labelled sequences with the channels of a model.
fn read(model: &dyn Model, data: &DataFile<'_>) -> Result<Sequences, TableError> {
    let (label, channels) = (Some(data.columns.label.as_str()), model.config().channel_names());
    Sequences::read(data.path, SEQUENCE, label, &channels, data.columns.layout)
}

/// The sequences of a table.
#[derive(Clone, Debug)]
pub struct Sequences {
    /// The table. Its first column of texts names the sequence of each row; the second, if present, is the label.
    pub table: Table,
    /// The rows of each sequence.
    pub spans: Vec<Range<usize>>,
}

impl Sequences {
    /// Reads a table. `label_column`: `None` reads no labels.
    pub fn read(
        path: &Path,
        sequence_column: &str,
        label_column: Option<&str>,
        numbers: &[String],
        layout: Layout,
    ) -> Result<Self, TableError> {
        let mut texts = vec![(sequence_column, "sequence_column in [data]")];
        texts.extend(label_column.map(|name| (name, "label_column in [data]")));
        let selection = ColumnSelection { texts: &texts, numbers, layout, ..ColumnSelection::default() };
        Sequences::of_table(number_table::read(path, &selection)?, path)
    }

    /// Groups the rows of a table into sequences. Its first column of texts must name the sequence; the second, if
    /// present, is the label. Fails if the rows of a sequence are not consecutive, or have different labels.
    pub fn of_table(table: Table, path: &Path) -> Result<Self, TableError> {
        let names = &table.texts[0];
        let mut spans: Vec<Range<usize>> = Vec::new();
        let mut seen = HashSet::new();
        for (row, name) in names.iter().enumerate() {
            let line = table.lines[row];
            match spans.last_mut() {
                Some(span) if names[span.start] == *name => span.end = row + 1,
                _ if !seen.insert(name) => {
                    let problem = format!("sequence {name:?} begins again, expected its rows together");
                    return Err(TableError::in_line(path, line, problem));
                }
                _ => spans.push(row..row + 1),
            }
            if let Some(labels) = table.texts.get(1) {
                let first = spans.last().map_or(row, |span| span.start);
                if labels[row] != labels[first] {
                    let expected = format!("expected {:?} as in its first row", labels[first]);
                    let problem = format!("sequence {name:?} has label {:?}, {expected}", labels[row]);
                    return Err(TableError::in_line(path, line, problem));
                }
            }
        }
        Ok(Sequences { table, spans })
    }

    pub fn name(&self, sequence: usize) -> &str {
        &self.table.texts[0][self.spans[sequence].start]
    }

    pub fn label(&self, sequence: usize) -> &str {
        &self.table.texts[1][self.spans[sequence].start]
    }

    /// The index of each sequence's label in `labels`. Fails if a label is not in `labels`.
    fn classes(&self, labels: &[String], path: &Path) -> Result<Vec<usize>, TableError> {
        let class = |sequence: usize| {
            let found = self.label(sequence);
            labels.iter().position(|label| label == found).ok_or_else(|| {
                let problem = format!("unknown label {found:?}; the labels are {}", data::quoted(labels));
                TableError::in_line(path, self.table.lines[self.spans[sequence].start], problem)
            })
        };
        (0..self.spans.len()).map(class).collect()
    }

    /// The normalised values of a sequence.
    pub fn steps(&self, sequence: usize, channels: &[Channel]) -> Steps {
        let rows = self.table.rows[self.spans[sequence].clone()].iter();
        Steps::Values { values: normalise::normalise(channels, rows).concat(), channels: channels.len() }
    }

    /// Some of the sequences, in the given order.
    fn select(&self, sequences: &[usize]) -> Sequences {
        let rows: Vec<usize> = sequences.iter().flat_map(|&sequence| self.spans[sequence].clone()).collect();
        let text = |column: &Vec<String>| rows.iter().map(|&row| column[row].clone()).collect();
        let table = Table {
            names: self.table.names.clone(),
            rows: rows.iter().map(|&row| self.table.rows[row].clone()).collect(),
            texts: self.table.texts.iter().map(text).collect(),
            lines: rows.iter().map(|&row| self.table.lines[row]).collect(),
        };
        let mut end = 0;
        let span = |&sequence: &usize| {
            let start = end;
            end += self.spans[sequence].len();
            start..end
        };
        Sequences { spans: sequences.iter().map(span).collect(), table }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        (0..self.spans.len()).map(|sequence| self.name(sequence))
    }
}

/// The logits of each sequence of a table, one for each label.
pub fn logits(model: &dyn Model, sequences: &Sequences) -> Vec<Logits> {
    let channels = &model.config().channels;
    let logits = |sequence| match sequences.steps(sequence, channels) {
        Steps::Values { values, .. } => model.outputs(Input::Values(&values)),
        Steps::Tokens(ids) => model.outputs(Input::Tokens(&ids)),
    };
    (0..sequences.spans.len()).into_par_iter().map(logits).collect()
}

/// Analyses the predictions of a model for labelled sequences. Fails if the model lacks a label.
pub fn analyse(model: &dyn Model, sequences: &Sequences, path: &Path) -> Result<Analysis, TableError> {
    let labels = sequences.classes(model.labels(), path)?;
    let predictions = labels.into_iter().zip(logits(model, sequences)).zip(&sequences.spans);
    let predictions = predictions.map(|((label, logits), span)| (label, logits, span.len()));
    Ok(Analysis::of(model.labels().len(), predictions))
}
