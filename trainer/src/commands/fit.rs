//! `tern fit`: finds the most accurate classifier that fits a device. The search trains candidates, which are recipes
//! whose device files fit a budget of flash, RAM and instructions; one training of a candidate is a trial.

mod progress;

use super::train::{RecipeOptions, by_option, write_directory};
use super::{Failure, Hooks, export, in_all_processes, interrupt, note, print, quantities};
use crate::data;
use crate::distributed::{Processes, agree};
use crate::export::check_output;
use crate::fit::{self, Budget, Found, Limits, Profile, Search, Trial, TrialLog, learning_curve, verdict};
use crate::float_model::Staged;
use crate::recipe::{self, Metric};
use crate::report::TrainingMetrics;
use crate::tasks;
use crate::tasks::classification::analysis::wilson;
use crate::train::{self, EpochFigures};
use anyhow::{Context, bail};
use progress::Progress;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tern_nn::process_group::ProcessGroup;
use toml::Table;

/// Options of `tern fit`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern fit messages.csv -o spam --flash 64KB
  tern fit intents.csv --valid intents-valid.csv -o intents --flash 128KB --ram 4KB
  tern fit walks.csv --input values -o walks --flash 8KB --trials 40
  tern fit messages.csv -o spam --flash 64KB --cell gru --tokenizer words
  tern fit messages.csv -o spam --flash 64KB --resume      # after a crash or Ctrl-C

Writes the model directory NAME and the device file NAME.safetensors. Candidates differ in n-gram branch,
recurrent layers, vocabulary, bits and regularisation. All train for a quarter of the epochs, the best third
for half of them, and the best eighth, at least three, for all. The accuracy in the last two rounds, or in the
last round of a cross-validation, is that of the device file. Settings of the recipe that are given as options,
as for `tern train`, are the same in all candidates.

The same data, options and seed find the same model, unless the time runs out. `mpirun -n 4 tern fit …` shares
the candidates among four processes and finds the same model: docs/mpi.md.

Interrupting: the first Ctrl-C or SIGTERM takes the best candidate so far and exits with 130 or 143;
--resume continues the search.")]
pub struct Args {
    /// Training data: a CSV, TSV or JSONL table, a folder LABEL/*.txt, or hf:owner/name
    #[arg(value_name = "DATA.csv")]
    pub input: PathBuf,
    /// Name of the model: NAME is the model directory, NAME.safetensors the device file
    #[arg(short, long, value_name = "NAME")]
    pub output: PathBuf,
    /// Largest device file: 64KB (65,536 bytes), 1MB, 4096
    #[arg(long, value_name = "SIZE", value_parser = quantities::size)]
    pub flash: usize,
    /// Largest scratch memory of a session [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = quantities::size)]
    pub ram: Option<usize>,
    /// Largest estimated number of instructions of a token on a Cortex-M4 [default: no limit]
    #[arg(long, value_name = "N")]
    pub max_instructions: Option<u64>,
    /// Time of the search: 90s, 20m, 2h [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = quantities::duration)]
    pub time: Option<Duration>,
    /// Number of candidates
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub trials: u64,
    /// Pretrained word vectors, as --embeddings of `tern train`
    #[arg(long, value_name = "FILE", conflicts_with = "recipe-embeddings")]
    pub vectors: Option<PathBuf>,
    /// With several processes: seconds after which one that sends nothing counts as dead
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(2..=86400))]
    pub rank_timeout: u64,
    /// Continue an interrupted search of this NAME with the same data and options
    #[arg(long)]
    pub resume: bool,
    /// Print the figures as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
    /// Settings that all candidates have.
    #[command(flatten)]
    pub recipe: RecipeOptions,
}

impl Args {
    /// The options of a search for a device file of at most `flash` bytes, with the settings `recipe` laid over the
    /// defaults. All other options have their defaults.
    pub fn new(input: &Path, output: &Path, flash: usize, recipe: RecipeOptions) -> Self {
        Args {
            input: input.to_owned(),
            output: output.to_owned(),
            flash,
            ram: None,
            max_instructions: None,
            time: None,
            trials: 24,
            vectors: None,
            rank_timeout: 60,
            resume: false,
            json: false,
            recipe,
        }
    }

    /// Returns the path of the device file.
    pub fn device_path(&self) -> PathBuf {
        with_suffix(&self.output, ".safetensors")
    }
}

/// Searches, and writes the model directory and the device file of the best candidate.
pub fn run(args: &Args) -> anyhow::Result<()> {
    in_all_processes(|processes| fit(args, processes))
}

/// Runs the command in one of the processes that share it.
fn fit(args: &Args, processes: &dyn Processes) -> anyhow::Result<()> {
    let fitting = agree(processes, Fitting::prepare(args, processes))?;
    interrupt::catch();
    let result = fitting.run(&mut Hooks { processes, stop: &interrupt::STOP, on_figures: &mut |_| {} })?;
    if processes.rank() > 0 {
        return Ok(());
    }
    if args.json {
        print(&result)?;
    }
    if interrupt::STOP.load(Ordering::Relaxed) {
        note("interrupted: the best candidate so far was written; continue the search with --resume");
        bail!(Failure::Interrupted(interrupt::status()));
    }
    let shown = args.output.display();
    note(format_args!("next: tern report {shown} --open\n      tern console {}", args.device_path().display()));
    Ok(())
}

/// A search that is ready to run: its options are checked and its data are read.
pub struct Fitting<'a> {
    args: &'a Args,
    /// Settings that all candidates have.
    options: Table,
    profile: Profile,
    metric: Metric,
    budget: Budget,
    log: TrialLog,
}

impl<'a> Fitting<'a> {
    /// Checks the options, reads the data and prints a description of them. The process of rank 0 alone opens the log
    /// of the trials. Fails if the options do not go together, the data are not those of a classifier, or the log to be
    /// resumed is that of another search.
    pub fn prepare(args: &'a Args, group: &dyn ProcessGroup) -> anyhow::Result<Self> {
        let options = options(args);
        Staged::check(&args.output)?;
        check_output(&args.device_path())?;
        if data::is_plain_text(&args.input) {
            bail!(Failure::Usage(format!(
                "{}: one text, expected labelled rows: `tern train` trains language models",
                args.input.display()
            )));
        }
        let mut recipe = fit::recipe(&args.input, &Table::new(), &options).map_err(usage_error)?;
        let budget = Budget { flash: args.flash, ram: args.ram, instructions: args.max_instructions };
        let data = tasks::read_data(&mut recipe, false)?;
        let profile = Profile::new(&recipe, data.as_ref()).context("expected the data of a classifier")?;
        note(&profile);
        let header = json!({
            "data": train::data_hash(data.problem()),
            "options": options.to_string(),
            "budget": budget,
            "trials": args.trials,
            "version": env!("CARGO_PKG_VERSION"),
        });
        let path = with_suffix(&args.output, ".fit.jsonl");
        let log = match group.rank() {
            0 => open_log(&path, &header, args.resume)?,
            _ => TrialLog::empty(&path),
        };
        Ok(Fitting { args, options, profile, metric: recipe.metric(), budget, log })
    }

    /// Searches, writes the model directory and the device file of the best candidate, and returns the figures as a
    /// JSON object. A search that is stopped writes the best candidate so far and keeps its log for `--resume`. A
    /// process of another rank than 0 trains the candidates that rank 0 sends, and returns null.
    pub fn run(self, hooks: &mut Hooks<'_>) -> anyhow::Result<Value> {
        let Fitting { args, options, profile, metric, budget, log } = self;
        let name = args.output.file_name().map_or("model".into(), |name| name.to_string_lossy());
        let search = Search {
            name: &name,
            input: &args.input,
            options: &options,
            budget,
            candidates: args.trials as usize,
            time: args.time,
            interrupt: hooks.stop,
            processes: hooks.processes,
            rank_timeout: Duration::from_secs(args.rank_timeout),
            log,
        };
        let mut progress = Progress::new(metric, &mut *hooks.on_figures);
        let found = search.run(&profile, &mut progress);
        progress.finish();
        let found = match found {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Value::Null),
            Err(error) => {
                if hooks.processes.rank() == 0 {
                    if search.log.has_trials() {
                        note("the finished trials are kept; continue the search with --resume");
                    } else {
                        search.log.remove()?;
                    }
                }
                return Err(error);
            }
        };
        let result = write(args, &search, &profile, found, &args.device_path())?;
        if !search.interrupt.load(Ordering::Relaxed) {
            search.log.remove()?;
        }
        Ok(result)
    }
}

/// Returns the error of the command line for an error of the recipe that its options make. It names the faulty option
/// if there is one.
fn usage_error(error: anyhow::Error) -> Failure {
    match error.downcast_ref() {
        Some(error) => Failure::Usage(by_option(error)),
        None => Failure::Usage(error.to_string()),
    }
}

/// Opens the log of the trials. With `resume`, prints how many trials it has. Prints a warning if those of an
/// interrupted search are deleted.
fn open_log(path: &Path, header: &Value, resume: bool) -> anyhow::Result<TrialLog> {
    let log = TrialLog::open(path, header, resume)?;
    let path = path.display();
    match log.resumed_trials() {
        0 if resume => note(format_args!("nothing to resume: {path} has no finished trial; starting")),
        0 => {}
        trials => note(format_args!("resumed after {trials} trials")),
    }
    if log.has_deleted_trials() {
        note(format_args!(
            "warning: {path}: deleted an interrupted search and started anew (--resume would have continued it)"
        ));
    }
    Ok(log)
}

/// Returns the settings that all candidates have.
fn options(args: &Args) -> Table {
    let RecipeOptions(mut options) = args.recipe.clone();
    if let Some(vectors) = &args.vectors {
        recipe::set(&mut options, "model", "embeddings", vectors.to_string_lossy().into_owned().into());
    }
    options
}

/// Writes the model directory and the device file of the best candidate, and returns the figures. A candidate that
/// another process or an interrupted search trained is trained again, which gives the same weights.
fn write(
    args: &Args,
    search: &Search<'_>,
    profile: &Profile,
    found: Found,
    device_path: &Path,
) -> anyhow::Result<Value> {
    let Found { best, mut recipe, trained, trials, is_out_of_time, seconds } = found;
    let is_interrupted = search.interrupt.load(Ordering::Relaxed);
    let mut data = tasks::read_data(&mut recipe, !is_interrupted)?;
    let outcome = match trained {
        Some(trained) => trained.complete(&recipe, data.as_mut())?,
        None => fit::train_whole(&recipe, data.as_mut())?,
    };
    let model = data.model(search.name, outcome.weights.clone())?;
    let measured = data.measure(&model)?;
    let train_examples = data.problem().train.len();
    let mut figures = TrainingMetrics::new(&model, measured, train_examples, &outcome, recipe.metric());
    let float_accuracy = figures.json["validation"]["accuracy"].as_f64().unwrap_or(0.0);
    let curve = if is_interrupted || is_out_of_time {
        Vec::new()
    } else {
        note("training with fewer rows, to see whether more would help …");
        learning_curve(&recipe, float_accuracy, Limits { interrupt: search.interrupt, deadline: None })?
    };
    let validation_rows = figures.json["validation"]["examples"].as_u64().unwrap_or(0);
    let interval = wilson(best.accuracy, validation_rows as usize);
    let linear = figures.json.pointer("/baselines/linear_ngrams/accuracy").and_then(Value::as_f64);
    let ngrams_alone = best_of_ngrams_alone(search, &best, &trials);
    let sentences = verdict(best.accuracy, interval, linear, ngrams_alone, &curve);
    let result = json!({
        "model": args.output,
        "device_file": device_path,
        "metric": recipe.metric(),
        "score": best.score,
        "accuracy": best.accuracy,
        "in_integers": best.in_integers,
        "repetitions": best.repetitions,
        "interval": interval,
        "folds": figures.json["validation"]["folds"],
        "file_bytes": best.measured.file_bytes,
        "scratch_bytes": best.measured.scratch_bytes,
        "instructions_per_token": best.measured.instructions_per_token,
        "network": best.network,
        "candidates": args.trials,
        "trials": trials.len(),
        "seconds": seconds,
        "budget": search.budget,
        "mean_steps": profile.mean_steps,
        "linear_accuracy": linear,
        "learning_curve": curve,
        "verdict": sentences,
    });
    figures.json["search"] = reproducible(&result, &trials);
    let log = epoch_log(&outcome.history);
    write_directory(Staged::new(&args.output)?, &args.output, &model, data.as_ref(), &recipe, &figures, &log)?;
    let report = export::write_device_file(&export::Args::new(&args.output, device_path))?;
    figures.lines.iter().for_each(note);
    note_best(&best, report.file_bytes, search.budget.flash);
    sentences.iter().for_each(note);
    note(format_args!("wrote {} and {}", args.output.display(), device_path.display()));
    Ok(result)
}

/// Returns the best trial of an n-gram branch without recurrent layers; `None` if there is none, or if `best`, the best
/// of all trials, has no recurrent layers.
fn best_of_ngrams_alone<'t>(search: &Search<'_>, best: &Trial, trials: &'t [Trial]) -> Option<&'t Trial> {
    // The layers are counted in the recipe, since options may set their number for all candidates.
    let is_ngrams_alone =
        |trial: &Trial| search.recipe(&trial.settings).is_ok_and(|recipe| recipe.model.num_layers == 0);
    if is_ngrams_alone(best) {
        return None;
    }
    let mut best_so_far: Option<&Trial> = None;
    for trial in trials.iter().filter(|trial| is_ngrams_alone(trial)) {
        if best_so_far.is_none_or(|former| trial.is_better_than(former)) {
            best_so_far = Some(trial);
        }
    }
    best_so_far
}

/// Prints a line about the best trial. `file_bytes`: the size of its device file; `flash`: the largest allowed one.
fn note_best(best: &Trial, file_bytes: usize, flash: usize) {
    let mut qualifier = if best.in_integers { " in integers" } else { "" }.to_owned();
    if best.repetitions.len() > 1 {
        let accuracies: Vec<String> = best.repetitions.iter().map(|accuracy| format!("{accuracy:.4}")).collect();
        qualifier += &format!(" (mean of the cross-validations: {})", accuracies.join(", "));
    }
    note(format_args!(
        "accuracy {:.4}{qualifier}, {file_bytes} of {flash} bytes, {} bytes of RAM, {} instructions a token: {}",
        best.accuracy, best.measured.scratch_bytes, best.measured.instructions_per_token, best.network
    ));
}

/// Returns the object `search` of `metrics.json`: the figures and the trials, without paths and times, so that the same
/// search writes the same file on every computer.
fn reproducible(result: &Value, trials: &[Trial]) -> Value {
    let mut search = without(result.clone(), &["model", "device_file", "seconds"]);
    search["trials"] = trials.iter().map(|trial| without(json!(trial), &["seconds"])).collect();
    search
}

/// Returns a JSON object without these keys.
fn without(mut object: Value, keys: &[&str]) -> Value {
    if let Some(fields) = object.as_object_mut() {
        for key in keys {
            fields.remove(*key);
        }
    }
    object
}

/// Returns the content of `log.jsonl` in the model directory: an object for each epoch, without the lines on batches
/// and without the key `best`, which `tern train` writes.
fn epoch_log(history: &[EpochFigures]) -> Vec<u8> {
    let lines: String = history.iter().map(|figures| format!("{}\n", json!(figures))).collect();
    lines.into_bytes()
}

/// Returns a path with `suffix` after its last component.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(suffix);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_follows_the_whole_name() {
        assert_eq!(with_suffix(Path::new("a/b.c"), ".safetensors"), Path::new("a/b.c.safetensors"));
    }
}
