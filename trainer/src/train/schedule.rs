//! The learning rate over time.

use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// Share of the steps in which the rate of [`Schedule::OneCycle`] rises.
const RISE: f64 = 0.1;

/// Share of its loss by which an epoch must be better than the best one for [`Schedule::Plateau`] to count it as
/// better.
const THRESHOLD: f64 = 1e-4;

/// The course of the learning rate over a training. In all schedules but `one_cycle`, the rate first rises for the
/// share `warm_up` of the steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Schedule {
    /// Rises for a tenth of the steps, then falls to zero along half a cosine.
    #[default]
    OneCycle,
    /// Stays the same.
    Constant,
    /// Falls to zero along half a cosine.
    Cosine,
    /// Is lowered whenever the validation loss has not fallen for some epochs.
    Plateau,
}

/// A step among all steps of a training.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// The step, from 0.
    pub step: usize,
    /// The largest possible number of steps.
    pub steps: usize,
}

impl Schedule {
    /// The rate of a step, as a share of the highest. `warm_up` is a share of all steps. `lowered`: the share that
    /// `plateau` gives; the other schedules take no notice of it.
    pub fn share(self, at: Position, warm_up: f64, lowered: f64) -> f64 {
        // The rate rises in equal parts: after n steps the next one has the highest.
        let rising = (warm_up * at.steps as f64).round() as usize;
        if self != Schedule::OneCycle && at.step < rising {
            return (at.step + 1) as f64 / (rising + 1) as f64;
        }
        match self {
            Schedule::OneCycle => one_cycle(at.step, at.steps),
            Schedule::Constant => 1.0,
            Schedule::Cosine => cosine((at.step - rising) as f64 / (at.steps - rising).max(1) as f64),
            Schedule::Plateau => lowered,
        }
    }
}

/// Half a cosine from 1 to 0, `position` from 0 to 1. As `torch.optim.lr_scheduler.CosineAnnealingLR`.
fn cosine(position: f64) -> f64 {
    0.5 * (1.0 + (PI * position).cos())
}

/// The rate rises in a straight line for a tenth of the steps, then falls to zero along half a cosine.
fn one_cycle(step: usize, steps: usize) -> f64 {
    let position = (step as f64 + 0.5) / steps.max(1) as f64;
    if position < RISE { position / RISE } else { 0.5 * (1.0 + (PI * (position - RISE) / (1.0 - RISE)).cos()) }
}

/// By how much the rate is lowered after epochs with these validation losses: `factor` for each time that more than
/// `patience` epochs on end were no better than the best one. As `torch.optim.lr_scheduler.ReduceLROnPlateau`.
pub fn plateau(losses: impl IntoIterator<Item = f64>, patience: usize, factor: f64) -> f64 {
    let (mut best, mut bad, mut share) = (f64::INFINITY, 0, 1.0);
    for loss in losses {
        if loss < best * (1.0 - THRESHOLD) {
            (best, bad) = (loss, 0);
        } else {
            bad += 1;
        }
        if bad > patience {
            share *= factor;
            bad = 0;
        }
    }
    share
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: Schedule, steps: usize, warm_up: f64) -> Vec<f64> {
        (0..steps).map(|step| schedule.share(Position { step, steps }, warm_up, 0.25)).collect()
    }

    #[test]
    fn one_cycle_rises_then_falls_to_zero() {
        let rates = rates(Schedule::OneCycle, 1000, 0.0);
        assert!(rates[..100].is_sorted() && rates[100..].is_sorted_by(|a, b| a >= b));
        assert!(rates[0] < 0.01 && rates[100] > 0.99 && rates[999] < 1e-5);
        assert!(one_cycle(0, 1) > 0.0);
    }

    #[test]
    fn constant_and_plateau_stay_where_they_are_after_the_warm_up() {
        assert_eq!(rates(Schedule::Constant, 5, 0.0), [1.0; 5]);
        assert_eq!(rates(Schedule::Plateau, 5, 0.0), [0.25; 5]);
        assert_eq!(rates(Schedule::Constant, 8, 0.375), [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn no_rate_is_zero_before_the_end_and_none_is_above_one() {
        for schedule in [Schedule::OneCycle, Schedule::Constant, Schedule::Cosine] {
            for steps in [1, 2, 3, 10, 101] {
                for warm_up in [0.0, 0.1, 0.5, 1.0] {
                    let rates = rates(schedule, steps, warm_up);
                    assert!(rates.iter().all(|&rate| rate > 0.0 && rate <= 1.0), "{schedule:?} {warm_up} {rates:?}");
                }
            }
        }
    }

    #[derive(Deserialize)]
    struct Golden {
        made_by: String,
        cosine: Vec<f64>,
        cosine_warm_up: Vec<f64>,
        plateau_losses: Vec<f64>,
        plateau_patience: usize,
        plateau_factor: f64,
        plateau: Vec<f64>,
    }

    /// Rates of PyTorch's schedulers, which `golden/make.py` wrote with the version that its first line names.
    #[test]
    fn rates_are_pytorchs() {
        let golden: Golden = serde_json::from_str(include_str!("schedule/golden/rates.json")).unwrap();
        assert!(golden.made_by.contains("torch"));
        let close = |found: &[f64], expected: &[f64]| {
            assert_eq!(found.len(), expected.len());
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?}, expected {expected:?}");
        };
        close(&rates(Schedule::Cosine, 20, 0.0), &golden.cosine);
        close(&rates(Schedule::Cosine, 20, 0.25), &golden.cosine_warm_up);
        let losses = &golden.plateau_losses;
        let lowered: Vec<f64> = (1..=losses.len())
            .map(|epochs| plateau(losses[..epochs].iter().copied(), golden.plateau_patience, golden.plateau_factor))
            .collect();
        close(&lowered, &golden.plateau);
        assert!(lowered.last().is_some_and(|&last| last < 0.2), "the case lowers the rate more than once");
    }
}
