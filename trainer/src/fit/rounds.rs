//! The rounds of the search of `tern fit`, and the state of a search that runs through them. In each round the best
//! candidates of the round before train for more epochs; a [`Trial`] is one such training.

use super::fitting::Excess;
use super::training::Trained;
use super::trials::Trial;
use std::time::{Duration, Instant};

/// A round of the search.
pub(super) struct Round {
    /// The share of its recipe's epochs for which a candidate trains.
    pub epoch_share: f64,
    /// The first round's number of candidates is divided by this.
    divisor: usize,
    /// The share of the time for the search after which no further training of this round begins.
    pub time_share: f64,
}

impl Round {
    /// Returns the number of candidates of this round if the first round has `candidates`.
    pub fn size(&self, candidates: usize) -> usize {
        candidates.div_ceil(self.divisor).max(MIN_CANDIDATES).min(candidates)
    }
}

/// The rounds, in their order.
pub(super) const ROUNDS: [Round; 3] = [
    Round { epoch_share: 0.25, divisor: 1, time_share: 0.4 },
    Round { epoch_share: 0.5, divisor: 3, time_share: 0.65 },
    Round { epoch_share: 1.0, divisor: 8, time_share: 0.85 },
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
    /// True if a training did not begin, or began late, for lack of time.
    pub is_out_of_time: bool,
    /// The work of all trials, in whole trainings: the sum of their [`Round::epoch_share`].
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

    /// Adds a trial of a round with this [`Round::epoch_share`].
    pub fn add(&mut self, trial: &Trial, trained: Option<Trained>, epoch_share: f64) {
        self.work += epoch_share;
        self.seconds += trial.seconds;
        self.trials.push(trial.clone());
        let is_best = match &self.best {
            None => true,
            Some((best, _)) if trial.is_better_than(best) => true,
            Some((best, _)) if best.is_better_than(trial) => false,
            // Of equal trials in a round, that of the first candidate is the best, whichever ended first.
            Some((best, _)) => (trial.round, trial.candidate) < (best.round, best.candidate),
        };
        if is_best {
            self.best = Some((trial.clone(), trained));
        }
    }

    /// Estimates the time of one process for `trials_left` more trials of the round with the index `round` and for all
    /// later rounds, from the time of the trials that were added. `candidates`: the number of candidates of the first
    /// round.
    pub fn time_left(&self, candidates: usize, round: usize, trials_left: usize) -> Duration {
        let later = ROUNDS[round + 1..].iter().map(|later| later.epoch_share * later.size(candidates) as f64);
        let work_left = ROUNDS[round].epoch_share * trials_left as f64 + later.sum::<f64>();
        // The bound 1e-9 avoids 0 / 0: without trials the estimate is 0.
        Duration::from_secs_f64(self.seconds / self.work.max(1e-9) * work_left)
    }
}
