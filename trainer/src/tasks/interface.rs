//! The traits that each task implements, and the types of their arguments and results.

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

/// A loaded model and the path it was loaded from.
pub struct NamedModel<'a> {
    /// The model directory or device file.
    pub path: &'a Path,
    pub model: &'a dyn Model,
}

/// Options of `tern predict`.
#[derive(Clone, Copy, Debug)]
pub struct PredictOptions {
    /// Show the prediction after each token.
    pub trace: bool,
    /// Number of next tokens that a language model shows.
    pub top: usize,
    /// The layout of the table, if the model reads numbers.
    pub layout: Layout,
}

/// The commands of one task.
pub trait TaskHandler: Sync {
    /// Reads the data of a recipe and, if `baselines` is true, trains the simpler models that the network is compared
    /// with. Fails if the data cannot be read or do not fit the task, or if the threads for the baselines cannot be
    /// started.
    fn prepare(&self, recipe: &mut Recipe, baselines: bool) -> anyhow::Result<Box<dyn TaskData>>;

    /// Evaluates a model on a data file. Fails if the data cannot be read, or do not fit the model.
    fn evaluate(&self, model: &dyn Model, data: &DataFile<'_>, paint: Paint) -> anyhow::Result<CommandOutput>;

    /// Predicts for one argument of `tern predict`: a text if the model reads tokens, else the path of a table. Fails
    /// if the table cannot be read, or does not fit the model.
    fn predict(&self, model: &dyn Model, input: &str, options: PredictOptions) -> anyhow::Result<Vec<CommandOutput>>;

    /// Compares two models of this task on a data file. The lines show at most `rows` examples that the models predict
    /// differently. Fails if the data cannot be read or do not fit a model, or the models cannot be compared.
    fn compare(&self, models: [NamedModel<'_>; 2], data: &DataFile<'_>, rows: usize) -> anyhow::Result<CommandOutput>;

    /// Evaluates a model on the validation split in its directory, if there is one. Fails if the validation split
    /// cannot be read.
    fn validate(&self, model: &FloatModel, dir: &Path) -> anyhow::Result<ValidationResult>;
}

/// The training and validation data of a recipe.
pub trait TaskData {
    /// The training set, the validation split and the architecture of the network.
    fn problem(&self) -> &Problem;

    /// Stores the result of the cross-validation in the problem.
    fn set_cross_validation(&mut self, found: Option<CrossValidation>);

    /// Describes the data and the baselines in lines for the user.
    fn describe(&self, recipe: &Recipe, note: &dyn Fn(String));

    /// Builds the model from its trained weights. Fails if the shapes of the weights are wrong.
    fn model(&self, name: &str, weights: Weights) -> anyhow::Result<FloatModel>;

    /// Writes the validation split or the predictions of the cross-validation, and some of the training set, into the
    /// model directory, if [`FloatModel::save`] does not do so. Fails if a file cannot be written.
    fn save(&self, dir: &Path) -> anyhow::Result<()>;

    /// Evaluates the model on the validation split, or takes the predictions of the cross-validation. Fails if the
    /// validation split does not fit the model.
    fn measure(&self, model: &FloatModel) -> anyhow::Result<Measurements>;

    /// The predictions of a classifier, in floats or in integers, for the validation split; `None` for other tasks.
    /// Fails if the validation split does not fit the model.
    fn evaluate(&self, _model: &dyn Model) -> anyhow::Result<Option<Evaluation>> {
        Ok(None)
    }

    /// The sequences that [`save`](Self::save) writes for the calibration of an export. Empty for texts, which are in
    /// the model, and for tasks other than classification.
    fn calibration_sequences(&self) -> Vec<Sample> {
        Vec::new()
    }

    /// The file and lines that a training sample comes from.
    fn place(&self, sample: usize) -> String;
}
