//! The traits that each task implements, and the types of their arguments and results. [`TaskHandler`] is the part of
//! the commands that depends on the task. Its method `prepare` returns a [`TaskData`], which accompanies a training
//! from the data to the model directory.

use crate::data::Layout;
use crate::float_model::FloatModel;
use crate::metrics::Evaluation;
use crate::model::{DataFile, Model};
use crate::paint::Paint;
use crate::recipe::Recipe;
use crate::report::{Measurements, ValidationResult};
use crate::train::{CrossValidation, Problem, Sample};
use crate::weights::Weights;
use serde_json::Value;
use std::path::Path;

/// The output of a command.
#[derive(Clone, Debug, Default)]
pub struct CommandOutput {
    /// The object that `--json` prints.
    pub json: Value,
    /// The lines that are printed without `--json`.
    pub lines: Vec<String>,
}

/// A loaded model and the path from which it was loaded.
pub struct NamedModel<'a> {
    /// The path of the model directory or device file.
    pub path: &'a Path,
    /// The loaded model.
    pub model: &'a dyn Model,
}

/// Options of `tern predict`.
#[derive(Clone, Copy, Debug)]
pub struct PredictOptions {
    /// True to show the prediction of a text classifier after each token, too.
    pub trace: bool,
    /// Number of next tokens that a language model shows.
    pub top: usize,
    /// The layout of the table, if the model reads numbers.
    pub layout: Layout,
}

/// The commands of one task.
pub trait TaskHandler: Sync {
    /// Reads the data of a recipe, writes settings that depend on the data into the recipe and, if `baselines` is true
    /// and the task has baselines, trains these. Fails if the data cannot be read or do not fit the task, or if the
    /// threads for the baselines cannot be started.
    fn prepare(&self, recipe: &mut Recipe, baselines: bool) -> anyhow::Result<Box<dyn TaskData>>;

    /// Evaluates a model on a data file. Fails if the data cannot be read, or do not fit the model.
    fn evaluate(&self, model: &dyn Model, data: &DataFile<'_>, paint: Paint) -> anyhow::Result<CommandOutput>;

    /// Predicts for one argument of `tern predict`: a text if the model reads tokens, otherwise the path of a table.
    /// Returns one output for each prediction; a table can have several sequences. Fails if the table cannot be read or
    /// does not fit the model.
    fn predict(&self, model: &dyn Model, input: &str, options: PredictOptions) -> anyhow::Result<Vec<CommandOutput>>;

    /// Compares two models of this task on a data file. For classifiers, the lines show at most `rows` examples that
    /// the models predict differently; other tasks ignore `rows`. Fails if the data cannot be read or do not fit a
    /// model, or the models cannot be compared.
    fn compare(&self, models: [NamedModel<'_>; 2], data: &DataFile<'_>, rows: usize) -> anyhow::Result<CommandOutput>;

    /// Evaluates a model on the validation split in its directory, or reads the predictions of its cross-validation. If
    /// the directory has neither, the result has no metrics. Fails if a file cannot be read.
    fn validate(&self, model: &FloatModel, dir: &Path) -> anyhow::Result<ValidationResult>;
}

/// The training and validation data of a recipe.
pub trait TaskData {
    /// Returns the training set, the validation split and the architecture of the network.
    fn problem(&self) -> &Problem;

    /// Stores the result of the cross-validation in the problem; `None` if there was none or it was interrupted.
    fn set_cross_validation(&mut self, found: Option<CrossValidation>);

    /// Describes the data and the baselines to the user: calls `note` with each line.
    fn describe(&self, recipe: &Recipe, note: &dyn Fn(String));

    /// Builds the model from its trained weights, for a classifier with its temperature and refusal. `name`: the name
    /// in `config.json`. Fails if the shapes of the weights are wrong.
    fn model(&self, name: &str, weights: Weights) -> anyhow::Result<FloatModel>;

    /// Writes those files of the model directory that [`FloatModel::save`] does not write: the validation split or the
    /// predictions of the cross-validation, and the calibration set. Fails if a file cannot be written.
    fn save(&self, dir: &Path) -> anyhow::Result<()>;

    /// Measures the model on the validation split, or by the predictions of the cross-validation if there was one.
    /// Fails if the validation split does not fit the model.
    fn measure(&self, model: &FloatModel) -> anyhow::Result<Measurements>;

    /// Evaluates a classifier, in floats or in integers, on the validation samples of the [`problem`](Self::problem);
    /// `None` for other tasks. Fails if the validation split does not fit the model.
    fn evaluate(&self, _model: &dyn Model) -> anyhow::Result<Option<Evaluation>> {
        Ok(None)
    }

    /// Returns the sequences that [`save`](Self::save) writes as calibration set. Empty for texts, whose calibration
    /// set is in the model, and for tasks other than classification.
    fn calibration_sequences(&self) -> Vec<Sample> {
        Vec::new()
    }

    /// Returns the file and lines of a training sample, for messages. `sample`: its index in the training set.
    fn place(&self, sample: usize) -> String;
}
