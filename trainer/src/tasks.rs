//! The tasks: what a model can be trained to do. Each task has a folder of its own, with its data, its figures and its part of the report.

mod findings;
pub mod forecast;
pub mod language_model;
pub mod sequence_classification;
pub mod text_classification;

pub use findings::Findings;

use crate::commands::note;
use crate::data::number_table::Table;
use crate::embeddings::Embeddings;
use crate::float_model::{Channel, FloatModel, files};
use crate::recipe::{InputKind, Recipe, Task};
use crate::report::Measurements;
use crate::train::{self, Problem, Steps};
use crate::vocabulary::Vocabulary;
use crate::weights::Weights;
use anyhow::Context;
use std::ops::Range;
use std::path::Path;

/// Rows of a table of numbers that are kept for calibration.
const CALIBRATION_ROWS: usize = 4096;

/// The data of a training, whatever its task.
pub trait TaskData {
    /// What is to be learnt.
    fn problem(&self) -> &Problem;

    /// Says what there is to learn from, and trains simpler models where there are any that should be beaten.
    fn introduce(&mut self, recipe: &Recipe, baselines: bool) -> anyhow::Result<()>;

    /// What the weights are a model of.
    fn model(&self, name: &str, weights: Weights) -> anyhow::Result<FloatModel>;

    /// Writes into the directory of the model what was held out and something of what was learnt from, where the model
    /// does not carry it.
    fn save(&self, _dir: &Path) -> anyhow::Result<()> {
        Ok(())
    }

    /// How the model does on what was held out.
    fn measure(&self, model: &FloatModel) -> anyhow::Result<Measurements>;

    /// Where a sample to learn from stands: file and line.
    fn place(&self, sample: usize) -> String;
}

/// Reads the data of a recipe, and puts in the width of the vectors that it names.
///
/// # Errors
///
/// Where the data cannot be read, or are not what the task needs.
pub fn read_data(recipe: &mut Recipe) -> anyhow::Result<Box<dyn TaskData>> {
    let data: Box<dyn TaskData> = match (recipe.task, recipe.data.input) {
        (Task::Classify, InputKind::Text) => Box::new(text_classification::Texts::read(recipe)?),
        (Task::Classify, InputKind::Values) => Box::new(sequence_classification::Labelled {
            data: sequence_classification::prepare(recipe)?,
            path: recipe.data.train.clone(),
        }),
        (Task::LanguageModel, _) => {
            Box::new(language_model::Novel { data: language_model::prepare(recipe)?, path: recipe.data.train.clone() })
        }
        (Task::Forecast, _) => {
            Box::new(forecast::SeriesData { data: forecast::prepare(recipe)?, path: recipe.data.train.clone() })
        }
    };
    let embeddings = data.problem().embeddings.as_ref();
    recipe.model.embedding = embeddings.map_or(recipe.model.embedding, Embeddings::width);
    recipe.training.batch_size = recipe.batch_size(data.problem().train.len());
    recipe.resolve();
    Ok(data)
}

/// How many tokens begin with a vector of the recipe's file.
fn say_embeddings(recipe: &Recipe, problem: &Problem, vocabulary: &Vocabulary) {
    if let (Some(embeddings), Some(path)) = (&problem.embeddings, &recipe.model.embeddings) {
        let ids = problem.train.iter().flat_map(|sample| match &sample.steps {
            Steps::Tokens(ids) => ids.as_slice(),
            Steps::Values { .. } => &[],
        });
        let kind = if embeddings.frozen() { "frozen" } else { "to begin with" };
        note(format_args!("vectors {kind} from {}: {}", path.display(), embeddings.coverage(vocabulary, ids)));
    }
}

/// What a network reads of numbers, and what it is.
fn say_channels(recipe: &Recipe, problem: &Problem, channels: &[Channel], table: &Table) {
    let names: Vec<&str> = channels.iter().map(|channel| channel.name.as_str()).collect();
    let cells = problem.architecture.recurrent.describe(recipe.model.hidden);
    note(format_args!("channels {}; {cells}, threads {}", names.join(", "), recipe.threads()));
    let missing = table.rows.iter().flatten().filter(|number| number.is_nan()).count();
    if missing > 0 {
        note(format_args!("{missing} numbers are missing: the last one before each is read, none is learnt"));
    }
}

/// Writes what was held out and the first rows of what was learnt from.
fn save_tables(
    dir: &Path,
    texts: &[&str],
    valid: (&Table, Range<usize>),
    train: (&Table, usize),
) -> anyhow::Result<()> {
    let calibration = (train.0, 0..train.1.min(CALIBRATION_ROWS));
    for (name, (table, rows)) in [(files::VALIDATION, valid), (files::CALIBRATION, calibration)] {
        let path = dir.join(name);
        table.write(&path, texts, rows).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// A training that diverged, with the rows of the batch.
pub fn describe_divergence(error: &train::TrainError, data: &dyn TaskData) -> String {
    let train::TrainError::Diverged { samples, .. } = error else { return error.to_string() };
    let shown: Vec<String> = samples.iter().take(3).map(|&sample| data.place(sample)).collect();
    match samples.len() {
        0 => error.to_string(),
        count => format!("{error}; {count} of the batch's examples give no number, such as {}", shown.join("; ")),
    }
}

/// The beginning of a text, in quotation marks.
fn excerpt(text: &str) -> String {
    let short = text.chars().count() <= 60;
    format!("{:?}", if short { text.to_owned() } else { text.chars().take(59).chain(['…']).collect() })
}
