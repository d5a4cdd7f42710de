//! Stochastic gradient descent, plain and with momentum (Sutskever et al., 2013). As in PyTorch, the learning rate is
//! not part of the momentum buffer.

use super::update::Update;
use pulp::NullaryFnOnce;

/// A step of one parameter without momentum.
pub struct Plain<'a> {
    pub update: Update<'a>,
    /// Weight decay.
    pub decay: f32,
    pub rate: f32,
}

impl NullaryFnOnce for Plain<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Plain { update, decay, rate } = self;
        update.apply(|_, weight, gradient| weight - rate * (gradient + decay * weight));
    }
}

/// A step of one parameter with momentum.
pub struct Momentum<'a> {
    pub update: Update<'a>,
    /// Momentum buffer: the decaying sum of the gradients.
    pub buffer: &'a mut [f32],
    /// Weight decay.
    pub decay: f32,
    pub rate: f32,
    pub momentum: f32,
    pub nesterov: bool,
}

impl NullaryFnOnce for Momentum<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Momentum { update, buffer, decay, rate, momentum, nesterov } = self;
        let buffer = &mut buffer[..update.len()];
        update.apply(|i, weight, gradient| {
            let g = gradient + decay * weight;
            buffer[i] = momentum * buffer[i] + g;
            weight - rate * if nesterov { g + momentum * buffer[i] } else { buffer[i] }
        });
    }
}
