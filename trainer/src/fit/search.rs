//! Successive halving over the candidates.

use super::candidates::candidates;
use super::fitting::{self, Excess, Fitted};
use super::fold_integers::validate_in_integers;
use super::measured::{Budget, Measured};
use super::profile::Profile;
use super::training::{Limits, Trained, train};
use super::trials::{Trial, TrialLog};
use crate::recipe::{Metric, Recipe};
use crate::tasks::{self, TaskData};
use crate::train::{CrossValidation, Validation};
use anyhow::bail;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use toml::Table;

/// A round of the search.
struct Round {
    /// The share of the epochs for which the candidates train.
    epochs: f64,
    /// The number of all candidates is divided by this.
    divisor: usize,
    /// The share of the time after which the next round begins.
    time: f64,
}

impl Round {
    /// Returns the number of candidates of the round, if the first one has `candidates`.
    fn size(&self, candidates: usize) -> usize {
        candidates.div_ceil(self.divisor).max(MIN_CANDIDATES).min(candidates)
    }
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

impl Search<'_> {
    /// Returns the recipe of a candidate. Fails if the options do not go together.
    pub fn recipe(&self, settings: &Table) -> anyhow::Result<Recipe> {
        fitting::recipe(self.input, settings, self.options)
    }

    /// Trains the candidates for data with this profile. Fails if no candidate fits the budget or can be trained, or if
    /// the search is interrupted before the first trial is done.
    pub fn run(&self, profile: &Profile, observer: &mut (dyn Observer + Send)) -> anyhow::Result<Found> {
        let seed = self.recipe(&Table::new())?.training.seed;
        let settings = candidates(profile, &self.budget, self.candidates, seed);
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
        for (index, round) in ROUNDS.iter().enumerate() {
            running.truncate(round.size(self.candidates));
            let mut done = self.round(index, &running, &mut state, observer)?;
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
                Ok(Attempt::Done(trial, trained)) => {
                    state.add(&trial, trained, ROUNDS[round].epochs);
                    let left = state.time_left(self.candidates, round, candidates.len() - index - 1);
                    let best = state.best.as_ref().map_or(&trial, |(best, _)| best);
                    observer.on_trial(&trial, best, left);
                    done.push(trial);
                }
                Ok(Attempt::Unfit(excess)) => {
                    observer.on_skipped(*candidate, &excess.reason);
                    let bytes = |excess: &Excess| excess.measured.file_bytes;
                    if state.smallest.as_ref().is_none_or(|smallest| bytes(&excess) < bytes(smallest)) {
                        state.smallest = Some(excess);
                    }
                }
                Ok(Attempt::Interrupted) => break,
                // The recipe is refused, the data cannot be read, or the training diverged.
                Err(error) if state.trials.is_empty() && index + 1 == candidates.len() => return Err(error),
                Err(error) => observer.on_skipped(*candidate, &format!("{error:#}")),
            }
        }
        Ok(done)
    }

    /// Trains a candidate and measures it: in the first round the float model, later its device file. A
    /// cross-validation measures device files in the last round only.
    fn trial(
        &self,
        candidate: usize,
        settings: &Table,
        round: usize,
        state: &State,
        observer: &mut (dyn Observer + Send),
    ) -> anyhow::Result<Attempt> {
        let is_final = round == LAST_ROUND;
        let epochs = self.recipe(settings)?.epochs();
        let epochs = ((epochs as f64 * ROUNDS[round].epochs).ceil() as usize).max(MIN_EPOCHS.min(epochs));
        if let Some(trial) = self.log.find(candidate, round + 1) {
            return Ok(Attempt::Done(trial.clone(), None));
        }
        let start = Instant::now();
        let Fitted { settings, mut recipe, mut data, measured } =
            match fitting::fit(self.name, settings, &self.budget, |settings| self.recipe(settings))? {
                Ok(fitted) => fitted,
                Err(excess) => return Ok(Attempt::Unfit(excess)),
            };
        recipe.training.epochs = Some(epochs);
        let deadline = self.time.map(|time| state.start + time.mul_f64(STOP_TRAINING));
        let limits = Limits { interrupt: self.interrupt, deadline };
        let trained = train(&recipe, data.problem(), limits, &mut |share| observer.on_progress(share))?;
        let Some(trained) = trained else { return Ok(Attempt::Interrupted) };
        // An incomplete first trial is better than none.
        if trained.is_cut_short() && state.best.is_some() {
            return Ok(Attempt::Interrupted);
        }
        let mut trial = Trial {
            candidate,
            settings,
            network: fitting::describe(&recipe, data.problem()),
            epochs,
            round: round + 1,
            score: 0.0,
            loss: 0.0,
            accuracy: 0.0,
            in_integers: false,
            repetitions: Vec::new(),
            measured,
            seconds: 0.0,
        };
        let mut figures = vec![trained.best()];
        match &trained {
            Trained::Folds(found) if is_final => {
                let Some(repeated) = self.repetitions(&recipe, data.as_mut(), found)? else {
                    return Ok(Attempt::Interrupted);
                };
                trial.repetitions = repeated.iter().filter_map(|figures| figures.accuracy).collect();
                figures = repeated;
                trial.in_integers = true;
            }
            Trained::Network(outcome) if round > 0 => {
                let model = data.model(self.name, outcome.weights.clone())?;
                let device = fitting::device_file(&recipe, data.as_ref(), &model)?;
                trial.measured = Measured::new(&device);
                if let Some(reason) = trial.measured.excess(&self.budget) {
                    return Ok(Attempt::Unfit(Excess { reason, measured: trial.measured }));
                }
                if let Some(evaluation) = data.evaluate(&device)? {
                    figures = vec![Validation::of_classes(&evaluation)];
                    trial.in_integers = true;
                }
            }
            _ => {}
        }
        let mean = |value: &dyn Fn(&Validation) -> f64| figures.iter().map(value).sum::<f64>() / figures.len() as f64;
        trial.loss = mean(&|figures| figures.loss);
        trial.accuracy = mean(&|figures| figures.accuracy.unwrap_or(0.0));
        trial.score = match recipe.metric() {
            Metric::MacroF1 => mean(&|figures| figures.macro_f1.unwrap_or(0.0)),
            Metric::Accuracy | Metric::Loss => trial.accuracy,
        };
        trial.seconds = start.elapsed().as_secs_f64();
        if !trained.is_cut_short() {
            self.log.add(&trial)?;
        }
        Ok(Attempt::Done(trial, Some(trained)))
    }

    /// Returns the figures in integers of the cross-validation `found` and of further ones, with other folds and other
    /// initial weights; `None` if they are interrupted. `data` gets the result of the first one.
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
            let mut data = tasks::read_data(&mut recipe, false)?;
            let trained = train(&recipe, data.problem(), limits, &mut |_| {})?;
            let Some(Trained::Folds(found)) = trained else { return Ok(None) };
            let Some(repeated) = in_integers(&recipe, data.as_mut(), &found)? else { return Ok(None) };
            figures.push(repeated);
        }
        Ok(Some(figures))
    }
}

/// The result of trying a candidate.
enum Attempt {
    /// It is trained, by this process if the model is there.
    Done(Trial, Option<Trained>),
    /// Its device file exceeds the budget.
    Unfit(Excess),
    /// The user or the time limit ended its training.
    Interrupted,
}

/// The state of a search.
struct State {
    start: Instant,
    trials: Vec<Trial>,
    /// The best trial, and the model if this process trained it.
    best: Option<(Trial, Option<Trained>)>,
    /// The smallest device file that exceeds the budget.
    smallest: Option<Excess>,
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
        let later = ROUNDS[round + 1..].iter().map(|round| round.epochs * round.size(candidates) as f64);
        let work = ROUNDS[round].epochs * left as f64 + later.sum::<f64>();
        Duration::from_secs_f64(self.seconds / self.work.max(1e-9) * work)
    }
}
