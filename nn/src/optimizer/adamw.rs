//! Adam with decoupled weight decay (Loshchilov and Hutter, 2019).

use super::Step;
use pulp::NullaryFnOnce;

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// What is the same for all values of a step.
#[derive(Clone, Copy, Debug)]
pub struct Factors {
    /// The learning rate, with the correction of the mean.
    rate: f32,
    /// Corrects the root of the squares.
    scale: f32,
}

impl Factors {
    /// `steps` counts from 1.
    pub fn new(steps: i32, rate: f64) -> Self {
        let correction_1 = 1.0 - f64::from(BETA_1).powi(steps);
        let correction_2 = 1.0 - f64::from(BETA_2).powi(steps);
        Factors { rate: (rate / correction_1) as f32, scale: (1.0 / correction_2.sqrt()) as f32 }
    }
}

/// A step of one parameter.
pub struct Update<'a> {
    pub step: Step<'a>,
    /// Running mean of the gradients.
    pub mean: &'a mut [f32],
    /// Running mean of their squares.
    pub square: &'a mut [f32],
    pub factors: Factors,
    /// The weights are multiplied by this.
    pub shrink: f32,
}

impl NullaryFnOnce for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Update { step, mean, square, factors, shrink } = self;
        let n = step.weights.len();
        let (mean, square) = (&mut mean[..n], &mut square[..n]);
        step.take(|i, weight, g| {
            mean[i] = BETA_1 * mean[i] + (1.0 - BETA_1) * g;
            square[i] = BETA_2 * square[i] + (1.0 - BETA_2) * g * g;
            weight * shrink - factors.rate * mean[i] / (square[i].sqrt() * factors.scale + EPSILON)
        });
    }
}
