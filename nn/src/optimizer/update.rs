//! The part of a step that all methods share: clipping and the running average.

/// The values of one parameter during a step. All slices have its length.
pub struct Update<'a> {
    pub weights: &'a mut [f32],
    pub average: &'a mut [f32],
    pub gradient: &'a [f32],
    /// Factor of the gradient, from clipping.
    pub clip: f32,
    /// Decay of the running average for this step.
    pub kept: f32,
}

impl Update<'_> {
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Replaces each weight by `rule(index, weight, clipped gradient)` and updates the average.
    #[inline(always)]
    pub fn apply(self, mut rule: impl FnMut(usize, f32, f32) -> f32) {
        let Update { weights, average, gradient, clip, kept } = self;
        let n = weights.len();
        let (average, gradient) = (&mut average[..n], &gradient[..n]);
        for i in 0..n {
            weights[i] = rule(i, weights[i], gradient[i] * clip);
            average[i] = kept * average[i] + (1.0 - kept) * weights[i];
        }
    }
}
