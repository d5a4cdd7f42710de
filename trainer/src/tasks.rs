//! The tasks that a model can be trained for. Each task has a folder with everything that depends on the task:
//! preparing the training data, evaluating, predicting, comparing, and its part of the report. Classification has a
//! folder for texts and one for sequences of numbers; `classification` has their common parts.
//!
//! To add a task, add a variant of [`Task`], a folder here that implements [`TaskHandler`] and [`TaskData`], and a line
//! in [`handler`].

pub mod classification;
mod descriptions;
pub mod forecast;
mod interface;
pub mod language_model;
pub mod loss_comparison;
pub mod sequence_classification;
pub mod text_classification;

pub use interface::{CommandOutput, NamedModel, PredictOptions, TaskData, TaskHandler};

use crate::model::Model;
use crate::recipe::{InputKind, Recipe};
use crate::train;
use tern_format::{Input, Task};

/// Returns the handler of a task. `input`: the model's input, which distinguishes the two handlers of classification.
pub fn handler(task: Task, input: Input) -> &'static dyn TaskHandler {
    match (task, input) {
        (Task::Classify, Input::Tokens) => &text_classification::TextClassification,
        (Task::Classify, Input::Values) => &sequence_classification::SequenceClassification,
        (Task::LanguageModel, _) => &language_model::LanguageModel,
        (Task::Forecast, _) => &forecast::ForecastTask,
    }
}

/// Returns the handler of a model's task.
pub fn handler_of(model: &dyn Model) -> &'static dyn TaskHandler {
    handler(model.config().task, model.config().input)
}

/// Reads the data of a recipe and, if `with_baselines` is true, trains the baselines. Fills in those settings of the
/// recipe that depend on the data, such as the width of the embedding and the batch size. Fails as
/// [`TaskHandler::prepare`] does.
pub fn read_data(recipe: &mut Recipe, with_baselines: bool) -> anyhow::Result<Box<dyn TaskData>> {
    let input = if recipe.data.input == InputKind::Values { Input::Values } else { Input::Tokens };
    let data = handler(recipe.task, input).prepare(recipe, with_baselines)?;
    recipe.training.batch_size = recipe.batch_size(data.problem().train.len());
    recipe.resolve();
    Ok(data)
}

/// Returns the message for a failed training of `data`. If the training diverged, the message names at most three
/// examples of the batch that may be the cause.
pub fn describe_divergence(error: &train::TrainError, data: &dyn TaskData) -> String {
    let samples = match error {
        train::TrainError::Diverged { samples, .. } if !samples.is_empty() => samples,
        _ => return error.to_string(),
    };
    let places: Vec<String> = samples.iter().take(3).map(|&sample| data.place(sample)).collect();
    let (count, places) = (samples.len(), places.join("; "));
    format!("{error}; the cause may be in {count} examples of the batch, such as {places}")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Largest number of lines outside of `tasks/` that name a task. Lower it when such a line is removed. If a new
    /// line exceeds it, the line may belong into the handler of the task.
    const LINES: usize = 53;

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
