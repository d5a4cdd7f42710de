//! Knowledge distillation: a classifier is also trained on the probabilities that trained classifiers, its teachers,
//! predict for the training rows (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015).

use crate::device_file::DeviceFile;
use crate::file_error::FileError;
use crate::float_model::{FloatModel, files};
use crate::logits::Logits;
use crate::model::Model;
use crate::progress::Stage;
use crate::recipe::{Recipe, Training};
use crate::train::Problem;
use anyhow::bail;
use rayon::prelude::*;
use std::path::PathBuf;
use tern_format::{Input, Task};

/// The teachers of a recipe.
pub struct Teachers(Vec<Teacher>);

/// A teacher and its labels.
struct Teacher {
    model: Box<dyn Model>,
    /// The index of each label of the new model in the teacher's labels.
    labels: Vec<usize>,
}

impl Teachers {
    /// Loads the teachers of a recipe, which are model directories or device files. `labels`: the labels of the new
    /// model. `columns`: the columns that it reads; empty for texts. Fails if a teacher cannot be read, has another
    /// task or input, reads other columns, or lacks a label.
    pub fn load(recipe: &Recipe, labels: &[String], columns: &[String]) -> anyhow::Result<Self> {
        let input = if columns.is_empty() { Input::Tokens } else { Input::Values };
        let load = |path: &PathBuf| {
            let model: Box<dyn Model> = match path.is_file() {
                true => Box::new(DeviceFile::open(path)?),
                false => Box::new(FloatModel::load(path)?),
            };
            let config = model.config();
            if config.task != Task::Classify || config.input != input {
                let kind = if input == Input::Tokens { "texts" } else { "sequences" };
                let problem = format!("not a classifier of {kind}, expected a teacher that is one");
                return Err(FileError::new(path, problem).into());
            }
            let found = config.channel_names();
            if found != columns {
                let (found, expected) = (found.join(", "), columns.join(", "));
                return Err(FileError::new(path, format!("reads the columns {found}, expected {expected}")).into());
            }
            let index = |label: &String| {
                let missing = || format!("has no label {label:?}, expected a teacher with the labels of the data");
                model.labels().iter().position(|teacher_label| teacher_label == label).ok_or_else(missing)
            };
            let labels =
                labels.iter().map(index).collect::<Result<_, _>>().map_err(|problem| FileError::new(path, problem))?;
            Ok(Teacher { model, labels })
        };
        recipe.training.teachers.iter().map(load).collect::<anyhow::Result<_>>().map(Teachers)
    }

    /// Stores the mean of the teachers' probabilities in each training sample. `logits` runs a teacher on the sample
    /// with the given index. Does nothing without teachers. Fails if the problem has folds, because the teachers were
    /// trained on the rows of every fold, or if `logits` fails.
    pub fn teach<F>(&self, problem: &mut Problem, logits: F) -> anyhow::Result<()>
    where
        F: Fn(&dyn Model, usize) -> anyhow::Result<Logits> + Sync,
    {
        if self.0.is_empty() {
            return Ok(());
        }
        if !problem.folds.is_empty() {
            bail!(
                "[training] teachers with a cross-validation: they were trained on the rows of every fold; name \
                 validation data, or set [data] valid_fraction"
            );
        }
        let _stage = Stage::new("running the teachers", 0);
        let share = 1.0 / self.0.len() as f64;
        problem.train.par_iter_mut().enumerate().try_for_each(|(index, sample)| {
            for Teacher { model, labels } in &self.0 {
                let logs = logits(model.as_ref(), index)?.log_probabilities();
                sample.teacher.resize(labels.len(), 0.0);
                for (probability, &label) in sample.teacher.iter_mut().zip(labels) {
                    *probability += (share * logs[label].exp()) as f32;
                }
            }
            Ok(())
        })
    }
}

/// Notes the teachers of a recipe, with a warning for each teacher that may have been trained on validation rows.
pub fn describe_teachers(recipe: &Recipe, note: &dyn Fn(String)) {
    let Training { teachers, teacher_weight, .. } = &recipe.training;
    for path in teachers {
        note(format!("teacher {}, weight {teacher_weight}", path.display()));
        let teacher_recipe = Recipe::read(&path.join(files::RECIPE));
        if !teacher_recipe.is_ok_and(|teacher| has_same_split(&teacher, recipe)) {
            note(format!(
                "warning: {} was not trained with the validation split of this training: if it was trained on \
                 validation rows, the validation figures will be too good; set split_seed in both trainings",
                path.display()
            ));
        }
    }
}

/// Returns true if the trainings of two recipes have the same training files and the same validation split.
fn has_same_split(a: &Recipe, b: &Recipe) -> bool {
    let files = |recipe: &Recipe| {
        [Some(&recipe.data.train), recipe.data.valid.as_ref()].map(|path| path.map(|path| path.canonicalize().ok()))
    };
    let split =
        |recipe: &Recipe| recipe.data.valid.is_none().then(|| (recipe.data.valid_fraction, recipe.split_seed()));
    files(a) == files(b) && split(a) == split(b)
}
