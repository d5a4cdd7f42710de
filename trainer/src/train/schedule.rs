//! The learning rate at each step, which is a batch: the highest rate of the recipe times the [`Schedule`]'s factor.

use crate::recipe::Schedule;
use std::f64::consts::PI;

/// Share of the steps in which the rate of [`Schedule::OneCycle`] rises.
const RISE: f64 = 0.1;

/// For [`Schedule::Plateau`], an epoch counts as better if its loss is below the best loss by more than this share of
/// the best loss: the default `threshold` of PyTorch's `ReduceLROnPlateau`.
const PLATEAU_THRESHOLD: f64 = 1e-4;

/// The position of a step in a training.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// The number of the step, from 0.
    pub step: usize,
    /// The number of steps if all epochs are trained.
    pub steps: usize,
}

impl Schedule {
    /// Returns the learning rate of a step, divided by the highest rate. `warm_up`: the share of all steps in which the
    /// rate rises at first; `OneCycle` ignores it. `plateau_rate_factor`: the result of the function of this name,
    /// which only `Plateau` uses.
    pub fn rate_factor(self, Position { step, steps }: Position, warm_up: f64, plateau_rate_factor: f64) -> f64 {
        // The rate rises by the same amount in each step, and the step after the warm-up has the highest rate, except
        // with `Plateau`: its factor also counts the epochs of the warm-up, so the rate may drop there.
        let warm_up_steps = (warm_up * steps as f64).round() as usize;
        if self != Schedule::OneCycle && step < warm_up_steps {
            return (step + 1) as f64 / (warm_up_steps + 1) as f64;
        }
        match self {
            Schedule::OneCycle => one_cycle(step, steps),
            Schedule::Constant => 1.0,
            Schedule::Cosine => cosine((step - warm_up_steps) as f64 / (steps - warm_up_steps).max(1) as f64),
            Schedule::Plateau => plateau_rate_factor,
        }
    }
}

/// Returns half a cosine from 1 to 0 for `position` from 0 to 1, as `torch.optim.lr_scheduler.CosineAnnealingLR`.
fn cosine(position: f64) -> f64 {
    0.5 * (1.0 + (PI * position).cos())
}

/// Returns a straight line from 0 to 1 in the share [`RISE`] of the steps, then half a cosine from 1 to 0.
fn one_cycle(step: usize, steps: usize) -> f64 {
    // The middle of the step, so that neither the first nor the last rate is 0.
    let position = (step as f64 + 0.5) / steps.max(1) as f64;
    if position < RISE {
        position / RISE
    } else {
        // `cosine` computes the same in another order, so its last bit may differ.
        0.5 * (1.0 + (PI * (position - RISE) / (1.0 - RISE)).cos())
    }
}

/// Returns the learning rate after epochs with the given validation losses, divided by the highest rate, as
/// `torch.optim.lr_scheduler.ReduceLROnPlateau`: each time that more than `patience` successive epochs were no better
/// than the best one, the rate is multiplied by `factor`.
pub fn plateau_rate_factor(losses: impl IntoIterator<Item = f64>, patience: usize, factor: f64) -> f64 {
    let (mut best_loss, mut epochs_without_better, mut rate_factor) = (f64::INFINITY, 0, 1.0);
    for loss in losses {
        if loss < best_loss * (1.0 - PLATEAU_THRESHOLD) {
            (best_loss, epochs_without_better) = (loss, 0);
        } else {
            epochs_without_better += 1;
        }
        if epochs_without_better > patience {
            rate_factor *= factor;
            epochs_without_better = 0;
        }
    }
    rate_factor
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    fn rates(schedule: Schedule, steps: usize, warm_up: f64) -> Vec<f64> {
        (0..steps).map(|step| schedule.rate_factor(Position { step, steps }, warm_up, 0.25)).collect()
    }

    #[test]
    fn one_cycle_rises_then_falls_to_zero() {
        let rates = rates(Schedule::OneCycle, 1000, 0.0);
        assert!(rates[..100].is_sorted() && rates[100..].is_sorted_by(|a, b| a >= b));
        assert!(rates[0] < 0.01 && rates[100] > 0.99 && rates[999] < 1e-5);
        assert!(one_cycle(0, 1) > 0.0);
    }

    #[test]
    fn constant_and_plateau_do_not_change_after_the_warm_up() {
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

    /// The expected rates are those of PyTorch's schedulers: `schedule/golden/rates.json`, whose `made_by` names the
    /// version of PyTorch.
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
            .map(|epochs| {
                plateau_rate_factor(losses[..epochs].iter().copied(), golden.plateau_patience, golden.plateau_factor)
            })
            .collect();
        close(&lowered, &golden.plateau);
        assert!(lowered.last().is_some_and(|&last| last < 0.2), "the case lowers the rate more than once");
    }
}
