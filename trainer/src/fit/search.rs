//! Runs the search of `tern fit`: trains the candidates, which are settings of a recipe, by successive halving, in
//! rounds of fewer candidates and more epochs. One training of a candidate is a [`Trial`].

use super::candidates::candidates;
use super::fitting::{self, Excess, Fitted};
use super::fold_integers::validate_in_integers;
use super::measured::{Budget, Measured};
use super::profile::Profile;
use super::queue::{self, Attempt, Job, Queue, QueuedRound};
use super::rounds::{LAST_ROUND, ROUNDS, State};
use super::training::{Limits, Trained, train};
use super::trials::{Trial, TrialLog};
use crate::distributed::Processes;
use crate::recipe::{Metric, Recipe};
use crate::tasks::{self, TaskData};
use crate::train::{CrossValidation, Validation};
use anyhow::bail;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use toml::Table;

/// The smallest number of epochs of a training, unless the recipe has fewer.
const MIN_EPOCHS: usize = 3;
/// The share of the time for the search after which running trainings are stopped.
const STOP_TRAINING: f64 = 0.9;
/// The number of cross-validations with different folds for each candidate in the last round of a small data set.
const REPETITIONS: u64 = 3;

/// Functions that the search calls in the process of rank 0, for example to show the progress.
pub trait Observer {
    /// Called before the training of a candidate: the round, the trial in the round, both from 1, and the number of
    /// trials in the round.
    fn on_start(&mut self, _round: usize, _trial: usize, _trials: usize) {}
    /// Called with the share of the training in this process that is done: after each batch or, in a cross-validation,
    /// after each fold.
    fn on_progress(&mut self, _share: f64) {}
    /// Called after each trial and for each trial in the log, with the best of these trials and the estimated time
    /// until the end of the search.
    fn on_trial(&mut self, _trial: &Trial, _best: &Trial, _time_left: Duration) {}
    /// Called for a candidate, by its number from 1, that cannot be trained or exceeds the budget.
    fn on_skipped(&mut self, _candidate: usize, _reason: &str) {}
}

/// The settings of a search.
pub struct Search<'a> {
    /// The name of the model.
    pub name: &'a str,
    /// The path of the training data.
    pub input: &'a Path,
    /// Settings of the recipe that all candidates have.
    pub options: &'a Table,
    /// The limits of the device file.
    pub budget: Budget,
    /// The largest number of candidates.
    pub candidates: usize,
    /// The time for the search; `None` without limit.
    pub time: Option<Duration>,
    /// Becomes true to end the search after the running batch.
    pub interrupt: &'a AtomicBool,
    /// The processes that share the candidates.
    pub processes: &'a dyn Processes,
    /// The time after which a process that sends nothing counts as dead.
    pub rank_timeout: Duration,
    /// The log to which trials are added. Its trials of an earlier search are not repeated.
    pub log: TrialLog,
}

/// The result of a search.
pub struct Found {
    /// The best trial.
    pub best: Trial,
    /// The recipe of the best trial.
    pub recipe: Recipe,
    /// The trained model of the best trial; `None` if another process or an earlier search trained it.
    pub trained: Option<Trained>,
    /// All trials, by round and then in the order of the candidates in the round.
    pub trials: Vec<Trial>,
    /// True if the time was over before all trials were done.
    pub is_out_of_time: bool,
    /// The seconds that the search took.
    pub seconds: f64,
}

impl Search<'_> {
    /// Returns the recipe of the candidate with these settings. Fails if the settings do not go together.
    pub fn recipe(&self, settings: &Table) -> anyhow::Result<Recipe> {
        fitting::recipe(self.input, settings, self.options)
    }

    /// Runs the search for data with this profile. Fails if no candidate fits the budget or can be trained, or if the
    /// search is interrupted before the first trial is done. A process of another rank than 0 trains the candidates
    /// that rank 0 sends, and returns `None`; it fails if rank 0 is silent for longer than `rank_timeout`.
    pub fn run(&self, profile: &Profile, observer: &mut (dyn Observer + Send)) -> anyhow::Result<Option<Found>> {
        if self.processes.rank() > 0 {
            let train = |job: &Job, on_progress: &mut (dyn FnMut(f64) + Send)| self.trial(job, on_progress);
            return queue::work(self.processes, self.rank_timeout, &train, self.interrupt).map(|()| None);
        }
        let mut queue = Queue::new(self.processes, self.rank_timeout);
        let found = self.coordinate(profile, &mut queue, observer);
        queue.end();
        found.map(Some)
    }

    /// Runs all rounds in the process of rank 0.
    fn coordinate(
        &self,
        profile: &Profile,
        queue: &mut Queue<'_>,
        observer: &mut (dyn Observer + Send),
    ) -> anyhow::Result<Found> {
        let seed = self.recipe(&Table::new())?.training.seed;
        let settings = candidates(profile, &self.budget, self.candidates, seed);
        // The number, from 1, and the settings of each candidate of the next round.
        let mut selected: Vec<(usize, Table)> = (1..).zip(settings).collect();
        let mut state = State::new();
        for (index, round) in ROUNDS.iter().enumerate() {
            selected.truncate(round.size(self.candidates));
            let mut round_trials = self.run_round(index, &selected, queue, &mut state, observer)?;
            // If a round has no trials, for lack of time, the next one takes the candidates in the former order.
            if !round_trials.is_empty() {
                round_trials.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.loss.total_cmp(&b.loss)));
                selected = round_trials.into_iter().map(|trial| (trial.candidate, trial.settings)).collect();
            }
            // No candidate could be trained, or the search was interrupted.
            if state.trials.is_empty() {
                break;
            }
        }
        let State { trials, best, smallest, is_out_of_time, start, .. } = state;
        let Some((best, trained)) = best else {
            match smallest {
                Some(Excess { reason, measured }) => bail!(
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
        recipe.training.epochs = Some(best.epochs);
        Ok(Found { best, recipe, trained, trials, is_out_of_time, seconds: start.elapsed().as_secs_f64() })
    }

    /// Trains the `candidates`, numbers from 1 and settings, of the round with the index `round`, and returns their
    /// trials in the order of the candidates. Trials in the log are not repeated. Fails with the last error of a
    /// candidate if the search has no trial yet.
    fn run_round(
        &self,
        round: usize,
        candidates: &[(usize, Table)],
        queue: &mut Queue<'_>,
        state: &mut State,
        observer: &mut (dyn Observer + Send),
    ) -> anyhow::Result<Vec<Trial>> {
        let (earlier_trials, workers) = (state.trials.len(), queue.size());
        let mut running = RunningRound {
            search: self,
            round,
            candidates,
            workers,
            state,
            observer,
            trials: BTreeMap::new(),
            error: None,
        };
        // The indices of the candidates without a trial in the log.
        let mut remaining = Vec::new();
        for (index, (candidate, _)) in candidates.iter().enumerate() {
            match self.log.find(*candidate, round + 1) {
                Some(trial) => running.add(index, trial.clone(), None),
                None => remaining.push(index),
            }
        }
        let train = |job: &Job, on_progress: &mut (dyn FnMut(f64) + Send)| self.trial(job, on_progress);
        queue.run(&remaining, &mut running, &train, self.interrupt)?;
        let RunningRound { trials, error, .. } = running;
        if let Some(error) = error
            && state.trials.is_empty()
        {
            return Err(error);
        }
        let trials: Vec<Trial> = trials.into_values().collect();
        // Trials end in any order; in the result they have the order of the candidates.
        state.trials.truncate(earlier_trials);
        state.trials.extend_from_slice(&trials);
        Ok(trials)
    }

    /// Trains the candidate of a job and measures it on the validation rows: the float model in the first round, the
    /// device file in later rounds. A cross-validation measures device files in the last round only.
    fn trial(&self, job: &Job, on_progress: &mut (dyn FnMut(f64) + Send)) -> anyhow::Result<Attempt> {
        let Job { round, candidate, ref settings, seconds_left, is_first, .. } = *job;
        let start = Instant::now();
        let is_final = round == LAST_ROUND;
        let all_epochs = self.recipe(settings)?.epochs();
        let round_epochs = (all_epochs as f64 * ROUNDS[round].epoch_share).ceil() as usize;
        let epochs = round_epochs.max(MIN_EPOCHS.min(all_epochs));
        let Fitted { settings, mut recipe, mut data, mut measured } =
            match fitting::fit(self.name, settings, &self.budget, |settings| self.recipe(settings))? {
                Ok(fitted) => fitted,
                Err(excess) => return Ok(Attempt::Unfit(excess)),
            };
        recipe.training.epochs = Some(epochs);
        let deadline = seconds_left.map(|seconds| start + Duration::from_secs_f64(seconds));
        let limits = Limits { interrupt: self.interrupt, deadline };
        let trained = train(&recipe, data.problem(), limits, on_progress)?;
        let Some(trained) = trained else { return Ok(Attempt::Interrupted) };
        let is_complete = !trained.is_cut_short();
        // The first trial counts even if it is incomplete, so that a search always finds a model.
        if !is_complete && !is_first {
            return Ok(Attempt::Interrupted);
        }
        let network = fitting::describe(&recipe, data.problem());

        // The validation figures of the float model, or of its device file. Several for a repeated cross-validation.
        let mut figures = vec![trained.best()];
        let mut in_integers = false;
        let mut repetitions = Vec::new();
        match &trained {
            Trained::Folds(found) if is_final => {
                let Some(repeated) = self.repetitions(&recipe, data.as_mut(), found)? else {
                    return Ok(Attempt::Interrupted);
                };
                repetitions = repeated.iter().filter_map(|figures| figures.accuracy).collect();
                figures = repeated;
                in_integers = true;
            }
            Trained::Network(outcome) if round > 0 => {
                let model = data.model(self.name, outcome.weights.clone())?;
                let device = fitting::device_file(&recipe, data.as_ref(), &model)?;
                measured = Measured::new(&device);
                if let Some(reason) = measured.excess(&self.budget) {
                    return Ok(Attempt::Unfit(Excess { reason, measured }));
                }
                if let Some(evaluation) = data.evaluate(&device)? {
                    figures = vec![Validation::of_classes(&evaluation)];
                    in_integers = true;
                }
            }
            Trained::Folds(_) | Trained::Network(_) => {}
        }

        let mean = |figure: fn(&Validation) -> f64| figures.iter().map(figure).sum::<f64>() / figures.len() as f64;
        // The figures of a classifier always have an accuracy and a macro F1.
        let accuracy = mean(|figures| figures.accuracy.unwrap_or(0.0));
        let score = match recipe.metric() {
            Metric::MacroF1 => mean(|figures| figures.macro_f1.unwrap_or(0.0)),
            Metric::Accuracy | Metric::Loss => accuracy,
        };
        let trial = Trial {
            candidate,
            settings,
            network,
            epochs,
            round: round + 1,
            score,
            loss: mean(|figures| figures.loss),
            accuracy,
            in_integers,
            repetitions,
            measured,
            seconds: start.elapsed().as_secs_f64(),
        };
        Ok(Attempt::Done { trial: Box::new(trial), trained: Some(trained), is_complete })
    }

    /// Returns the figures in integers of the cross-validation `found` and of [`REPETITIONS`] - 1 further ones, with
    /// other folds and other initial weights; `None` if one is interrupted. Stores `found` in `data`.
    fn repetitions(
        &self,
        recipe: &Recipe,
        data: &mut dyn TaskData,
        found: &CrossValidation,
    ) -> anyhow::Result<Option<Vec<Validation>>> {
        let limits = Limits { interrupt: self.interrupt, deadline: None };
        let in_integers = |recipe: &Recipe, data: &mut dyn TaskData, found: &CrossValidation| {
            data.set_cross_validation(Some(found.clone()));
            validate_in_integers(self.name, recipe, data, found, self.interrupt)
        };
        let Some(first) = in_integers(recipe, data, found)? else { return Ok(None) };
        let mut figures = vec![first];
        for repetition in 1..REPETITIONS {
            let mut recipe = recipe.clone();
            recipe.data.split_seed = Some(recipe.split_seed() + repetition);
            recipe.training.seed += repetition;
            let with_baselines = false;
            let mut data = tasks::read_data(&mut recipe, with_baselines)?;
            let trained = train(&recipe, data.problem(), limits, &mut |_| {})?;
            let Some(Trained::Folds(found)) = trained else { return Ok(None) };
            let Some(repeated) = in_integers(&recipe, data.as_mut(), &found)? else { return Ok(None) };
            figures.push(repeated);
        }
        Ok(Some(figures))
    }
}

/// A round while its candidates are trained.
struct RunningRound<'r> {
    search: &'r Search<'r>,
    /// The number of the round, from 0.
    round: usize,
    /// The number, from 1, and the settings of each candidate of the round.
    candidates: &'r [(usize, Table)],
    /// The number of processes that train.
    workers: usize,
    state: &'r mut State,
    observer: &'r mut (dyn Observer + Send),
    /// The trials that are done, by the index of their candidate in the round.
    trials: BTreeMap<usize, Trial>,
    /// The last error of a candidate: the recipe is refused, the data cannot be read, or the training diverged.
    error: Option<anyhow::Error>,
}

impl RunningRound<'_> {
    /// Adds the trial of the candidate whose index in the round is `index`, and reports it to the observer.
    fn add(&mut self, index: usize, trial: Trial, trained: Option<Trained>) {
        self.state.add(&trial, trained, ROUNDS[self.round].epoch_share);
        self.trials.insert(index, trial.clone());
        let trials_left = self.candidates.len().saturating_sub(self.trials.len());
        let time_of_one_process = self.state.time_left(self.search.candidates, self.round, trials_left);
        let best = self.state.best.as_ref().map_or(&trial, |(best, _)| best);
        self.observer.on_trial(&trial, best, time_of_one_process / self.workers.max(1) as u32);
    }
}

impl QueuedRound for RunningRound<'_> {
    fn job(&mut self, index: usize) -> Option<Job> {
        let RunningRound { search, round, candidates, state, .. } = self;
        let is_late = search.time.is_some_and(|time| state.start.elapsed() > time.mul_f64(ROUNDS[*round].time_share));
        state.is_out_of_time |= is_late;
        // The first trial begins however late it is, so that the search finds a model.
        if search.interrupt.load(Ordering::Relaxed) || (is_late && state.best.is_some()) {
            return None;
        }
        self.observer.on_start(*round + 1, index + 1, candidates.len());
        let (candidate, settings) = candidates[index].clone();
        let time_left = search.time.map(|time| time.mul_f64(STOP_TRAINING).saturating_sub(state.start.elapsed()));
        Some(Job {
            index,
            round: *round,
            candidate,
            settings,
            seconds_left: time_left.map(|left| left.as_secs_f64()),
            is_first: state.best.is_none(),
        })
    }

    fn on_progress(&mut self, share: f64) {
        self.observer.on_progress(share);
    }

    fn on_result(&mut self, index: usize, result: anyhow::Result<Attempt>) -> anyhow::Result<()> {
        let (candidate, _) = self.candidates[index];
        match result {
            Ok(Attempt::Done { trial, trained, is_complete }) => {
                if is_complete {
                    self.search.log.add(&trial)?;
                }
                self.add(index, *trial, trained);
            }
            Ok(Attempt::Unfit(excess)) => {
                self.observer.on_skipped(candidate, &excess.reason);
                let bytes = |excess: &Excess| excess.measured.file_bytes;
                if self.state.smallest.as_ref().is_none_or(|smallest| bytes(&excess) < bytes(smallest)) {
                    self.state.smallest = Some(excess);
                }
            }
            Ok(Attempt::Interrupted) => {}
            Err(error) => {
                // The error of a round's only candidate is not shown here: `run_round` returns it if there is no trial.
                if self.candidates.len() > 1 {
                    self.observer.on_skipped(candidate, &format!("{error:#}"));
                }
                self.error = Some(error);
            }
        }
        Ok(())
    }
}
