//! The rounds of a search, and the state of a search that runs through them.

use super::fitting::Excess;
use super::training::Trained;
use super::trials::Trial;
use std::time::{Duration, Instant};

/// A round of the search.
pub(super) struct Round {
    /// The share of the epochs for which the candidates train.
    pub epochs: f64,
    /// The first round's number of candidates is divided by this.
    divisor: usize,
    /// The share of the time for the search after which no further training of this round begins.
    pub time: f64,
}

impl Round {
    /// Returns the number of candidates of this round if the first round has `candidates`.
    pub fn size(&self, candidates: usize) -> usize {
        candidates.div_ceil(self.divisor).max(MIN_CANDIDATES).min(candidates)
    }
}

/// The rounds, in their order.
pub(super) const ROUNDS: [Round; 3] = [
    Round { epochs: 0.25, divisor: 1, time: 0.4 },
    Round { epochs: 0.5, divisor: 3, time: 0.65 },
    Round { epochs: 1.0, divisor: 8, time: 0.85 },
];
/// The index of the last round.
pub(super) const LAST_ROUND: usize = ROUNDS.len() - 1;
/// The smallest number of candidates of a round, unless the search has fewer.
const MIN_CANDIDATES: usize = 3;

/// The state of a search.
pub(super) struct State {
    pub start: Instant,
    pub trials: Vec<Trial>,
    /// The best trial, and the model if this process trained it.
    pub best: Option<(Trial, Option<Trained>)>,
    /// The smallest device file that exceeds the budget.
    pub smallest: Option<Excess>,
    pub is_out_of_time: bool,
    /// The sum over all trials of the share of the epochs for which they trained: [`Round::epochs`].
    work: f64,
    /// The sum over all trials of their seconds.
    seconds: f64,
}

impl State {
    /// Returns the state of a search that begins now.
    pub fn new() -> Self {
        State {
            start: Instant::now(),
            trials: Vec::new(),
            best: None,
            smallest: None,
            is_out_of_time: false,
            work: 0.0,
            seconds: 0.0,
        }
    }

    /// Adds a trial of a round whose candidates train for the share `epochs` of the epochs.
    pub fn add(&mut self, trial: &Trial, trained: Option<Trained>, epochs: f64) {
        self.work += epochs;
        self.seconds += trial.seconds;
        self.trials.push(trial.clone());
        // Of equal trials in a round, that of the first candidate is the best, whichever ended first.
        let is_best = |best: &Trial| {
            trial.is_better_than(best)
                || (trial.round, trial.candidate) < (best.round, best.candidate) && !best.is_better_than(trial)
        };
        if self.best.as_ref().is_none_or(|(best, _)| is_best(best)) {
            self.best = Some((trial.clone(), trained));
        }
    }

    /// Estimates the time of one process for `trials_left` more trials of a round, numbered from 0, and for all later
    /// rounds, from the time of the trials so far. `candidates`: the number of candidates of the first round.
    pub fn time_left(&self, candidates: usize, round: usize, trials_left: usize) -> Duration {
        let later = ROUNDS[round + 1..].iter().map(|round| round.epochs * round.size(candidates) as f64);
        let work = ROUNDS[round].epochs * trials_left as f64 + later.sum::<f64>();
        Duration::from_secs_f64(self.seconds / self.work.max(1e-9) * work)
    }
}
