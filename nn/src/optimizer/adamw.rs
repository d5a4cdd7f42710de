//! Adam with decoupled weight decay (Loshchilov and Hutter, 2019).

use super::update::Update;
use pulp::NullaryFnOnce;

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// The factors that all values of a step share.
#[derive(Clone, Copy, Debug)]
pub struct Factors {
    /// The learning rate divided by the bias correction of the mean.
    rate: f32,
    /// The bias correction of the root mean square.
    scale: f32,
}

impl Factors {
    /// The factors of step number `steps`, counted from 1.
    pub fn new(steps: i32, rate: f64) -> Self {
        let correction_1 = 1.0 - f64::from(BETA_1).powi(steps);
        let correction_2 = 1.0 - f64::from(BETA_2).powi(steps);
        Factors { rate: (rate / correction_1) as f32, scale: (1.0 / correction_2.sqrt()) as f32 }
    }
}

/// A step of one parameter.
pub struct AdamW<'a> {
    pub update: Update<'a>,
    /// Running mean of the gradients.
    pub mean: &'a mut [f32],
    /// Running mean of the squared gradients.
    pub square: &'a mut [f32],
    pub factors: Factors,
    /// Factor of the weights, from weight decay.
    pub shrink: f32,
}

impl NullaryFnOnce for AdamW<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let AdamW { update, mean, square, factors, shrink } = self;
        let n = update.len();
        let (mean, square) = (&mut mean[..n], &mut square[..n]);
        update.apply(|i, weight, g| {
            mean[i] = BETA_1 * mean[i] + (1.0 - BETA_1) * g;
            square[i] = BETA_2 * square[i] + (1.0 - BETA_2) * g * g;
            weight * shrink - factors.rate * mean[i] / (square[i].sqrt() * factors.scale + EPSILON)
        });
    }
}
