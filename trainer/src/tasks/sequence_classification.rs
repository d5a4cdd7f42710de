//! Sequence classification: a model predicts one of its labels for a sequence of numbers.

mod sequence_mistakes;
mod sequence_training;

pub use sequence_mistakes::{SequenceMistakes, WrongSequence};
pub use sequence_training::LabelledSequences;

use super::classification::{self, Analysis, SUMMARY_FIGURES, class_figures, label_comparison};
use super::{CommandOutput, NamedModel, PredictOptions, TaskData, TaskHandler};
use crate::architecture::InputLayer;
use crate::data;
use crate::data::number_table::{self, ColumnSelection, NumberTableError, Table};
use crate::data::{Layout, Row, normalise};
use crate::display::visible;
use crate::float_model::{Channel, Config, FloatModel, files};
use crate::logits::Logits;
use crate::model::{DataFile, Model};
use crate::nn::network::Input;
use crate::paint::Paint;
use crate::recipe::{Output, Recipe};
use crate::report::{TaskWording, ValidationResult};
use crate::train::{Problem, Sample, Steps, Target};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

pub use crate::data::number_table::{LABEL, SEQUENCE};

/// The commands of sequence classification.
pub struct SequenceClassification;

impl TaskHandler for SequenceClassification {
    fn prepare(&self, recipe: &mut Recipe) -> anyhow::Result<Box<dyn TaskData>> {
        Ok(Box::new(LabelledSequences { data: prepare(recipe)?, path: recipe.data.train.clone() }))
    }

    fn evaluate(&self, model: &dyn Model, data: &DataFile<'_>, paint: Paint) -> anyhow::Result<CommandOutput> {
        let evaluation = analyse(model, &read(model, data)?, data.path)?.evaluation;
        let mut output = class_figures::figures(model.labels(), &evaluation, paint);
        output.lines.extend(class_figures::confusion(model.labels(), evaluation.confusion(), paint));
        Ok(output)
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
            let answers = analyse(*model, &all, data.path)?.predictions;
            predicted.push(answers.iter().map(|answer| model.labels()[answer.predicted].clone()).collect());
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
        let path = dir.join(files::VALIDATION);
        if !path.is_file() {
            return Ok(ValidationResult { metrics: Value::Null, report: Arc::new(SequenceMistakes::default()) });
        }
        let sequences =
            Sequences::read(&path, SEQUENCE, Some(LABEL), &model.config().channel_names(), Layout::default())?;
        let analysis = analyse(model, &sequences, &path)?;
        let mistakes = SequenceMistakes::new(&analysis, &sequences);
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
fn read(model: &dyn Model, data: &DataFile<'_>) -> Result<Sequences, NumberTableError> {
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
    ///
    /// # Errors
    ///
    /// See [`NumberTableError`].
    pub fn read(
        path: &Path,
        sequence_column: &str,
        label_column: Option<&str>,
        numbers: &[String],
        layout: Layout,
    ) -> Result<Self, NumberTableError> {
        let mut texts = vec![(sequence_column, "sequence_column in [data]")];
        texts.extend(label_column.map(|name| (name, "label_column in [data]")));
        let selection = ColumnSelection { texts: &texts, numbers, layout, ..ColumnSelection::default() };
        Sequences::of_table(number_table::read(path, &selection)?, path)
    }

    /// Groups the rows of a table into sequences. Its first column of texts must name the sequence; the second, if
    /// present, is the label.
    ///
    /// # Errors
    ///
    /// If the rows of a sequence are not consecutive, or have different labels.
    pub fn of_table(table: Table, path: &Path) -> Result<Self, NumberTableError> {
        let names = &table.texts[0];
        let mut spans: Vec<Range<usize>> = Vec::new();
        let mut seen = HashSet::new();
        for (row, name) in names.iter().enumerate() {
            let line = table.lines[row];
            match spans.last_mut() {
                Some(span) if names[span.start] == *name => span.end = row + 1,
                _ if !seen.insert(name) => {
                    return Err(NumberTableError::TornApart { path: path.to_owned(), line, sequence: name.clone() });
                }
                _ => spans.push(row..row + 1),
            }
            if let Some(labels) = table.texts.get(1) {
                let first = spans.last().map_or(row, |span| span.start);
                if labels[row] != labels[first] {
                    let (label, expected) = (labels[row].clone(), labels[first].clone());
                    let (path, sequence) = (path.to_owned(), name.clone());
                    return Err(NumberTableError::Labels { path, line, sequence, label, expected });
                }
            }
        }
        Ok(Sequences { table, spans })
    }

    /// The name of a sequence.
    pub fn name(&self, sequence: usize) -> &str {
        &self.table.texts[0][self.spans[sequence].start]
    }

    /// The label of a sequence.
    pub fn label(&self, sequence: usize) -> &str {
        &self.table.texts[1][self.spans[sequence].start]
    }

    /// The normalised values of a sequence.
    pub fn steps(&self, sequence: usize, channels: &[Channel]) -> Steps {
        let rows = self.table.rows[self.spans[sequence].clone()].iter();
        Steps::Values { values: normalise::normalise(channels, rows).concat(), channels: channels.len() }
    }

    /// The rows of some sequences as a table.
    fn select(&self, sequences: &[usize]) -> Table {
        let rows: Vec<usize> = sequences.iter().flat_map(|&sequence| self.spans[sequence].clone()).collect();
        let text = |column: &Vec<String>| rows.iter().map(|&row| column[row].clone()).collect();
        Table {
            names: self.table.names.clone(),
            rows: rows.iter().map(|&row| self.table.rows[row].clone()).collect(),
            texts: self.table.texts.iter().map(text).collect(),
            lines: rows.iter().map(|&row| self.table.lines[row]).collect(),
        }
    }
}

/// The sequences of a recipe, split into a training set and a validation split.
#[derive(Clone, Debug)]
pub struct PreparedSequences {
    /// The labels, sorted by their bytes.
    pub labels: Vec<String>,
    /// The normalisation of each channel, computed from the training rows.
    pub channels: Vec<Channel>,
    /// The training and validation samples.
    pub problem: Problem,
    /// The rows of the training sequences.
    pub train: Table,
    /// The rows of the validation sequences.
    pub valid: Table,
}

/// Reads the recipe's tables. The validation split is the recipe's second table, or a share of the sequences of each
/// class.
///
/// # Errors
///
/// See [`NumberTableError`].
pub fn prepare(recipe: &mut Recipe) -> Result<PreparedSequences, NumberTableError> {
    let data = recipe.data.clone();
    let read = |path: &Path, columns: &[String]| {
        Sequences::read(path, &data.sequence_column, Some(&data.label_column), columns, data.layout())
    };
    let path = data.train.as_path();
    let all = read(path, &data.columns)?;
    let classes = |problem| NumberTableError::Classes { path: path.to_owned(), problem };
    let mut labels: Vec<String> = (0..all.spans.len()).map(|sequence| all.label(sequence).to_owned()).collect();
    labels.sort();
    labels.dedup();
    if let [label] = labels.as_slice() {
        return Err(classes(format!("every label is {label:?}, expected two labels or more")));
    }
    if recipe.model.output == Output::Sigmoid && labels.len() != 2 {
        return Err(classes(format!("{} labels, expected 2 where [model] output is \"sigmoid\"", labels.len())));
    }
    let number = |sequences: &Sequences, path: &Path| {
        let index = |sequence: usize| {
            let label = sequences.label(sequence);
            labels.iter().position(|known| known == label).ok_or_else(|| NumberTableError::Classes {
                path: path.to_owned(),
                problem: format!("unknown label {label:?}; the labels are {}", data::quoted(&labels)),
            })
        };
        (0..sequences.spans.len()).map(index).collect::<Result<Vec<usize>, _>>()
    };
    let classes_of_all = number(&all, path)?;
    let mut folds = Vec::new();
    let (train, valid, validation, valid_labels) = match &data.valid {
        Some(valid) => {
            let validation = read(valid, &all.table.names)?;
            let labels = number(&validation, valid)?;
            ((0..all.spans.len()).collect(), (0..validation.spans.len()).collect(), validation, labels)
        }
        None => {
            // Sequences with equal numbers stay on one side of the split, as equal texts do.
            let bits = |span: &Range<usize>| {
                all.table.rows[span.clone()].iter().flatten().map(|number| number.to_bits()).collect::<Vec<u64>>()
            };
            let keys: Vec<Vec<u64>> = all.spans.iter().map(bits).collect();
            let (fraction, seed) = (data.valid_fraction, recipe.training.seed);
            let flags = data::hold_out(&keys, &classes_of_all, &labels, fraction, seed)
                .map_err(|error| classes(error.to_string()))?;
            let rows: Vec<usize> = (0..all.spans.len()).collect();
            let (train, valid) = match recipe.folds(rows.len()) {
                1 => data::partition(rows, &flags),
                count => {
                    folds = data::folds(&keys, &classes_of_all, count, seed);
                    (rows.clone(), rows)
                }
            };
            (train, valid, all.clone(), classes_of_all.clone())
        }
    };
    let (train, valid): (Vec<usize>, Vec<usize>) = (train, valid);
    recipe.data.folds = folds.iter().max().map_or(1, |last| last + 1);
    let (train_table, valid_table) = (all.select(&train), validation.select(&valid));
    let channels = normalise::fit(&all.table.names, train_table.rows.iter());
    let sample = |sequences: &Sequences, sequence: usize, label: usize| Sample {
        steps: sequences.steps(sequence, &channels),
        target: Target::Class(label),
    };
    let architecture = recipe.model.architecture_for(InputLayer::Values { channels: channels.len() }, labels.len());
    let mut problem = Problem::of_classes(
        recipe,
        architecture,
        labels.len(),
        train.iter().map(|&sequence| sample(&all, sequence, classes_of_all[sequence])).collect(),
        valid.iter().map(|&sequence| sample(&validation, sequence, valid_labels[sequence])).collect(),
    );
    problem.folds = folds;
    Ok(PreparedSequences { labels, channels, problem, train: train_table, valid: valid_table })
}

impl PreparedSequences {
    /// The configuration of the model.
    pub fn config(&self, name: &str) -> Config {
        let mut config = Config::classifier(name, &self.problem.architecture, self.labels.clone());
        config.channels = self.channels.clone();
        config
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

/// The index of the label of each sequence of a table.
///
/// # Errors
///
/// If the model lacks a label.
fn known_labels(model: &dyn Model, sequences: &Sequences, path: &Path) -> Result<Vec<usize>, NumberTableError> {
    let labels = &model.config().labels;
    let index = |sequence: usize| {
        let found = sequences.label(sequence);
        labels.iter().position(|label| label == found).ok_or_else(|| {
            let problem = format!(
                "line {}: unknown label {found:?}; the labels are {}",
                sequences.table.lines[sequences.spans[sequence].start],
                data::quoted(labels)
            );
            NumberTableError::Classes { path: path.to_owned(), problem }
        })
    };
    (0..sequences.spans.len()).map(index).collect()
}

/// Analyses the predictions of a model for labelled sequences.
///
/// # Errors
///
/// If the model lacks a label.
pub fn analyse(model: &dyn Model, sequences: &Sequences, path: &Path) -> Result<Analysis, NumberTableError> {
    let labels = known_labels(model, sequences, path)?;
    let answers = labels.into_iter().zip(logits(model, sequences)).zip(&sequences.spans);
    let answers = answers.map(|((label, logits), span)| (label, logits, span.len()));
    Ok(Analysis::of(model.config().labels.len(), answers))
}
