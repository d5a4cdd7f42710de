//! `tern train`: reads a recipe or data, trains, and writes a model directory.

mod callbacks;
mod checkpointer;
mod cross_validation;
mod options;
mod progress;
mod run_directory;
mod tensorboard;

use super::{Failure, Hooks, in_all_processes, interrupt, note, print};
use crate::data;
use crate::distributed::{Processes, agree};
use crate::float_model::{FloatModel, Staged, files};
use crate::recipe::{Recipe, Task};
use crate::report::{self, TrainingMetrics};
use crate::tasks::{self, TaskData};
use crate::train::{self, Outcome, Problem, State, StopReason, TrainError};
use anyhow::{Context, anyhow, bail};
use callbacks::{Callbacks, EpochReporter};
use checkpointer::Checkpointer;
use cross_validation::cross_validate;
pub use options::RecipeOptions;
pub(super) use options::by_option;
use progress::Progress;
pub(super) use progress::minutes;
use run_directory::{Options, RunDirectory};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tensorboard::EventWriter;
use tern_nn::process_group::ProcessGroup;
use toml::Table;

/// Options of `tern train`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern train messages.csv -o models/spam
  tern train messages.csv -o models/spam --hidden-size 32 --epochs 30 --seed 7
  tern train commands.tsv --valid commands-valid.tsv --label-column intent
  tern train models/spam/recipe.toml -o models/spam    # the same training again
  tern train --resume models/spam                      # after a crash or Ctrl-C
  tern train walks.csv --input values -o models/walks
  tern train novel.txt -o models/novel
  tern train passengers.csv --task forecast --window 24 --horizon 12 --season 12

Data: a table has a header, a column of texts and a column of labels. A JSONL file
has one object per line, a folder of texts one folder per label. Unless --valid
names validation data, a part of each class becomes the validation split, which
chooses the best epoch.

Recipe: a TOML file with any of the settings; options win over it.

Several processes: `mpirun -n 4 tern train …` gives the same model: docs/mpi.md.

Interrupting: the first Ctrl-C or SIGTERM ends the training after the running
batch, saves the best epoch as the model and exits with 130 or 143; a second one
exits at once. During the training, DIR.partial holds recipe, log and checkpoints;
--resume continues from there, and the result is the same to the last bit.

Exit codes: 0 done, 1 the work failed, 2 the command line was wrong,
130 interrupted by Ctrl-C, 143 ended by SIGTERM.")]
pub struct Args {
    /// Training data (CSV, TSV or JSONL, a folder LABEL/*.txt, a .txt file, hf:owner/name) or a recipe (.toml)
    #[arg(value_name = "DATA.csv|RECIPE.toml")]
    pub input: PathBuf,
    /// Directory for the model; replaces an older model there [default: name of the input with `-model`]
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Print the figures as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
    /// Do not train the baselines, the simpler models for comparison
    #[arg(long)]
    pub no_baselines: bool,
    /// Continue an interrupted training of this model directory, or begin it
    #[arg(long)]
    pub resume: bool,
    /// Seconds between checkpoints within an epoch; 0: a checkpoint after every batch
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub checkpoint_seconds: u64,
    /// Also write event files for TensorBoard into this folder
    #[arg(long, value_name = "DIR")]
    pub tensorboard: Option<PathBuf>,
    /// Settings that win over the recipe file.
    #[command(flatten)]
    pub recipe: RecipeOptions,
}

impl Args {
    /// The options of a training of the data or the recipe file `input`, with the settings `recipe` laid over the
    /// defaults and the file. All other options have their defaults.
    pub fn new(input: &Path, output: &Path, recipe: RecipeOptions) -> Self {
        Args {
            input: input.to_owned(),
            output: Some(output.to_owned()),
            json: false,
            no_baselines: false,
            resume: false,
            checkpoint_seconds: 30,
            tensorboard: None,
            recipe,
        }
    }
}

/// Trains and writes a model directory. After a signal, the model of the best epoch so far is written, too.
pub fn run(args: &Args) -> anyhow::Result<()> {
    in_all_processes(|processes| train(args, processes))
}

fn train(args: &Args, processes: &dyn Processes) -> anyhow::Result<()> {
    let training = agree(processes, Training::prepare(args, processes))?;
    interrupt::catch();
    let trained = training.run(&mut Hooks { processes, stop: &interrupt::STOP, on_figures: &mut |_| {} })?;
    let shown = trained.directory.display();
    if args.json && processes.rank() == 0 {
        print(trained.json())?;
    }
    if trained.is_interrupted {
        note(format_args!("interrupted: {shown} holds the best epoch so far and can be used"));
        note(how_to_continue(&trained.directory));
        bail!(Failure::Interrupted(interrupt::status()));
    }
    note(format_args!("next: tern report {shown} --open\n      tern export {shown} -o {shown}.safetensors"));
    Ok(())
}

/// A written model directory.
pub struct Trained {
    /// The model directory.
    pub directory: PathBuf,
    /// The content of its `metrics.json`. Null in processes other than that of rank 0, which writes the directory.
    pub figures: Value,
    /// True if a signal or [`Hooks::stop`] ended the training early. False if its patience did.
    pub is_interrupted: bool,
}

impl Trained {
    /// The object that `--json` prints.
    fn json(&self) -> Value {
        let mut object = json!({ "model": self.directory });
        if let (Value::Object(object), Value::Object(figures)) = (&mut object, self.figures.clone()) {
            object.extend(figures);
        }
        object
    }
}

/// A training that is ready to run: its recipe and its data are read.
pub struct Training<'a> {
    args: &'a Args,
    recipe: Recipe,
    /// The model directory to write.
    target: PathBuf,
    options: Options,
    data: Box<dyn TaskData>,
}

impl<'a> Training<'a> {
    /// Reads the recipe and the data, trains the baselines in the process of rank 0 unless the options omit them, and
    /// prints a description of the data. Fails if the options or the recipe are wrong, if the data cannot be read, or
    /// if there are more processes than shards of a batch.
    pub fn prepare(args: &'a Args, group: &dyn ProcessGroup) -> anyhow::Result<Self> {
        let (mut recipe, target, options) = recipe_and_target(args)?;
        Staged::check(&target)?;
        if group.world_size() > recipe.training.shards {
            bail!(Failure::Usage(format!(
                "{} processes cannot share the {} shards of a batch; start fewer processes, or take more shards: --shards, \
                 [training] shards",
                group.world_size(),
                recipe.training.shards
            )));
        }
        let data = tasks::read_data(&mut recipe, !options.no_baselines && group.rank() == 0)?;
        data.describe(&recipe, &|line| note(line));
        Ok(Training { args, recipe, target, options, data })
    }

    /// Trains, and writes the model of the best epoch into the model directory, even if the training is stopped. The
    /// process of rank 0 alone reads and writes the run directory and the model directory.
    pub fn run(self, hooks: &mut Hooks<'_>) -> anyhow::Result<Trained> {
        let Training { args, recipe, target, options, mut data } = self;
        let processes = hooks.processes;
        if processes.rank() > 0 {
            // The counterpart of the call by which rank 0 reports the result of opening the run directory.
            agree(processes, Ok(()))?;
            let cross_validation = cross_validate(&recipe, data.as_ref(), None, hooks)?;
            data.set_cross_validation(cross_validation);
            let state = common_state(&recipe, data.problem(), Ok(None), processes)?;
            let outcome = train::resume(state, &recipe, data.problem(), &mut (), hooks.stop, processes)?;
            let is_interrupted = outcome.stop_reason == StopReason::Interrupted;
            return Ok(Trained { directory: target, figures: Value::Null, is_interrupted });
        }
        let run_directory = agree(processes, RunDirectory::resume_or_begin(&target, &recipe, options, args.resume))?;
        let cross_validation = cross_validate(&recipe, data.as_ref(), Some(&run_directory), hooks)?;
        data.set_cross_validation(cross_validation);
        let (outcome, divergence) = train_epochs(&recipe, data.as_ref(), &run_directory, &target, args, hooks)?;
        write_model(&recipe, data.as_ref(), &run_directory, target, &outcome, divergence)
    }
}

/// Returns the state from which all processes continue. Collective: every process must call it. `own`: in the process
/// of rank 0 its state, or the reason why there is none; `Ok(None)` in the others, which receive the state of rank 0.
/// Fails in all processes if one has an error, or another recipe or other data than rank 0.
fn common_state(
    recipe: &Recipe,
    problem: &Problem,
    own: anyhow::Result<Option<State>>,
    processes: &dyn Processes,
) -> anyhow::Result<State> {
    let own = match agree(processes, own)? {
        Some(state) if processes.world_size() == 1 => return Ok(state),
        own => own,
    };
    let own_bytes = match &own {
        // The length of the log, 0 here, is not used: only rank 0 has a log.
        Some(state) => state.to_bytes(train::data_hash(problem), 0)?,
        None => Vec::new(),
    };
    let bytes_of_first = processes.broadcast(own_bytes);
    let state = match own {
        Some(state) => Ok(state),
        None => State::from_bytes(&bytes_of_first, recipe, problem).map(|(state, _)| state),
    };
    agree(processes, state).context("the processes do not have the same recipe and data")
}

/// Writes the model directory, and removes the run directory unless the training was interrupted or diverged: such a
/// training can be resumed. `divergence`: the error message of a training that diverged after its first epoch. It is
/// returned as an error once the model of the best epoch is written.
fn write_model(
    recipe: &Recipe,
    data: &dyn TaskData,
    run_directory: &RunDirectory,
    target: PathBuf,
    outcome: &Outcome,
    divergence: Option<String>,
) -> anyhow::Result<Trained> {
    let folder_name = || target.file_name().map_or("model".into(), |name| name.to_string_lossy());
    let name = recipe.name.clone().unwrap_or_else(|| folder_name().into_owned());
    let model = data.model(&name, outcome.weights.clone())?;
    let measured = data.measure(&model)?;
    let figures = TrainingMetrics::new(&model, measured, data.problem().train.len(), outcome, recipe.metric());
    let save = || -> anyhow::Result<()> {
        let log = fs::read(run_directory.log()).with_context(|| run_directory.log().display().to_string())?;
        write_directory(run_directory.staged()?, &target, &model, data, recipe, &figures, &log)
    };
    save().map_err(|error| error.context(not_written(&target)))?;
    if !matches!(outcome.stop_reason, StopReason::Interrupted | StopReason::Diverged) {
        run_directory.remove()?;
    }

    figures.lines.iter().for_each(note);
    if outcome.stop_reason == StopReason::Patience {
        let patience = recipe.training.patience;
        note(format_args!("stopped early: {patience} epochs without a better {}", recipe.metric().title()));
    }
    let shown = target.display();
    note(format_args!("wrote {shown}"));
    if let Some(message) = divergence {
        let best = outcome.best_epoch;
        let written = format!("{shown} holds the best epoch before the training failed, epoch {best}");
        return Err(anyhow!(message).context(written));
    }
    let is_interrupted = outcome.stop_reason == StopReason::Interrupted;
    Ok(Trained { directory: target, figures: figures.json, is_interrupted })
}

/// Writes the model, the rows that later commands read, the report and the log into `staged`, and then replaces the
/// model directory `target` by it.
pub(super) fn write_directory(
    staged: Staged,
    target: &Path,
    model: &FloatModel,
    data: &dyn TaskData,
    recipe: &Recipe,
    figures: &TrainingMetrics,
    log: &[u8],
) -> anyhow::Result<()> {
    model.save(staged.path())?;
    data.save(staged.path())?;
    report::write(staged.path(), target, model, recipe, figures)?;
    let path = staged.path().join(files::LOG);
    fs::write(&path, log).with_context(|| path.display().to_string())?;
    Ok(staged.commit()?)
}

/// Returns the complete recipe, the path of the model directory, and the options that are not settings of the recipe.
fn recipe_and_target(args: &Args) -> anyhow::Result<(Recipe, PathBuf, Options)> {
    let Args { input, output, resume, no_baselines, recipe: RecipeOptions(recipe_options), .. } = args;
    let run_options = Options { no_baselines: *no_baselines };
    // In `tern train --resume DIR`, the input is the model directory.
    if *resume && output.is_none() && RunDirectory::exists(input) {
        let saved = RunDirectory::options(input);
        let recipe = read_recipe(&RunDirectory::recipe_path(input), recipe_options)?;
        return Ok((recipe, input.clone(), Options { no_baselines: *no_baselines || saved.no_baselines }));
    }
    let target = output.clone().unwrap_or_else(|| {
        let stem = input.file_stem().unwrap_or_default().to_string_lossy();
        format!("{stem}-model").into()
    });
    if *resume && output.is_none() && !RunDirectory::exists(&target) && !input.is_file() {
        let folder = RunDirectory::folder(input);
        bail!("{}: nothing to resume: {} does not exist", input.display(), folder.display());
    }
    if input.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) {
        return Ok((read_recipe(input, recipe_options)?, target, run_options));
    }
    let task = if data::is_plain_text(input) { Task::LanguageModel } else { Task::Classify };
    Ok((checked(Recipe::with_options(input, task, recipe_options)?)?, target, run_options))
}

/// Reads a recipe file and lays `options` over it. A fault in the file ends with the exit status of failed work, a
/// fault in the options with that of a wrong command line.
fn read_recipe(path: &Path, options: &Table) -> anyhow::Result<Recipe> {
    Recipe::read(path)?.check().with_context(|| path.display().to_string())?;
    checked(Recipe::read_with(path, options)?)
}

/// Checks a recipe after the options were laid over it.
fn checked(recipe: Recipe) -> anyhow::Result<Recipe> {
    recipe.check().map_err(|error| Failure::Usage(by_option(&error)))?;
    Ok(recipe)
}

/// Returns the command that resumes the training.
fn how_to_continue(target: &Path) -> String {
    format!("continue with `tern train --resume {}`", target.display())
}

/// Returns the message for a finished training whose model cannot be written.
fn not_written(target: &Path) -> String {
    format!("the model could not be written; {}", how_to_continue(target))
}

/// Trains from the checkpoint in `run_directory`, or from the beginning without one, and writes the log. The second
/// value is the error message of a training that diverged after its first epoch, whose best epoch is still usable;
/// otherwise `None`. Fails if the training diverges in its first epoch, and then deletes the run directory. `target`:
/// the model directory, for messages.
fn train_epochs(
    recipe: &Recipe,
    data: &dyn TaskData,
    run_directory: &RunDirectory,
    target: &Path,
    args: &Args,
    hooks: &mut Hooks<'_>,
) -> anyhow::Result<(Outcome, Option<String>)> {
    let problem = data.problem();
    let (state, log_bytes) = match run_directory.state(recipe, problem) {
        Ok((state, log_bytes)) => (Ok(Some(state)), log_bytes),
        Err(error) => (Err(error), 0),
    };
    let state = common_state(recipe, problem, state, hooks.processes)?;
    if state.steps() > 0 {
        let (epoch, batches) = (state.epochs_done() + 1, state.epoch_batches_done());
        note(format_args!("resumed in epoch {epoch} after {batches} of its batches"));
    }
    // After a cross-validation, the network is trained for the number of epochs that was best over all folds.
    let epochs = problem.cross_validation.as_ref().map_or(recipe.epochs(), |found| found.best_epoch);
    let interval = Duration::from_secs(args.checkpoint_seconds);
    let mut progress = Progress::new(recipe, epochs, state.epochs_done());
    let mut checkpointer = Checkpointer::new(run_directory, train::data_hash(problem), log_bytes, interval);
    let mut reporter = EpochReporter(&mut *hooks.on_figures);
    let mut callbacks = Callbacks(vec![&mut progress, &mut checkpointer, &mut reporter]);
    // Declared here, since `callbacks` borrows it.
    let mut event_writer;
    if let Some(folder) = &args.tensorboard {
        event_writer = EventWriter::create(folder, state.steps()).with_context(|| folder.display().to_string())?;
        callbacks.0.push(&mut event_writer);
    }
    let outcome = train::resume(state, recipe, problem, &mut callbacks, hooks.stop, hooks.processes);
    progress.finish();
    let (outcome, divergence) = match outcome {
        Err(error @ TrainError::Diverged { .. }) => {
            let message = tasks::describe_divergence(&error, data);
            match error {
                TrainError::Diverged { best: Some(outcome), .. } => (*outcome, Some(message)),
                // The training diverged in the first epoch: there is no usable model and nothing to resume from.
                _ => {
                    run_directory.remove()?;
                    return Err(anyhow!(message));
                }
            }
        }
        outcome => (outcome?, None),
    };
    let flushed = checkpointer.flush_log().with_context(|| run_directory.log().display().to_string());
    flushed.map_err(|error| error.context(not_written(target)))?;
    Ok((outcome, divergence))
}
