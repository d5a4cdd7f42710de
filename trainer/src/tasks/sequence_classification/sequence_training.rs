//! The training and validation data of sequence classification.

use super::sequence_mistakes::SequenceMistakes;
use super::sequences::{SequenceTable, analyse};
use crate::architecture::InputLayer;
use crate::data::number_table::{LABEL, SEQUENCE};
use crate::data::{self, Windows, normalise};
use crate::file_error::FileError;
use crate::float_model::{Channel, Config, FloatModel, files};
use crate::metrics::Evaluation;
use crate::model::Model;
use crate::nn::network::Input;
use crate::recipe::{Output, Recipe};
use crate::report::Measurements;
use crate::tasks::classification::{self, Analysis, Teachers, TrainingStats, describe_teachers, fold_predictions};
use crate::tasks::descriptions::{CALIBRATION_ROWS, describe_channels, describe_validation, save_table};
use crate::tasks::interface::TaskData;
use crate::train::{CrossValidation, Problem, Sample, Target};
use crate::vocabulary::Vocabulary;
use crate::weights::Weights;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The training and validation sequences of a recipe.
pub struct LabelledSequences {
    /// The path of the training table.
    path: PathBuf,
    /// The labels, sorted by their bytes.
    labels: Vec<String>,
    /// The normalisation of each channel, computed from the training rows.
    channels: Vec<Channel>,
    /// The training and validation samples.
    problem: Problem,
    /// The settings for temperature and refusal.
    settings: classification::Settings,
    /// The training sequences.
    train: SequenceTable,
    /// The validation sequences. With cross-validation, all training sequences.
    valid: SequenceTable,
}

impl LabelledSequences {
    /// Reads the recipe's tables and loads its teachers. The validation split is the recipe's second table, or a share
    /// of the sequences of each class; if there are few sequences, they are divided into folds instead. Sets the
    /// recipe's number of folds (1: no cross-validation). Fails if a table or a teacher cannot be read, or the labels
    /// do not suit the model or a split.
    pub fn read(recipe: &mut Recipe) -> anyhow::Result<Self> {
        let data = recipe.data.clone();
        let windows = recipe.windows();
        let read = |path: &Path, columns: &[String]| {
            SequenceTable::read(path, &data.sequence_column, Some(&data.label_column), columns, data.layout())
                .map(|sequences| sequences.windows(&windows))
        };
        let path = data.train.as_path();
        let all = read(path, &data.columns)?;
        let fault = |problem: String| FileError::new(path, problem);
        let mut labels: Vec<String> = (0..all.spans.len()).map(|sequence| all.label(sequence).to_owned()).collect();
        labels.sort();
        labels.dedup();
        if let [label] = labels.as_slice() {
            return Err(fault(format!("every label is {label:?}, expected two labels or more")).into());
        }
        if recipe.model.output == Output::Sigmoid && labels.len() != 2 {
            let problem = format!("{} labels, expected 2 where [model] output is \"sigmoid\"", labels.len());
            return Err(fault(problem).into());
        }
        // With cross-validation, `train` and `valid` both contain all sequences.
        let (mut train, mut valid, mut folds) = (all.clone(), all.clone(), Vec::new());
        match &data.valid {
            Some(path) => valid = read(path, &all.table.names)?,
            None => {
                let keys = split_keys(&all, &windows);
                let (classes, seed) = (all.classes(&labels, path)?, recipe.split_seed());
                let held_out = data::hold_out(&keys, &classes, &labels, data.valid_fraction, seed).map_err(fault)?;
                match recipe.folds(keys.len()) {
                    // No cross-validation.
                    1 => {
                        let (train_indices, valid_indices) = data::partition((0..keys.len()).collect(), &held_out);
                        (train, valid) = (all.select(&train_indices), all.select(&valid_indices));
                    }
                    count => folds = data::folds(&keys, &classes, count, seed),
                }
            }
        }
        // 1 means that there is no cross-validation.
        recipe.data.folds = folds.iter().max().map_or(1, |last| last + 1);
        let channels = normalise::fit(&all.table.names, train.table.rows.iter());
        let samples = |sequences: &SequenceTable, path: &Path| -> Result<Vec<Sample>, FileError> {
            let classes = sequences.classes(&labels, path)?.into_iter().enumerate();
            let sample = |(sequence, class)| Sample::new(sequences.steps(sequence, &channels), Target::Class(class));
            Ok(classes.map(sample).collect())
        };
        let architecture = recipe.model.architecture_for(InputLayer::Values { channels: channels.len() }, labels.len());
        let train_samples = samples(&train, path)?;
        let valid_samples = samples(&valid, data.valid.as_deref().unwrap_or(path))?;
        let problem = Problem::of_classes(recipe, architecture, labels.len(), train_samples, valid_samples);
        let mut problem = Problem { folds, ..problem };
        let names: Vec<String> = channels.iter().map(|channel| channel.name.clone()).collect();
        Teachers::load(recipe, &labels, &names)?.teach(&mut problem, |model, sequence| {
            // The outputs do not depend on the target.
            let sample = Sample::new(train.steps(sequence, &model.config().channels), Target::Class(0));
            Ok(model.outputs(Input::from(&sample)))
        })?;
        let settings = classification::Settings::new(recipe, &labels).map_err(fault)?;
        Ok(LabelledSequences { path: path.to_owned(), labels, channels, problem, settings, train, valid })
    }
}

/// Returns a key for each sequence. Sequences with the same key belong in the same part of a split, or in the same
/// fold.
fn split_keys(sequences: &SequenceTable, windows: &Windows) -> Vec<Vec<u64>> {
    let are_whole_recordings = windows.rows == 0;
    if are_whole_recordings {
        // Equal sequences stay together: the key is the bits of the numbers.
        let rows_of = |span: &Range<usize>| sequences.table.rows[span.clone()].iter().flatten();
        sequences.spans.iter().map(|span| rows_of(span).map(|number| number.to_bits()).collect()).collect()
    } else {
        // The windows of a recording may share rows, so they stay together: the key is the recording's name, as
        // numbers.
        sequences.names().map(|name| Windows::recording(name).bytes().map(u64::from).collect()).collect()
    }
}

impl TaskData for LabelledSequences {
    fn problem(&self) -> &Problem {
        &self.problem
    }

    fn set_cross_validation(&mut self, found: Option<CrossValidation>) {
        self.problem.cross_validation = found;
    }

    fn describe(&self, recipe: &Recipe, note: &dyn Fn(String)) {
        let (training, valid, classes) = (self.problem.train.len(), self.problem.valid.len(), self.labels.len());
        let has_split = self.problem.folds.is_empty();
        let validation = if has_split { format!(", {valid} validation sequences") } else { String::new() };
        note(format!("{training} training sequences of {classes} classes{validation}"));
        let Windows { rows, overlap, .. } = recipe.windows();
        if rows > 0 {
            note(format!(
                "each is a window of {rows} rows, overlap {overlap}; before you evaluate or classify another table, \
                 cut it with `tern data`"
            ));
        }
        describe_validation(&self.problem, "sequences", note);
        describe_channels(recipe, &self.problem, &self.channels, &self.train.table, note);
        describe_teachers(recipe, note);
    }

    fn model(&self, name: &str, mut weights: Weights) -> anyhow::Result<FloatModel> {
        let mut config = Config::classifier(name, &self.problem.architecture, self.labels.clone());
        classification::calibrate(&self.settings, &self.problem, &mut config, &mut weights);
        config.channels = self.channels.clone();
        Ok(FloatModel::new(config, Vocabulary::none(), weights, Vec::new(), Vec::new())?)
    }

    fn save(&self, dir: &Path) -> anyhow::Result<()> {
        let (columns, train, valid) = ([SEQUENCE, LABEL], &self.train.table, &self.valid.table);
        save_table(dir, files::CALIBRATION, &columns, train, 0..self.train.whole_sequence_rows(CALIBRATION_ROWS))?;
        match &self.problem.cross_validation {
            Some(found) => fold_predictions::write(dir, &self.labels, self.train.names(), &self.problem, found),
            None if self.problem.folds.is_empty() => {
                save_table(dir, files::VALIDATION, &columns, valid, 0..valid.rows.len())
            }
            None => Ok(()),
        }
    }

    fn measure(&self, model: &FloatModel) -> anyhow::Result<Measurements> {
        let Problem { train: samples, cross_validation, .. } = &self.problem;
        let cross_validation = cross_validation.as_ref();
        let analysis = match cross_validation {
            Some(found) => Analysis::of_outputs(model.config(), samples, &found.outputs),
            None if self.problem.folds.is_empty() => analyse(model, &self.valid, Path::new(files::VALIDATION))?,
            // After an interrupted cross-validation, not every sequence has a prediction, so none is analysed.
            None => Analysis::of(model.config(), std::iter::empty()),
        };
        let report = Arc::new(SequenceMistakes::new(&analysis, self.valid.names()));
        let lengths: Vec<usize> = samples.iter().map(|sample| sample.steps.len()).collect();
        let stats = TrainingStats { samples, lengths: &lengths, leaked: 0, truncated: self.problem.truncated };
        Ok(classification::measurements(&analysis, &self.labels, stats, report, cross_validation))
    }

    fn evaluate(&self, model: &dyn Model) -> anyhow::Result<Option<Evaluation>> {
        Ok(Some(analyse(model, &self.valid, Path::new(files::VALIDATION))?.evaluation))
    }

    fn calibration_sequences(&self) -> Vec<Sample> {
        let rows = self.train.whole_sequence_rows(CALIBRATION_ROWS);
        let sequences = self.train.spans.iter().take_while(|span| span.end <= rows).enumerate();
        let sample = |(sequence, _)| {
            // Every label of the training table is in `labels`.
            let label = self.labels.iter().position(|label| label == self.train.label(sequence)).unwrap_or(0);
            Sample::new(self.train.steps(sequence, &self.channels), Target::Class(label))
        };
        sequences.map(sample).collect()
    }

    fn place(&self, sample: usize) -> String {
        let (rows, lines) = (&self.train.spans[sample], &self.train.table.lines);
        let (path, first, last) = (self.path.display(), lines[rows.start], lines[rows.end - 1]);
        format!("{path}: lines {first} to {last}: sequence {:?}", self.train.name(sample))
    }
}
