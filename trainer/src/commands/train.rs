//! `tern train`

mod board;
mod keeper;
mod keys;
mod options;
mod progress;
mod run_directory;
mod task_options;

use super::{Failure, note, print};
use crate::data;
use crate::float_model::{Staged, files};
use crate::recipe::{Recipe, Task};
use crate::report;
use crate::tasks::{self, TaskData};
use crate::train::{self, BatchProgress, Ending, EpochFigures, Moment, Observer, Outcome, State, TrainError};
use anyhow::{Context, anyhow};
use board::Board;
use keeper::Keeper;
pub use keys::with_defaults;
pub use options::Overrides;
use progress::Progress;
use run_directory::{Options, RunDirectory};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
pub use task_options::TaskOptions;

/// Options of `tern train`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern train messages.csv -o models/spam
  tern train messages.csv -o models/spam --hidden 32 --epochs 30 --seed 7
  tern train commands.tsv --valid commands-valid.tsv --label-column intent -o models/intents
  tern train models/spam/recipe.toml -o models/spam    # the same again
  tern train --resume models/spam                      # after a crash or Ctrl-C
  tern train walks.csv --input values -o models/walks
  tern train novel.txt -o models/novel
  tern train passengers.csv --task forecast --window 24 --horizon 12 --season 12 -o models/passengers

A table has a header, a column of texts and a column of labels; a JSONL file has an object a line,
a folder of texts a folder for each label. Part of each class is held out to
choose the best epoch by, unless --valid names a table. A recipe is a TOML file with any of the
settings; options win over it. Ctrl-C ends the training and keeps the best epoch so far; a second one
ends it at once. While it trains, DIR.partial holds the recipe, a log and checkpoints: --resume goes on
from there and ends in the same bytes.")]
pub struct Args {
    /// Labelled texts (CSV, TSV or JSONL, a folder LABEL/*.txt, or hf:owner/name), or a recipe (.toml)
    #[arg(value_name = "DATA.csv|RECIPE.toml")]
    pub input: PathBuf,
    /// Directory for the model; an older model there is replaced [default: the input's name with `-model`]
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Print the figures as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
    /// Do not train the simpler models that show what recurrence buys
    #[arg(long)]
    pub no_baselines: bool,
    /// Continue an unfinished training of this model directory, or begin; without it, always begin anew
    #[arg(long)]
    pub resume: bool,
    /// Seconds between checkpoints within an epoch; 0: a checkpoint after every batch
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub checkpoint_seconds: u64,
    /// Write event files for TensorBoard into this folder as well
    #[arg(long, value_name = "DIR")]
    pub tensorboard: Option<PathBuf>,
    /// What the model does.
    #[command(flatten)]
    pub task: TaskOptions,
    /// Settings that win over the recipe's.
    #[command(flatten)]
    pub overrides: Overrides,
}

/// Trains and writes a model directory.
///
/// # Errors
///
/// Where a file cannot be read or written, the recipe or the data are wrong, or the training diverges.
pub fn run(args: &Args) -> Result<(), Failure> {
    let is_recipe = args.input.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
    let (target, options) = (args.output.clone(), Options { no_baselines: args.no_baselines });
    let (mut recipe, target, options) = if args.resume && target.is_none() && RunDirectory::is_there(&args.input) {
        let (recipe, saved) = RunDirectory::recipe(&args.input)?;
        (recipe, args.input.clone(), Options { no_baselines: options.no_baselines || saved.no_baselines })
    } else {
        let target = target.unwrap_or_else(|| default_output(&args.input));
        if args.resume && !RunDirectory::is_there(&target) && args.output.is_none() && !args.input.is_file() {
            let folder = RunDirectory::folder(&args.input);
            let error = anyhow!("{}: nothing to resume: {} is not there", args.input.display(), folder.display());
            return Err(error.into());
        }
        let recipe = if is_recipe {
            let recipe = Recipe::read(&args.input).map_err(anyhow::Error::from)?;
            recipe.check().with_context(|| args.input.display().to_string())?;
            recipe
        } else {
            let task = if data::is_plain_text(&args.input) { Task::LanguageModel } else { Task::Classify };
            Recipe::for_task(&args.input, args.task.task.unwrap_or(task))
        };
        (recipe, target, options)
    };
    args.task.apply(&mut recipe);
    args.overrides.apply(&mut recipe);
    recipe.check().map_err(|error| Failure::Usage(keys::by_option(&error)))?;
    Ok(work(recipe, &target, args, options)?)
}

fn default_output(input: &Path) -> PathBuf {
    let stem = input.file_stem().unwrap_or_default().to_string_lossy();
    PathBuf::from(format!("{stem}-model"))
}

fn work(mut recipe: Recipe, target: &Path, args: &Args, options: Options) -> anyhow::Result<()> {
    Staged::check(target)?;
    let mut data = tasks::read_data(&mut recipe)?;
    let recipe = &recipe;
    data.describe(recipe, !options.no_baselines, &|line| note(line))?;
    let data = data.as_ref();
    let stop = stop_on_interrupt();
    let directory = run_directory(recipe, target, args.resume, options)?;
    let Trained { outcome, log, diverged } = learn(recipe, data, &directory, target, args, &stop)?;

    let name = recipe.name.clone().unwrap_or_else(|| {
        target.file_name().map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned())
    });
    let model = data.model(&name, outcome.weights.clone())?;
    let figures = report::TrainingMetrics::new(&model, data.measure(&model)?, data.problem().train.len(), &outcome);
    let save = || -> anyhow::Result<()> {
        let staged = directory.staged()?;
        model.save(staged.path())?;
        data.save(staged.path())?;
        report::write(staged.path(), target, &model, recipe, &figures)?;
        fs::copy(&log, staged.path().join(files::LOG)).with_context(|| log.display().to_string())?;
        Ok(staged.commit()?)
    };
    save().map_err(|error| error.context(unwritten(target)))?;
    if !matches!(outcome.ending, Ending::Interrupted | Ending::Diverged) {
        directory.remove()?;
    }

    figures.lines().iter().for_each(note);
    match outcome.ending {
        Ending::Epochs | Ending::Diverged => {}
        Ending::Patience => note(format_args!("ended early: {} epochs without a better one", recipe.training.patience)),
        Ending::Interrupted => note(format_args!("interrupted: the best epoch so far was kept; {}", continued(target))),
    }
    note(format_args!("wrote {}", target.display()));
    if let Some(message) = diverged {
        return Err(anyhow!(message).context(format!(
            "{} holds the best epoch before the training failed, epoch {}",
            target.display(),
            outcome.best_epoch
        )));
    }
    if args.json {
        let mut object = json!({ "model": target });
        let serde_json::Value::Object(figures) = figures.to_json() else {
            return Err(anyhow!("the figures are not a JSON object"));
        };
        object.as_object_mut().expect("an object was just made").extend(figures);
        print(object)?;
    }
    Ok(())
}

/// What to type to go on.
fn continued(target: &Path) -> String {
    format!("continue with `tern train --resume {}`", target.display())
}

/// The training is done and its model is not on the disk.
fn unwritten(target: &Path) -> String {
    format!("the model could not be written; {}", continued(target))
}

/// What came of the epochs.
struct Trained {
    outcome: Outcome,
    /// The path of the log.
    log: PathBuf,
    /// Why the training failed, where there is a best epoch all the same.
    diverged: Option<String>,
}

/// Goes through the epochs, from where `directory` stands.
fn learn(
    recipe: &Recipe,
    data: &dyn TaskData,
    directory: &RunDirectory,
    target: &Path,
    args: &Args,
    stop: &AtomicBool,
) -> anyhow::Result<Trained> {
    let problem = data.problem();
    let (state, log_bytes) = directory.state(recipe, problem)?;
    if state.steps() > 0 {
        let (epoch, batches) = (state.epochs_done() + 1, state.batches_done());
        note(format_args!("resumed in epoch {epoch} after {batches} of its batches"));
    }
    let every = Duration::from_secs(args.checkpoint_seconds);
    let board = |folder: &PathBuf| Board::new(folder, state.steps()).with_context(|| folder.display().to_string());
    let mut company = Company {
        board: args.tensorboard.as_ref().map(board).transpose()?,
        progress: Progress::new(recipe.training.epochs, state.epochs_done()),
        keeper: Keeper::new(directory, train::fingerprint(problem), log_bytes, every),
    };
    let outcome = train::resume(state, recipe, problem, &mut company, stop);
    company.progress.finish();
    let (outcome, diverged) = match outcome {
        Err(error @ TrainError::Diverged { .. }) => {
            let message = tasks::describe_divergence(&error, data);
            match error {
                TrainError::Diverged { kept: Some(kept), .. } => (*kept, Some(message)),
                // Before the first epoch is done there is nothing worth going on from.
                _ => {
                    directory.remove()?;
                    return Err(anyhow!(message));
                }
            }
        }
        outcome => (outcome?, None),
    };
    let log = company.keeper.finish().with_context(|| directory.log().display().to_string());
    let log = log.map_err(|error| error.context(unwritten(target)))?;
    Ok(Trained { outcome, log, diverged })
}

/// Where the training stands on the disk.
fn run_directory(recipe: &Recipe, target: &Path, resume: bool, options: Options) -> anyhow::Result<RunDirectory> {
    let folder = RunDirectory::folder(target);
    match (RunDirectory::is_there(target), resume) {
        (true, true) => {
            let (directory, changes) = RunDirectory::open(target, recipe, options)?;
            for change in changes {
                note(format_args!("from here on {change}: the model will not be that of an uninterrupted training"));
            }
            return Ok(directory);
        }
        (true, false) => note(format_args!(
            "warning: {}: an unfinished training was there; this one begins anew (--resume would have continued it)",
            folder.display()
        )),
        (false, true) => note(format_args!("nothing to resume: {} is not there; beginning", folder.display())),
        (false, false) => {}
    }
    RunDirectory::begin(target, recipe, options)
}

/// All who are told how a training goes.
struct Company<'a> {
    progress: Progress,
    keeper: Keeper<'a>,
    board: Option<Board>,
}

impl Company<'_> {
    fn observers(&mut self) -> impl Iterator<Item = &mut dyn Observer> {
        let always: [&mut dyn Observer; 2] = [&mut self.progress, &mut self.keeper];
        always.into_iter().chain(self.board.as_mut().map(|board| board as &mut dyn Observer))
    }
}

impl Observer for Company<'_> {
    fn batch(&mut self, progress: &BatchProgress) {
        self.observers().for_each(|observer| observer.batch(progress));
    }

    fn epoch(&mut self, figures: &EpochFigures, best: bool) {
        self.observers().for_each(|observer| observer.epoch(figures, best));
    }

    fn state(&mut self, state: &State, moment: Moment) {
        self.observers().for_each(|observer| observer.state(state, moment));
    }
}

/// A flag that Ctrl-C sets. The second Ctrl-C ends the program.
fn stop_on_interrupt() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    let handler = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        note("\ninterrupted: ending after this batch (again: at once, without a model)");
    });
    if let Err(error) = handler {
        note(format_args!("warning: Ctrl-C will end the program without keeping the model: {error}"));
    }
    stop
}
