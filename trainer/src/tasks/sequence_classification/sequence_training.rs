//! The training data of sequence classification.

use super::{LABEL, PreparedSequences, SEQUENCE, SequenceMistakes, Sequences, analyse};
use crate::float_model::{FloatModel, files};
use crate::recipe::Recipe;
use crate::report::Measurements;
use crate::tasks::classification::{self, Analysis, TrainingStats};
use crate::tasks::{TaskData, describe_channels, describe_validation, save_tables};
use crate::train::{CrossValidation, Problem, Target};
use crate::vocabulary::Vocabulary;
use crate::weights::Weights;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The training and validation sequences of a recipe.
pub struct LabelledSequences {
    /// The prepared data.
    pub data: PreparedSequences,
    /// The file of the training table.
    pub path: PathBuf,
}

impl TaskData for LabelledSequences {
    fn problem(&self) -> &Problem {
        &self.data.problem
    }

    fn describe(&mut self, recipe: &Recipe, _baselines: bool, note: &dyn Fn(String)) -> anyhow::Result<()> {
        let PreparedSequences { labels, channels, problem, train, .. } = &self.data;
        let (training, validation, classes) = (problem.train.len(), problem.valid.len(), labels.len());
        if problem.folds.is_empty() {
            note(format!("{training} training sequences of {classes} classes, {validation} validation sequences"));
        } else {
            note(format!("{training} training sequences of {classes} classes"));
        }
        describe_validation(problem, "sequences", note);
        describe_channels(recipe, problem, channels, train, note);
        Ok(())
    }

    fn model(&self, name: &str, weights: Weights) -> anyhow::Result<FloatModel> {
        Ok(FloatModel::new(self.data.config(name), Vocabulary::none(), weights, Vec::new(), Vec::new())?)
    }

    fn save(&self, dir: &Path) -> anyhow::Result<()> {
        let PreparedSequences { train, valid, .. } = &self.data;
        save_tables(dir, &[SEQUENCE, LABEL], (valid, 0..valid.rows.len()), (train, train.rows.len()))
    }

    fn measure(&self, model: &FloatModel, cross_validation: Option<&CrossValidation>) -> anyhow::Result<Measurements> {
        let PreparedSequences { labels, problem, valid, .. } = &self.data;
        let sequences = Sequences::of_table(valid.clone(), Path::new(files::VALIDATION))?;
        let analysis = match cross_validation {
            Some(found) => Analysis::of_outputs(labels.len(), &problem.train, &found.outputs),
            None => analyse(model, &sequences, Path::new(files::VALIDATION))?,
        };
        let report = Arc::new(SequenceMistakes::new(&analysis, &sequences));
        let label = |target: &Target| if let Target::Class(label) = target { *label } else { 0 };
        let train_labels: Vec<usize> = problem.train.iter().map(|sample| label(&sample.target)).collect();
        let lengths: Vec<usize> = problem.train.iter().map(|sample| sample.steps.len()).collect();
        let stats = TrainingStats { labels: &train_labels, lengths: &lengths, leaked: 0, cut: problem.cut };
        Ok(classification::measurements(&analysis, labels, stats, report, cross_validation))
    }

    fn place(&self, sample: usize) -> String {
        match Sequences::of_table(self.data.train.clone(), &self.path) {
            Ok(all) => {
                let (rows, lines) = (&all.spans[sample], &all.table.lines);
                let (path, first, last) = (self.path.display(), lines[rows.start], lines[rows.end - 1]);
                format!("{path}: lines {first} to {last}: sequence {:?}", all.name(sample))
            }
            Err(error) => error.to_string(),
        }
    }
}
