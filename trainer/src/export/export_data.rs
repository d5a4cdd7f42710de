//! The rows that an export reads: the calibration set and the validation rows.

use crate::data::number_table::{self, ColumnSelection, SEQUENCE, Table};
use crate::data::{self, Columns, Example};
use crate::float_model::{FloatModel, files};
use crate::logits::Logits;
use crate::model::Model;
use crate::nn::sample::{Sample, Steps, Target};
use crate::tasks::forecast::Windows;
use crate::tasks::sequence_classification::{self, SequenceTable};
use rayon::prelude::*;
use std::path::Path;
use tern_format::{Input, Task};

/// The number of tokens of a sample of a language model's text. Each sample starts from the initial state.
const PART_TOKENS: usize = 512;

/// The rows of a data file, in the form that the model's task needs.
#[derive(Clone, Debug)]
pub enum Data {
    /// Labelled texts.
    Texts(Vec<Example>),
    /// One text, for a language model.
    Text(String),
    /// Labelled sequences of numbers.
    Sequences(SequenceTable),
    /// A time series, for a forecast.
    Series(Table),
}

/// The rows that an export reads. Each field may be empty.
#[derive(Clone, Debug)]
pub struct ExportData {
    /// The calibration set, from which the golden examples are also chosen.
    pub calibration: Data,
    /// The rows on which the float model and the device file are compared.
    pub validation: Data,
    /// The validation rows of the model directory, to which the device file's refusal rule is fitted. No rows if the
    /// float model always answers, and after a cross-validation.
    pub own_validation: Data,
    /// True if `validation` is the calibration set: a cross-validated model has no validation rows, since it was
    /// trained on all rows.
    pub on_training_rows: bool,
}

impl ExportData {
    /// Reads the rows of the model directory `dir`. `data`: a file with the layout `columns` that replaces the
    /// validation rows of the directory. Without `data`, `validation` of a cross-validated model is its calibration
    /// set.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read or lacks one of the model's columns, or if a text has a label that the model
    /// lacks. Sequences with such a label are read, but [`Data::samples`] skips them.
    pub fn of(model: &FloatModel, dir: &Path, data: Option<&Path>, columns: &Columns) -> anyhow::Result<Self> {
        let (calibration_file, validation_file) = match model.config().task {
            Task::LanguageModel => (files::CALIBRATION_TEXT, files::VALIDATION_TEXT),
            Task::Classify | Task::Forecast => (files::CALIBRATION, files::VALIDATION),
        };
        let read_own = |name: &str| {
            let path = dir.join(name);
            if path.is_file() { Data::read(model, &path, &Columns::default()) } else { Ok(Data::none(model)) }
        };
        let calibration = read_own(calibration_file)?;
        let on_training_rows = data.is_none() && dir.join(files::CROSS_VALIDATION).is_file();
        let validation_rows = match data {
            Some(path) => Data::read(model, path, columns)?,
            None if on_training_rows => calibration.clone(),
            None => read_own(validation_file)?,
        };
        let own_validation = match &model.config().refusal {
            None => Data::none(model),
            Some(_) if data.is_none() && !on_training_rows => validation_rows.clone(),
            Some(_) => read_own(validation_file)?,
        };
        Ok(ExportData { calibration, validation: validation_rows, own_validation, on_training_rows })
    }
}

impl Data {
    /// No rows, in the form of the model's task.
    pub fn none(model: &FloatModel) -> Self {
        // Labelled sequences have two columns of texts: the name of the sequence and the label.
        let table = || Table { names: vec![], rows: vec![], texts: vec![vec![], vec![]], lines: vec![] };
        match (model.config().task, model.config().input) {
            (Task::Classify, Input::Tokens) => Data::Texts(Vec::new()),
            (Task::Classify, Input::Values) => Data::Sequences(SequenceTable { table: table(), spans: vec![] }),
            (Task::LanguageModel, _) => Data::Text(String::new()),
            (Task::Forecast, _) => Data::Series(table()),
        }
    }

    /// Reads a file in the form of the model's task.
    fn read(model: &FloatModel, path: &Path, columns: &Columns) -> anyhow::Result<Self> {
        let names = model.config().channel_names();
        // The empty value tells which form the model's task needs.
        Ok(match Data::none(model) {
            Data::Texts(_) => Data::Texts(data::labels_to_indices(data::read(path, columns)?, model.labels(), path)?),
            Data::Text(_) => Data::Text(data::read_text(path)?),
            Data::Sequences(_) => {
                Data::Sequences(SequenceTable::read(path, SEQUENCE, Some(&columns.label), &names, columns.layout)?)
            }
            Data::Series(_) => {
                let selection =
                    ColumnSelection { numbers: &names, layout: columns.layout, ..ColumnSelection::default() };
                Data::Series(number_table::read(path, &selection)?)
            }
        })
    }

    /// Runs a classifier over all rows. Returns the label of each row, as an index of the model's labels, and its
    /// logits. Empty for other tasks. Sequences with a label that the model lacks are skipped.
    pub fn predictions(&self, model: &dyn Model) -> Vec<(usize, Logits)> {
        match self {
            Data::Texts(examples) => {
                examples.par_iter().map(|example| (example.label, model.classify(&example.text).logits)).collect()
            }
            Data::Sequences(sequences) => {
                let mut predictions = Vec::new();
                for (sequence, logits) in sequence_classification::logits(model, sequences).into_iter().enumerate() {
                    if let Some(label) = label_index(model, sequences.label(sequence)) {
                        predictions.push((label, logits));
                    }
                }
                predictions
            }
            Data::Text(_) | Data::Series(_) => Vec::new(),
        }
    }

    /// Converts the rows to samples of the network. If all samples together have more than `max_steps` steps, only
    /// evenly spaced ones are returned, with about `max_steps` steps in total. Sequences with a label that the model
    /// lacks are skipped, and so are the tokens after the last whole sample of a language model's text.
    pub fn samples(&self, model: &FloatModel, max_steps: usize) -> Vec<Sample> {
        match self {
            Data::Texts(examples) => {
                let sample = |example: &Example| Sample {
                    steps: Steps::Tokens(model.vocabulary().encode(&example.text)),
                    ngrams: model.config().ngram_buckets(&example.text),
                    target: Target::Class(example.label),
                    teacher: Vec::new(),
                };
                evenly_spaced(examples.iter().map(sample).collect(), max_steps)
            }
            Data::Text(text) => {
                let ids = model.vocabulary().encode(text);
                // The token after a part is the target of its last step, so each part is followed by one token.
                let parts: Vec<&[u32]> = match ids.len() {
                    // Too short for a step and its target.
                    0 | 1 => Vec::new(),
                    // A single part, whose last token is only a target.
                    2..=PART_TOKENS => vec![&ids],
                    _ => ids.windows(PART_TOKENS + 1).step_by(PART_TOKENS).collect(),
                };
                let sample = |part: &[u32]| {
                    Sample::new(Steps::Tokens(part[..part.len() - 1].to_vec()), Target::Tokens(part[1..].to_vec()))
                };
                evenly_spaced(parts.into_iter().map(sample).collect(), max_steps)
            }
            Data::Sequences(sequences) => {
                let sample = |sequence: usize| {
                    let label = label_index(model, sequences.label(sequence))?;
                    let steps = sequences.steps(sequence, &model.config().channels);
                    Some(Sample::new(steps, Target::Class(label)))
                };
                evenly_spaced((0..sequences.spans.len()).filter_map(sample).collect(), max_steps)
            }
            Data::Series(table) => {
                let Some(forecast) = &model.config().forecast else { return Vec::new() };
                let windows = Windows::new(table, &model.config().channels, forecast);
                // The first row of a horizon has a whole window before it, and the horizon ends within the table.
                let end = (table.rows.len() + 1).saturating_sub(forecast.horizon);
                let first_predicted_rows = forecast.window.min(end)..end;
                evenly_spaced(windows.samples(first_predicted_rows), max_steps)
            }
        }
    }
}

/// Returns the index of a label in the model's labels; `None` if the model lacks it.
fn label_index(model: &dyn Model, label: &str) -> Option<usize> {
    model.labels().iter().position(|known| known == label)
}

/// Selects evenly spaced samples with about `max_steps` steps in total; all if they have fewer steps. The first sample
/// is always selected.
pub(super) fn evenly_spaced(samples: Vec<Sample>, max_steps: usize) -> Vec<Sample> {
    let steps: usize = samples.iter().map(|sample| sample.steps.len()).sum();
    let stride = steps.div_ceil(max_steps.max(1)).max(1);
    samples.into_iter().step_by(stride).collect()
}
