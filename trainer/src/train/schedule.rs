//! The learning rate over time.

use std::f64::consts::PI;

/// Share of the steps in which the rate rises.
const WARM_UP: f64 = 0.1;

/// The rate of a step, as a share of the highest: it rises in a straight line for a tenth of the steps, then falls to
/// zero along half a cosine. `step` counts from 0.
pub fn one_cycle(step: usize, steps: usize) -> f64 {
    let position = (step as f64 + 0.5) / steps.max(1) as f64;
    if position < WARM_UP {
        position / WARM_UP
    } else {
        0.5 * (1.0 + (PI * (position - WARM_UP) / (1.0 - WARM_UP)).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_then_falls_to_zero() {
        let rates: Vec<f64> = (0..1000).map(|step| one_cycle(step, 1000)).collect();
        assert!(rates[..100].is_sorted() && rates[100..].is_sorted_by(|a, b| a >= b));
        assert!(rates[0] < 0.01 && rates[100] > 0.99 && rates[999] < 1e-5);
        assert!(one_cycle(0, 1) > 0.0);
    }
}
