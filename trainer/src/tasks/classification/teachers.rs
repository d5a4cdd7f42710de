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
use std::path::{Path, PathBuf};
use tern_format::{Input, Task};

/// The teachers of a recipe.
pub struct Teachers(Vec<Teacher>);

/// A teacher and its labels.
struct Teacher {
    model: Box<dyn Model>,
    /// The index of each label of the new model in the teacher's labels.
    label_indices: Vec<usize>,
}

impl Teachers {
    /// Loads the teachers of a recipe, which are model directories or device files. `labels`: the labels of the new
    /// model. `columns`: the columns that it reads; empty for texts. Fails if a teacher cannot be read, has another
    /// task or input, reads other columns, or lacks a label.
    pub fn load(recipe: &Recipe, labels: &[String], columns: &[String]) -> anyhow::Result<Self> {
        let load = |path: &PathBuf| Teacher::load(path, labels, columns);
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
                "[training] teachers cannot be used with a cross-validation, because they were trained on the rows of \
                 every fold; name validation data, or set [data] folds = 1"
            );
        }
        let _stage = Stage::new("running the teachers");
        let share = 1.0 / self.0.len() as f64;
        problem.train.par_iter_mut().enumerate().try_for_each(|(index, sample)| {
            for Teacher { model, label_indices } in &self.0 {
                let log_probabilities = logits(model.as_ref(), index)?.log_probabilities();
                sample.teacher.resize(label_indices.len(), 0.0);
                for (mean, &label) in sample.teacher.iter_mut().zip(label_indices) {
                    *mean += (share * log_probabilities[label].exp()) as f32;
                }
            }
            Ok(())
        })
    }
}

impl Teacher {
    /// Loads one teacher as [`Teachers::load`] does.
    fn load(path: &Path, labels: &[String], columns: &[String]) -> anyhow::Result<Self> {
        let model: Box<dyn Model> = match path.is_file() {
            true => Box::new(DeviceFile::open(path)?),
            false => Box::new(FloatModel::load(path)?),
        };
        let config = model.config();
        let (input, examples) =
            if columns.is_empty() { (Input::Tokens, "texts") } else { (Input::Values, "sequences") };
        if config.task != Task::Classify || config.input != input {
            let problem = format!("is not a classifier of {examples}, as a teacher must be");
            return Err(FileError::new(path, problem).into());
        }
        let found = config.channel_names();
        if found != columns {
            let (found, expected) = (found.join(", "), columns.join(", "));
            return Err(FileError::new(path, format!("reads the columns {found}, expected {expected}")).into());
        }
        let mut label_indices = Vec::new();
        for label in labels {
            let Some(index) = model.labels().iter().position(|teacher_label| teacher_label == label) else {
                let problem = format!("has no label {label:?}, expected a teacher with the labels of the data");
                return Err(FileError::new(path, problem).into());
            };
            label_indices.push(index);
        }
        Ok(Teacher { model, label_indices })
    }
}

/// Passes a line for each teacher to `note`, with the weight that all teachers have together, and a warning for each
/// teacher that may have been trained on validation rows.
pub fn describe_teachers(recipe: &Recipe, note: &dyn Fn(String)) {
    let Training { teachers, teacher_weight, .. } = &recipe.training;
    for path in teachers {
        note(format!("teacher {}, weight {teacher_weight}", path.display()));
        let teacher_recipe = Recipe::read(&path.join(files::RECIPE));
        if !teacher_recipe.is_ok_and(|teacher| has_same_split(&teacher, recipe)) {
            note(format!(
                "warning: no recipe shows that {} was trained with the validation split of this training: if it was \
                 trained on validation rows, the validation figures will be too good; set split_seed, and folds = 1, \
                 in both trainings",
                path.display()
            ));
        }
    }
}

/// Returns true if two trainings have the same training and validation rows: the same files and, without validation
/// data, the same validation split. A cross-validation has no split, because its final training is on all rows.
fn has_same_split(teacher: &Recipe, student: &Recipe) -> bool {
    let has_same_validation_data = match (&teacher.data.valid, &student.data.valid) {
        (Some(of_teacher), Some(of_student)) => is_same_source(of_teacher, of_student),
        (None, None) => true,
        _ => false,
    };
    if !is_same_source(&teacher.data.train, &student.data.train) || !has_same_validation_data {
        return false;
    }
    let split = |recipe: &Recipe| (recipe.data.valid_fraction, recipe.split_seed(), recipe.windows());
    student.data.valid.is_some() || (teacher.data.folds == 1 && split(teacher) == split(student))
}

/// Returns true if two paths lead to the same file or folder, or name the same data set on the Hub.
fn is_same_source(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_teacher_of_a_cross_validation_has_no_validation_split() {
        let folder = tempfile::tempdir().unwrap();
        let [train, valid] = ["train.csv", "valid.csv"].map(|name| folder.path().join(name));
        [&train, &valid].iter().for_each(|path| fs::write(path, "text,label\n").unwrap());
        let mut student = Recipe::default();
        (student.data.train, student.data.folds) = (train.clone(), 1);
        let with = |change: fn(&mut Recipe)| {
            let mut teacher = student.clone();
            change(&mut teacher);
            has_same_split(&teacher, &student)
        };
        assert!(with(|_| ()));
        assert!(with(|teacher| teacher.training.epochs = Some(3)));
        for change in [
            |teacher: &mut Recipe| teacher.data.folds = 5,
            |teacher: &mut Recipe| teacher.data.valid_fraction = 0.3,
            |teacher: &mut Recipe| teacher.training.seed += 1,
            |teacher: &mut Recipe| teacher.sequences.window = 8,
            |teacher: &mut Recipe| teacher.data.valid = Some(teacher.data.train.clone()),
        ] {
            assert!(!with(change));
        }
        // A data set on the Hub is compared by its name, since it is no file.
        student.data.train = "hf:one/set".into();
        let mut teacher = student.clone();
        assert!(has_same_split(&teacher, &student));
        teacher.data.train = "hf:another/set".into();
        assert!(!has_same_split(&teacher, &student));

        student.data.train = train;
        student.data.valid = Some(valid);
        let mut teacher = student.clone();
        teacher.training.seed += 1;
        assert!(has_same_split(&teacher, &student));
    }
}
