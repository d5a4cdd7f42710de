//! What a training is about: the data of each task, and what there is to say of them.

mod language;
mod sequences;
mod series;
mod texts;

use super::run_directory::Options;
use crate::commands::note;
use crate::embeddings::Embeddings;
use crate::float_model::{Channel, FloatModel, files};
use crate::language as of_language;
use crate::recipe::{InputKind, Recipe, Task};
use crate::report::Measured;
use crate::series::table::Table;
use crate::series::{forecast, sequences as of_sequences};
use crate::train::{self, Problem, Steps};
use crate::vocabulary::Vocabulary;
use crate::weights::Weights;
use anyhow::Context;
use std::ops::Range;
use std::path::Path;

/// Rows of a table of numbers that are kept for calibration.
const CALIBRATION_ROWS: usize = 4096;

/// The data of a training, whatever its task.
pub trait Subject {
    /// What is to be learnt.
    fn problem(&self) -> &Problem;

    /// Says what there is to learn from, and trains simpler models where there are any that should be beaten.
    fn introduce(&mut self, recipe: &Recipe, options: Options) -> anyhow::Result<()>;

    /// What the weights are a model of.
    fn model(&self, name: &str, weights: Weights) -> anyhow::Result<FloatModel>;

    /// Writes into the directory of the model what was held out and something of what was learnt from, where the model
    /// does not carry it.
    fn save(&self, _dir: &Path) -> anyhow::Result<()> {
        Ok(())
    }

    /// How the model does on what was held out.
    fn measure(&self, model: &FloatModel) -> anyhow::Result<Measured>;

    /// Where a sample to learn from stands: file and line.
    fn place(&self, sample: usize) -> String;
}

/// Reads the data of a recipe, and puts in the width of the vectors that it names.
///
/// # Errors
///
/// Where the data cannot be read, or are not what the task needs.
pub fn of_recipe(recipe: &mut Recipe) -> anyhow::Result<Box<dyn Subject>> {
    let subject: Box<dyn Subject> = match (recipe.task, recipe.data.input) {
        (Task::Classify, InputKind::Text) => Box::new(texts::Texts::read(recipe)?),
        (Task::Classify, InputKind::Values) => {
            Box::new(sequences::Labelled { data: of_sequences::prepare(recipe)?, path: recipe.data.train.clone() })
        }
        (Task::LanguageModel, _) => {
            Box::new(language::Novel { data: of_language::prepare(recipe)?, path: recipe.data.train.clone() })
        }
        (Task::Forecast, _) => {
            Box::new(series::Series { data: forecast::prepare(recipe)?, path: recipe.data.train.clone() })
        }
    };
    let embeddings = subject.problem().embeddings.as_ref();
    recipe.model.embedding = embeddings.map_or(recipe.model.embedding, Embeddings::width);
    recipe.training.batch_size = recipe.batch_size(subject.problem().train.len());
    recipe.resolve();
    Ok(subject)
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
pub fn rows(error: &train::TrainError, subject: &dyn Subject) -> String {
    let train::TrainError::Diverged { samples, .. } = error else { return error.to_string() };
    let shown: Vec<String> = samples.iter().take(3).map(|&sample| subject.place(sample)).collect();
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
