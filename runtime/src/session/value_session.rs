//! Sessions of models that read values.

use core::ops::{Deref, DerefMut};

use super::SessionBase;

/// One sequence of values on its way through a model. It dereferences to [`SessionBase`], which has `reset`, `logits`,
/// `save` and `restore`.
#[derive(Debug)]
pub struct ValueSession<'s>(pub(super) SessionBase<'s>);

impl ValueSession<'_> {
    /// Reads one time step: one integer for each channel, as [`Model::channel`](crate::Model::channel) describes them.
    /// A missing value counts as the mean of its channel.
    pub fn feed(&mut self, values: &[i32]) {
        self.0.forward.take_values(values);
    }

    /// One predicted value of a forecast, as [`Model::forecast_channel`](crate::Model::forecast_channel) describes it;
    /// none beyond the last value, and none of a classifier.
    pub fn predicted(&mut self, index: usize) -> Option<i32> {
        let output = self.0.forward.model.numbers().output;
        let value = self.0.logits().get(index)?;
        output.write(index, value, self.0.forward.scratch.last)
    }
}

impl<'s> Deref for ValueSession<'s> {
    type Target = SessionBase<'s>;

    fn deref(&self) -> &SessionBase<'s> {
        &self.0
    }
}

impl<'s> DerefMut for ValueSession<'s> {
    fn deref_mut(&mut self) -> &mut SessionBase<'s> {
        &mut self.0
    }
}
