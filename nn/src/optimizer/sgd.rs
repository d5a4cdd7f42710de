//! Gradient descent, plain and with momentum (Sutskever et al., 2013, in PyTorch's form: the rate is outside of the buffer).

use super::Step;
use pulp::NullaryFnOnce;

/// A step of one parameter without momentum.
pub struct Plain<'a> {
    pub step: Step<'a>,
    /// Share of the weight that is added to its gradient.
    pub decay: f32,
    pub rate: f32,
}

impl NullaryFnOnce for Plain<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Plain { step, decay, rate } = self;
        step.take(|_, weight, gradient| weight - rate * (gradient + decay * weight));
    }
}

/// A step of one parameter with momentum.
pub struct Momentum<'a> {
    pub step: Step<'a>,
    /// Decaying sum of the gradients.
    pub buffer: &'a mut [f32],
    /// Share of the weight that is added to its gradient.
    pub decay: f32,
    pub rate: f32,
    /// Share of the buffer that stays.
    pub momentum: f32,
    pub nesterov: bool,
}

impl NullaryFnOnce for Momentum<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Momentum { step, buffer, decay, rate, momentum, nesterov } = self;
        let buffer = &mut buffer[..step.weights.len()];
        step.take(|i, weight, gradient| {
            let g = gradient + decay * weight;
            buffer[i] = momentum * buffer[i] + g;
            weight - rate * if nesterov { g + momentum * buffer[i] } else { buffer[i] }
        });
    }
}
