//! Successive halving over the candidates.

use super::candidates::{self, overlay, set};
use super::measured::{Budget, Measured};
use super::profile::Profile;
use super::trials::{Trial, TrialLog};
use crate::architecture::InputLayer;
use crate::device_file::DeviceFile;
use crate::export::{self, Options};
use crate::float_model::FloatModel;
use crate::packing;
use crate::recipe::{Metric, Pooling, Recipe, Task};
use crate::tasks::{self, TaskData};
use crate::train::{self, BatchProgress, Callback, CrossValidation, Outcome, Problem, StopReason, Validation};
use anyhow::bail;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use toml::{Table, Value};

/// A round of the search.
struct Round {
    /// The share of the epochs for which the candidates train.
    epochs: f64,
    /// The number of all candidates is divided by this.
    divisor: usize,
    /// The share of the time after which the next round begins.
    time: f64,
}

const ROUNDS: [Round; 3] = [
    Round { epochs: 0.25, divisor: 1, time: 0.4 },
    Round { epochs: 0.5, divisor: 3, time: 0.65 },
    Round { epochs: 1.0, divisor: 8, time: 0.85 },
];
const LAST_ROUND: usize = ROUNDS.len() - 1;
/// The smallest number of candidates of a round, if there are so many.
const MIN_CANDIDATES: usize = 3;
/// The smallest number of epochs.
const MIN_EPOCHS: usize = 3;
/// The share of the time after which a running training is stopped.
const STOP_TRAINING: f64 = 0.9;
/// Cross-validations with different folds in the last round of a small data set.
const REPETITIONS: u64 = 3;
/// Attempts to fit a candidate into the budget by a smaller vocabulary.
const VOCABULARY_ATTEMPTS: usize = 4;

/// Functions that the search calls.
pub trait Observer {
    /// Called before the training of a candidate: the round, the trial in the round, both from 1, and the number of
    /// trials in the round.
    fn on_start(&mut self, _round: usize, _trial: usize, _trials: usize) {}
    /// Called after each batch with the share of the running training that is done.
    fn on_progress(&mut self, _share: f64) {}
    /// Called after each trial, with the best trial so far and the estimated time of the remaining trials.
    fn on_trial(&mut self, _trial: &Trial, _best: &Trial, _left: Duration) {}
    /// Called for a candidate that cannot be trained or does not fit.
    fn on_skipped(&mut self, _candidate: usize, _reason: &str) {}
}

/// The settings of a search.
pub struct Search<'a> {
    /// The name of the model.
    pub name: &'a str,
    /// The training data.
    pub input: &'a Path,
    /// Settings of the recipe that all candidates have.
    pub options: &'a Table,
    /// The limits of the device file.
    pub budget: Budget,
    /// The number of candidates.
    pub candidates: usize,
    /// The time for the search; `None` without limit.
    pub time: Option<Duration>,
    /// Ends the search after the running batch.
    pub interrupt: &'a AtomicBool,
    /// The trials that are done.
    pub log: TrialLog,
}

/// A trained candidate.
pub struct Trained {
    /// The weights and the history.
    pub outcome: Outcome,
    /// The result of the cross-validation of a small data set.
    pub cross_validation: Option<CrossValidation>,
}

/// The result of a search.
pub struct Found {
    /// The best trial.
    pub best: Trial,
    /// Its recipe.
    pub recipe: Recipe,
    /// The trained model of the best trial; `None` if an earlier process trained it.
    pub trained: Option<Trained>,
    /// All trials, in their order.
    pub trials: Vec<Trial>,
    /// True if the time was over before all trials were done.
    pub is_out_of_time: bool,
    /// The seconds that the search took.
    pub seconds: f64,
}

/// Returns the recipe of a classifier with `settings` laid over the defaults, and `options` over both. Fails if the
/// options do not go together, or name another task.
pub fn recipe(input: &Path, settings: &Table, options: &Table) -> anyhow::Result<Recipe> {
    let mut merged = settings.clone();
    overlay(&mut merged, options);
    // Without recurrent layers there is nothing that reads vectors.
    if let Some(Value::Table(model)) = merged.get_mut("model")
        && model.get("num_layers").and_then(Value::as_integer) == Some(0)
    {
        model.remove("embeddings");
    }
    let task = Task::Classify;
    let recipe = Recipe::with_options(input, task, &merged)?;
    if recipe.task != task {
        bail!(
            "[task] is {}, expected {}: `tern train` trains the models of other tasks",
            recipe.task.name(),
            task.name()
        );
    }
    recipe.check()?;
    Ok(recipe)
}

impl Search<'_> {
    /// Returns the recipe of a candidate. Fails if the options do not go together.
    pub fn recipe(&self, settings: &Table) -> anyhow::Result<Recipe> {
        recipe(self.input, settings, self.options)
    }

    /// Trains the candidates for data with this profile. Fails if no candidate fits the budget or can be trained, or if
    /// the search is interrupted before the first trial is done.
    pub fn run(&self, profile: &Profile, observer: &mut (dyn Observer + Send)) -> anyhow::Result<Found> {
        let seed = self.recipe(&Table::new())?.training.seed;
        let settings = candidates::candidates(profile, &self.budget, self.candidates, seed);
        let mut running: Vec<(usize, Table)> = (1..).zip(settings).collect();
        let mut state = State {
            start: Instant::now(),
            trials: Vec::new(),
            best: None,
            smallest: None,
            is_out_of_time: false,
            work: 0.0,
            seconds: 0.0,
        };
        for (round, Round { divisor, .. }) in ROUNDS.iter().enumerate() {
            running.truncate(self.candidates.div_ceil(*divisor).max(MIN_CANDIDATES));
            let mut done = self.round(round, &running, &mut state, observer)?;
            // A round without trials keeps the order of the one before.
            if !done.is_empty() {
                done.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.loss.total_cmp(&b.loss)));
                running = done.into_iter().map(|trial| (trial.candidate, trial.settings)).collect();
            }
            if state.trials.is_empty() {
                break;
            }
        }
        let State { trials, best, smallest, is_out_of_time, start, .. } = state;
        let Some((best, trained)) = best else {
            match smallest {
                Some((reason, measured)) => bail!(
                    "no candidate fits: {reason}; the smallest needs {} bytes of flash, {} bytes of RAM and {} \
                     instructions a token",
                    measured.file_bytes,
                    measured.scratch_bytes,
                    measured.instructions_per_token
                ),
                None => bail!("interrupted before the first candidate was trained"),
            }
        };
        let mut recipe = self.recipe(&best.settings)?;
        recipe.training.epochs = best.epochs;
        Ok(Found { best, recipe, trained, trials, is_out_of_time, seconds: start.elapsed().as_secs_f64() })
    }

    /// Trains the candidates of a round and returns their trials.
    fn round(
        &self,
        round: usize,
        candidates: &[(usize, Table)],
        state: &mut State,
        observer: &mut (dyn Observer + Send),
    ) -> anyhow::Result<Vec<Trial>> {
        let mut done: Vec<Trial> = Vec::new();
        for (index, (candidate, settings)) in candidates.iter().enumerate() {
            let is_late = self.time.is_some_and(|time| state.start.elapsed() > time.mul_f64(ROUNDS[round].time));
            state.is_out_of_time |= is_late;
            if self.interrupt.load(Ordering::Relaxed) || (is_late && state.best.is_some()) {
                break;
            }
            observer.on_start(round + 1, index + 1, candidates.len());
            match self.trial(*candidate, settings, round, state, observer) {
                Ok((trial, trained)) => {
                    state.add(&trial, trained, ROUNDS[round].epochs);
                    let left = state.time_left(self.candidates, round, candidates.len() - index - 1);
                    let best = state.best.as_ref().map_or(&trial, |(best, _)| best);
                    observer.on_trial(&trial, best, left);
                    done.push(trial);
                }
                Err(Skipped::Unfit(reason, measured)) => {
                    observer.on_skipped(*candidate, &reason);
                    let smallest = state.smallest.as_ref().map_or(usize::MAX, |(_, smallest)| smallest.file_bytes);
                    if measured.file_bytes < smallest {
                        state.smallest = Some((reason, measured));
                    }
                }
                Err(Skipped::Interrupted) => break,
                Err(Skipped::Failed(error)) if state.trials.is_empty() && index + 1 == candidates.len() => {
                    return Err(error);
                }
                Err(Skipped::Failed(error)) => observer.on_skipped(*candidate, &format!("{error:#}")),
            }
        }
        Ok(done)
    }

    /// Trains a candidate and measures it: in the last round its device file, before it the float model.
    fn trial(
        &self,
        candidate: usize,
        settings: &Table,
        round: usize,
        state: &State,
        observer: &mut (dyn Observer + Send),
    ) -> Result<(Trial, Option<Trained>), Skipped> {
        let epochs = self.recipe(settings)?.training.epochs;
        let epochs = ((epochs as f64 * ROUNDS[round].epochs).ceil() as usize).max(MIN_EPOCHS.min(epochs));
        if let Some(trial) = self.log.find(candidate, epochs) {
            return Ok((trial.clone(), None));
        }
        let start = Instant::now();
        let (settings, mut recipe, mut data, measured) = self.fitting(settings)?;
        recipe.training.epochs = epochs;
        let is_last = round == LAST_ROUND;
        let is_first_trial = state.best.is_none();
        let deadline = self.time.map(|time| state.start + time.mul_f64(STOP_TRAINING));
        let trained = self.train(&recipe, data.as_mut(), deadline, is_last, observer)?;
        let is_cut_short = trained.outcome.stop_reason == StopReason::Interrupted;
        if is_cut_short && !is_first_trial {
            return Err(Skipped::Interrupted);
        }
        let metric = recipe.metric();
        let figures = match &trained.cross_validation {
            Some(found) => found.history.get(found.best_epoch - 1),
            None => trained.outcome.history.get(trained.outcome.best_epoch - 1).map(|figures| &figures.valid),
        };
        let figures = figures.copied().unwrap_or_default();
        let macro_f1 = metric == Metric::MacroF1;
        let score_of = |accuracy: Option<f64>, f1: Option<f64>| if macro_f1 { f1 } else { accuracy }.unwrap_or(0.0);
        let mut trial = Trial {
            candidate,
            settings,
            network: describe(&recipe, data.problem()),
            epochs,
            is_final: is_last,
            score: score_of(figures.accuracy, figures.macro_f1),
            loss: figures.loss,
            accuracy: figures.accuracy.unwrap_or(0.0),
            in_integers: false,
            measured,
            seconds: 0.0,
        };
        if is_last && trained.cross_validation.is_some() {
            let repeated = self.repeated_cross_validation(&recipe)?;
            let count = (repeated.len() + 1) as f64;
            let mean = |first: f64, value: &dyn Fn(&Validation) -> f64| {
                (first + repeated.iter().map(value).sum::<f64>()) / count
            };
            trial.score = mean(trial.score, &|figures| score_of(figures.accuracy, figures.macro_f1));
            trial.accuracy = mean(trial.accuracy, &|figures| figures.accuracy.unwrap_or(0.0));
            trial.loss = mean(trial.loss, &|figures| figures.loss);
        } else if is_last {
            let model = data.model(self.name, trained.outcome.weights.clone())?;
            let device = device_file(&recipe, data.as_ref(), &model)?;
            trial.measured = Measured::new(&device);
            if let Some(evaluation) = data.evaluate(&device)? {
                trial.score = if macro_f1 { evaluation.macro_f1() } else { evaluation.accuracy() };
                trial.accuracy = evaluation.accuracy();
                trial.loss = evaluation.loss();
                trial.in_integers = true;
            }
            if let Some(reason) = trial.measured.excess(&self.budget) {
                return Err(Skipped::Unfit(reason, trial.measured));
            }
        }
        trial.seconds = start.elapsed().as_secs_f64();
        if !is_cut_short {
            self.log.add(&trial)?;
        }
        Ok((trial, Some(trained)))
    }

    /// Reads the data of a candidate, and measures the device file of its untrained network, whose costs are those of
    /// the trained one. If the file is too large, the vocabulary is made smaller.
    fn fitting(&self, settings: &Table) -> Result<(Table, Recipe, Box<dyn TaskData>, Measured), Skipped> {
        let mut settings = settings.clone();
        for attempt in 1.. {
            let mut recipe = self.recipe(&settings)?;
            let data = tasks::read_data(&mut recipe, false)?;
            let model = data.model(self.name, train::initial_weights(&recipe, data.problem()))?;
            let device = device_file(&recipe, data.as_ref(), &model)?;
            let measured = Measured::new(&device);
            let Some(reason) = measured.excess(&self.budget) else { return Ok((settings, recipe, data, measured)) };
            let parts = device.bytes_by_content();
            let tokens = model.vocabulary().len();
            let bytes_per_token = (parts.embedding + parts.vocabulary) / tokens.max(1);
            let excess = measured.file_bytes.saturating_sub(self.budget.flash);
            let fewer = tokens.saturating_sub(excess / bytes_per_token.max(1) + 8);
            let is_vocabulary = data.problem().architecture.is_recurrent() && bytes_per_token > 0 && excess > 0;
            if !is_vocabulary || fewer < candidates::MIN_VOCABULARY || attempt == VOCABULARY_ATTEMPTS {
                return Err(Skipped::Unfit(reason, measured));
            }
            set(&mut settings, "vocabulary", "max_size", Value::Integer(fewer as i64));
        }
        unreachable!("the last attempt returns")
    }

    /// Trains a network; on a small data set, one for each fold, and for the last round one on all rows.
    fn train(
        &self,
        recipe: &Recipe,
        data: &mut dyn TaskData,
        deadline: Option<Instant>,
        is_last: bool,
        observer: &mut (dyn Observer + Send),
    ) -> Result<Trained, Skipped> {
        let mut cross_validation = None;
        if !data.problem().folds.is_empty() {
            let folds = data.problem().fold_count() + usize::from(is_last);
            let found = train::cross_validate(recipe, data.problem(), self.interrupt, |fold, _| {
                observer.on_progress(fold as f64 / folds as f64);
            })?;
            cross_validation = Some(found.ok_or(Skipped::Interrupted)?);
            data.set_cross_validation(cross_validation.clone());
        }
        let stop = AtomicBool::new(false);
        let epochs = cross_validation.as_ref().map_or(recipe.training.epochs, |found| found.best_epoch);
        let is_cross_validated = cross_validation.is_some();
        let mut callback =
            Stopper { interrupt: self.interrupt, stop: &stop, deadline, observer, epochs, is_cross_validated };
        let outcome = train::run(recipe, data.problem(), &mut callback, &stop)?;
        Ok(Trained { outcome, cross_validation })
    }

    /// The figures of further cross-validations, with other folds and other initial weights.
    fn repeated_cross_validation(&self, recipe: &Recipe) -> Result<Vec<Validation>, Skipped> {
        let mut figures = Vec::new();
        for repetition in 1..REPETITIONS {
            let mut recipe = recipe.clone();
            recipe.training.seed += repetition;
            let data = tasks::read_data(&mut recipe, false)?;
            let found = train::cross_validate(&recipe, data.problem(), self.interrupt, |_, _| {})?;
            let found = found.ok_or(Skipped::Interrupted)?;
            figures.push(found.history[found.best_epoch - 1]);
        }
        Ok(figures)
    }
}

/// Describes the network of a candidate in few words, such as `n-grams 4096×2, LSTM 16×2 mean-max, 900 tokens`.
fn describe(recipe: &Recipe, problem: &Problem) -> String {
    let model = &recipe.model;
    let mut parts = Vec::new();
    if let Some(table) = problem.architecture.ngrams {
        parts.push(format!("n-grams {}×{}", table.buckets, table.rank));
    }
    if problem.architecture.is_recurrent() {
        let layers = if model.num_layers == 1 { String::new() } else { format!("{} × ", model.num_layers) };
        let directions = if model.bidirectional { "×2" } else { "" };
        let pooling = match model.pooling {
            Pooling::Last => String::new(),
            pooling => format!(" {}", pooling.name()),
        };
        let cell = model.cell.name().to_uppercase();
        parts.push(format!("{layers}{cell} {}{directions}{pooling}", model.hidden_size));
        if let InputLayer::Embedding { vocab_size, embedding_dim } = problem.architecture.input {
            let bits = if recipe.export.embedding_bits == 4 { ", 4 bits" } else { "" };
            parts.push(format!("{vocab_size} tokens × {embedding_dim}{bits}"));
        }
    }
    parts.join(", ")
}

/// Quantises the model of a candidate.
fn device_file(recipe: &Recipe, data: &dyn TaskData, model: &FloatModel) -> anyhow::Result<DeviceFile> {
    let widths = recipe.export.widths();
    let packing = packing::choose(None, model.config(), widths.recurrent)?;
    Ok(export::device_file(model, &data.calibration_sequences(), Options { packing, widths, fold: 0 })?)
}

/// Why a candidate has no trial.
enum Skipped {
    /// Its device file exceeds the budget.
    Unfit(String, Measured),
    /// The user or the time limit ended its training.
    Interrupted,
    /// Its recipe is refused, its data cannot be read, or its training diverged.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Skipped {
    fn from(error: E) -> Self {
        Skipped::Failed(error.into())
    }
}

/// The state of a search.
struct State {
    start: Instant,
    trials: Vec<Trial>,
    /// The best trial, and the model if this process trained it.
    best: Option<(Trial, Option<Trained>)>,
    /// The smallest device file that exceeds the budget, and the reason.
    smallest: Option<(String, Measured)>,
    is_out_of_time: bool,
    /// The sum of the shares of the epochs of all trials, and their seconds.
    work: f64,
    seconds: f64,
}

impl State {
    fn add(&mut self, trial: &Trial, trained: Option<Trained>, epochs: f64) {
        self.work += epochs;
        self.seconds += trial.seconds;
        self.trials.push(trial.clone());
        if self.best.as_ref().is_none_or(|(best, _)| trial.is_better_than(best)) {
            self.best = Some((trial.clone(), trained));
        }
    }

    /// Estimates the time for `left` more trials of a round and for all later rounds.
    fn time_left(&self, candidates: usize, round: usize, left: usize) -> Duration {
        let later = ROUNDS[round + 1..].iter().map(|round| {
            let count = candidates.div_ceil(round.divisor).max(MIN_CANDIDATES).min(candidates);
            round.epochs * count as f64
        });
        let work = ROUNDS[round].epochs * left as f64 + later.sum::<f64>();
        Duration::from_secs_f64(self.seconds / self.work.max(1e-9) * work)
    }
}

/// The callback that ends a training on an interrupt and at the deadline.
struct Stopper<'a> {
    interrupt: &'a AtomicBool,
    stop: &'a AtomicBool,
    deadline: Option<Instant>,
    observer: &'a mut (dyn Observer + Send),
    epochs: usize,
    is_cross_validated: bool,
}

impl Callback for Stopper<'_> {
    fn on_batch(&mut self, progress: &BatchProgress) {
        let is_late = self.deadline.is_some_and(|deadline| Instant::now() > deadline);
        if is_late || self.interrupt.load(Ordering::Relaxed) {
            self.stop.store(true, Ordering::Relaxed);
        }
        if !self.is_cross_validated {
            let epochs_done = (progress.epoch - 1) as f64 + progress.batch as f64 / progress.batches as f64;
            self.observer.on_progress(epochs_done / self.epochs as f64);
        }
    }
}
