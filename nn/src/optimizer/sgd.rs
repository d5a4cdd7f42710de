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
        let Step { weights, average, gradient, clip, kept } = self.step;
        let n = weights.len();
        let (weights, average, gradient) = (&mut weights[..n], &mut average[..n], &gradient[..n]);
        for i in 0..n {
            let g = gradient[i] * clip + self.decay * weights[i];
            weights[i] -= self.rate * g;
            average[i] = kept * average[i] + (1.0 - kept) * weights[i];
        }
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
        let Step { weights, average, gradient, clip, kept } = self.step;
        let n = weights.len();
        let (weights, average) = (&mut weights[..n], &mut average[..n]);
        let (gradient, buffer) = (&gradient[..n], &mut self.buffer[..n]);
        for i in 0..n {
            let g = gradient[i] * clip + self.decay * weights[i];
            buffer[i] = self.momentum * buffer[i] + g;
            let step = if self.nesterov { g + self.momentum * buffer[i] } else { buffer[i] };
            weights[i] -= self.rate * step;
            average[i] = kept * average[i] + (1.0 - kept) * weights[i];
        }
    }
}
