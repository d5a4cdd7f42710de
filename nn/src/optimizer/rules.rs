//! The rules by which [`Optimizer`](super::Optimizer) changes one parameter in a step: Adam with decoupled weight decay
//! (Loshchilov and Hutter, 2019), and stochastic gradient descent, plain and with momentum (Sutskever et al., 2013).
//!
//! Each rule is a [`NullaryFnOnce`], the kind of function that pulp compiles once for each set of vector instructions
//! and runs in the best version for the processor.

use pulp::NullaryFnOnce;

/// The values of one parameter, or of one of its rows, in a step. All slices have the same length.
pub struct Update<'a> {
    pub weights: &'a mut [f32],
    /// The running average of the weights.
    pub average: &'a mut [f32],
    /// The gradient before clipping.
    pub gradient: &'a [f32],
    /// The factor of the gradient, at most 1, which limits the norm of the gradients of all parameters together.
    pub clip: f32,
    /// Decay of the running average in this step.
    pub average_decay: f32,
}

impl Update<'_> {
    /// Replaces each weight by `rule(index, weight, clipped gradient)` and updates the average with the new weight.
    #[inline(always)]
    pub fn apply(self, mut rule: impl FnMut(usize, f32, f32) -> f32) {
        let Update { weights, average, gradient, clip, average_decay } = self;
        let n = weights.len();
        let (average, gradient) = (&mut average[..n], &gradient[..n]);
        for i in 0..n {
            weights[i] = rule(i, weights[i], gradient[i] * clip);
            average[i] = average_decay * average[i] + (1.0 - average_decay) * weights[i];
        }
    }
}

// The defaults of `torch.optim.AdamW`.
const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// The two factors of Adam that all parameters share in a step. Adam's running means start at zero; the bias
/// corrections make up for that in the first steps.
#[derive(Clone, Copy, Debug)]
pub struct AdamFactors {
    /// The learning rate divided by the bias correction of the mean, 1 − β₁^step.
    pub rate: f32,
    /// The factor that corrects the bias of the root mean square: 1 / √(1 − β₂^step).
    pub scale: f32,
}

impl AdamFactors {
    /// The factors of step number `step`, counted from 1.
    pub fn new(step: i32, learning_rate: f64) -> Self {
        let correction_1 = 1.0 - f64::from(BETA_1).powi(step);
        let correction_2 = 1.0 - f64::from(BETA_2).powi(step);
        AdamFactors { rate: (learning_rate / correction_1) as f32, scale: (1.0 / correction_2.sqrt()) as f32 }
    }
}

/// A step of Adam for one parameter: w ← w · shrink − rate · mean / (√square · scale + ε), with the rate and the scale
/// of `factors`.
pub struct AdamW<'a> {
    pub update: Update<'a>,
    /// Running mean of the gradients, PyTorch's `exp_avg`.
    pub mean: &'a mut [f32],
    /// Running mean of the squared gradients, PyTorch's `exp_avg_sq`.
    pub square: &'a mut [f32],
    pub factors: AdamFactors,
    /// Factor of the weights: 1 − learning rate · weight decay.
    pub shrink: f32,
}

impl NullaryFnOnce for AdamW<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let AdamW { update, mean, square, factors, shrink } = self;
        let n = update.weights.len();
        let (mean, square) = (&mut mean[..n], &mut square[..n]);
        update.apply(|i, weight, g| {
            mean[i] = BETA_1 * mean[i] + (1.0 - BETA_1) * g;
            square[i] = BETA_2 * square[i] + (1.0 - BETA_2) * g * g;
            weight * shrink - factors.rate * mean[i] / (square[i].sqrt() * factors.scale + EPSILON)
        });
    }
}

/// A step of gradient descent without momentum for one parameter: w ← w − rate · (gradient + decay · w).
pub struct Sgd<'a> {
    pub update: Update<'a>,
    /// Weight decay.
    pub decay: f32,
    /// Learning rate.
    pub rate: f32,
}

impl NullaryFnOnce for Sgd<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Sgd { update, decay, rate } = self;
        update.apply(|_, weight, gradient| weight - rate * (gradient + decay * weight));
    }
}

/// A step of gradient descent with momentum for one parameter. As in PyTorch, the learning rate is not part of the
/// momentum buffer.
pub struct SgdWithMomentum<'a> {
    pub update: Update<'a>,
    /// Momentum buffer: the sum of the gradients, which each step first multiplies by `momentum`.
    pub buffer: &'a mut [f32],
    /// Weight decay.
    pub decay: f32,
    /// Learning rate.
    pub rate: f32,
    pub momentum: f32,
    /// True for Nesterov momentum: the step is then g + momentum · buffer instead of the buffer, for the gradient g
    /// with weight decay.
    pub nesterov: bool,
}

impl NullaryFnOnce for SgdWithMomentum<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let SgdWithMomentum { update, buffer, decay, rate, momentum, nesterov } = self;
        let buffer = &mut buffer[..update.weights.len()];
        update.apply(|i, weight, gradient| {
            let g = gradient + decay * weight;
            buffer[i] = momentum * buffer[i] + g;
            let step = if nesterov { g + momentum * buffer[i] } else { buffer[i] };
            weight - rate * step
        });
    }
}
