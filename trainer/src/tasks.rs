//! The tasks that a model can be trained for. Each task has a folder with everything that depends on it: preparing the
//! training data, evaluating, predicting, comparing, and its part of the report.
//!
//! A new task is a variant of [`Task`], a folder here that implements [`TaskHandler`] and [`TaskData`], and a line in
//! [`handler`].

pub mod classification;
pub mod forecast;
pub mod language_model;
pub mod loss_comparison;
pub mod sequence_classification;
pub mod text_classification;

use crate::data::number_table::Table;
use crate::embeddings::Embeddings;
use crate::float_model::{Channel, FloatModel};
use crate::model::{DataFile, Model};
use crate::paint::Paint;
use crate::recipe::{InputKind, Recipe};
use crate::report::{Measurements, ValidationResult};
use crate::train::{self, CrossValidation, Problem, Sample, Steps};
use crate::vocabulary::{UNK, Vocabulary};
use crate::weights::Weights;
use anyhow::Context;
use serde_json::Value;
use std::ops::Range;
use std::path::Path;
use tern_format::{Input, Task};

/// Largest number of rows of a table of numbers that are stored for calibration.
const CALIBRATION_ROWS: usize = 4096;

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
}

/// The commands of one task.
pub trait TaskHandler: Sync {
    /// Reads the data of a recipe. Fails if the data cannot be read, or do not fit the task.
    fn prepare(&self, recipe: &mut Recipe) -> anyhow::Result<Box<dyn TaskData>>;

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

/// The handler of a task. The only place where the tasks are told apart.
pub fn handler(task: Task, input: Input) -> &'static dyn TaskHandler {
    match (task, input) {
        (Task::Classify, Input::Tokens) => &text_classification::TextClassification,
        (Task::Classify, Input::Values) => &sequence_classification::SequenceClassification,
        (Task::LanguageModel, _) => &language_model::LanguageModel,
        (Task::Forecast, _) => &forecast::ForecastTask,
    }
}

/// The handler of a model's task.
pub fn handler_of(model: &dyn Model) -> &'static dyn TaskHandler {
    handler(model.config().task, model.config().input)
}

/// The training and validation data of a recipe.
pub trait TaskData {
    /// The training set, the validation split and the architecture of the network.
    fn problem(&self) -> &Problem;

    /// Describes the data in lines for the user and, if `baselines`, trains the simpler models that the network is
    /// compared with. Fails if the threads for the baselines cannot be started.
    fn describe(&mut self, recipe: &Recipe, baselines: bool, note: &dyn Fn(String)) -> anyhow::Result<()>;

    /// Builds the model from its trained weights. Fails if the shapes of the weights are wrong.
    fn model(&self, name: &str, weights: Weights) -> anyhow::Result<FloatModel>;

    /// Writes the validation split or the predictions of the cross-validation, and some of the training set, into the
    /// model directory, if [`FloatModel::save`] does not do so. Fails if a file cannot be written.
    fn save(&self, dir: &Path, cross_validation: Option<&CrossValidation>) -> anyhow::Result<()>;

    /// Evaluates the model on the validation split, or takes the predictions of the cross-validation. Fails if the
    /// validation split does not fit the model.
    fn measure(&self, model: &FloatModel, cross_validation: Option<&CrossValidation>) -> anyhow::Result<Measurements>;

    /// The file and lines that a training sample comes from.
    fn place(&self, sample: usize) -> String;
}

/// Reads the data of a recipe. Sets those settings of the recipe that depend on the data: the width of the embedding
/// and the batch size. Fails if the data cannot be read, or do not fit the task.
pub fn read_data(recipe: &mut Recipe) -> anyhow::Result<Box<dyn TaskData>> {
    let input = if recipe.data.input == InputKind::Values { Input::Values } else { Input::Tokens };
    let data = handler(recipe.task, input).prepare(recipe)?;
    let embeddings = data.problem().embeddings.as_ref();
    recipe.model.embedding_dim = embeddings.map_or(recipe.model.embedding_dim, Embeddings::width);
    recipe.training.batch_size = recipe.batch_size(data.problem().train.len());
    recipe.resolve();
    Ok(data)
}

/// The number of validation rows below which a training warns that its figures are uncertain.
const FEW_VALIDATION_ROWS: usize = 50;

/// Notes that there are few validation rows, or that a cross-validation replaces them.
fn describe_validation(problem: &Problem, unit: &str, note: &dyn Fn(String)) {
    let (rows, folds) = (problem.valid.len(), problem.fold_count());
    if folds > 1 {
        note(format!("{rows} {unit} are too few for a validation split: {folds}-fold cross-validation"));
        note("finds the number of epochs and the accuracy; the model is then trained on all".to_owned());
        note("rows, and cross_validation.jsonl keeps the prediction for each of them".to_owned());
    } else if rows < FEW_VALIDATION_ROWS {
        note(format!("warning: only {rows} validation {unit}: the validation figures are uncertain"));
    }
}

/// Notes how many tokens start from a vector of the recipe's file of embeddings.
fn describe_embeddings(recipe: &Recipe, problem: &Problem, vocabulary: &Vocabulary, note: &dyn Fn(String)) {
    if let (Some(embeddings), Some(path)) = (&problem.embeddings, &recipe.model.embeddings) {
        let ids = problem.train.iter().flat_map(|sample| match &sample.steps {
            Steps::Tokens(ids) => ids.as_slice(),
            Steps::Values { .. } => &[],
        });
        let kind = if embeddings.frozen() { "frozen" } else { "initial" };
        note(format!("{kind} embeddings from {}: {}", path.display(), embeddings.coverage(vocabulary, ids)));
    }
}

/// Notes the share of unknown tokens in the training set and in the validation rows, those of all folds in a
/// cross-validation, and advice if it is large.
fn describe_unknown_tokens(problem: &Problem, note: &dyn Fn(String)) {
    let share = |samples: &[Sample]| {
        let ids = || samples.iter().flat_map(|sample| sample.steps.tokens());
        ids().filter(|&&id| id == UNK).count() as f64 / ids().count().max(1) as f64
    };
    let fold_rows: Vec<Sample> = (0..problem.fold_count()).flat_map(|fold| problem.fold(fold).valid).collect();
    let valid = share(if fold_rows.is_empty() { &problem.valid } else { &fold_rows });
    let train = share(&problem.train);
    note(format!("unknown tokens: {:.1} % in training, {:.1} % in validation", 100.0 * train, 100.0 * valid));
    if valid > 0.3 {
        note("warning: many validation tokens are unknown; try --tokenizer chars, bytes or wordpiece".to_owned());
    }
}

/// Notes the channels, the network and the missing numbers.
fn describe_channels(recipe: &Recipe, problem: &Problem, channels: &[Channel], table: &Table, note: &dyn Fn(String)) {
    let names: Vec<&str> = channels.iter().map(|channel| channel.name.as_str()).collect();
    let cells = problem.architecture.recurrent.describe(recipe.model.hidden_size);
    note(format!("channels {}; {cells}, threads {}", names.join(", "), recipe.threads()));
    let missing = table.rows.iter().flatten().filter(|number| number.is_nan()).count();
    if missing > 0 {
        note(format!("{missing} numbers are missing: each is read as the number before it, none is a training target"));
    }
}

/// Writes some rows of a table into a file of the model directory. `texts`: the names of the columns of texts.
fn save_table(dir: &Path, name: &str, texts: &[&str], table: &Table, rows: Range<usize>) -> anyhow::Result<()> {
    let path = dir.join(name);
    table.write(&path, texts, rows).with_context(|| path.display().to_string())
}

/// The message for a failed training. If it diverged, the message names rows of the batch that caused it.
pub fn describe_divergence(error: &train::TrainError, data: &dyn TaskData) -> String {
    let train::TrainError::Diverged { samples, .. } = error else { return error.to_string() };
    let shown: Vec<String> = samples.iter().take(3).map(|&sample| data.place(sample)).collect();
    match samples.len() {
        0 => error.to_string(),
        count => format!("{error}; {count} of the batch's examples give no number, such as {}", shown.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Number of lines outside of `tasks/` that name a task. Lower it when one goes; think twice before raising it.
    const LINES: usize = 52;

    /// Counts the lines of the sources in a folder that name a task, except tests and `tasks/`.
    fn lines(dir: &Path) -> usize {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let left_out = ["tasks", "tasks.rs", "tests", "tests.rs"];
        let count = |path: std::path::PathBuf| {
            if path.is_dir() {
                return lines(&path);
            }
            let names = ["Task::Classify", "Task::LanguageModel", "Task::Forecast"];
            let text = fs::read_to_string(path).unwrap_or_default();
            text.lines().filter(|line| names.iter().any(|name| line.contains(name))).count()
        };
        entries.filter(|path| left_out.iter().all(|name| !path.ends_with(name))).map(count).sum()
    }

    #[test]
    fn few_lines_outside_of_this_folder_name_a_task() {
        let found = lines(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
        assert!(found <= LINES, "{found} lines name a task, expected at most {LINES}: see `TaskHandler`");
    }
}
