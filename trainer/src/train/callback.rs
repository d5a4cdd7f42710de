//! The functions that the training loop calls.

use super::state::{EpochFigures, State};

/// The progress within an epoch, after a batch.
#[derive(Clone, Copy, Debug)]
pub struct BatchProgress {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Batches done in this epoch.
    pub batch: usize,
    /// Batches in this epoch.
    pub batches: usize,
    /// Tokens, or rows of numbers, of the batch.
    pub tokens: usize,
    /// Mean loss of the epoch so far, with dropout, label smoothing and class weights.
    pub loss: f64,
    /// Accuracy of the epoch so far, with dropout. `None` for a forecast.
    pub accuracy: Option<f64>,
    /// Learning rate of the batch.
    pub learning_rate: f64,
    /// Norm of the batch's gradients before clipping.
    pub gradient_norm: f64,
}

/// Functions that the training loop calls, such as those of a progress bar or of the writer of checkpoints.
pub trait Callback {
    /// Called before the first batch if the device was chosen automatically. `reason`: the device and why it was
    /// chosen, for the user.
    fn on_device(&mut self, _reason: &str) {}
    /// Returns true if [`on_state`](Self::on_state) is to be called after the current batch of a training entirely on a
    /// GPU. The call needs a copy of the state on the host, which takes time. A training on the CPU or in several
    /// processes has this copy and always makes the call.
    fn wants_state(&self) -> bool {
        false
    }
    /// Called after each batch.
    fn on_batch(&mut self, _progress: &BatchProgress) {}
    /// Called with the figures of each epoch after its end, and with those of an epoch that an interrupt ended early.
    /// `is_best`: true if the epoch is the best so far.
    fn on_epoch(&mut self, _figures: &EpochFigures, _is_best: bool) {}
    /// Called after each event of [`StateEvent`] with a state from which the training can be resumed. After a batch of
    /// a training entirely on a GPU, it is called only if [`wants_state`](Self::wants_state) returns true.
    fn on_state(&mut self, _state: &State, _event: StateEvent) {}
}

/// A callback that does nothing.
impl Callback for () {}

/// The events after which [`Callback::on_state`] is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateEvent {
    /// A batch within an epoch.
    AfterBatch,
    /// The end of an epoch.
    AfterEpoch,
    /// The interruption of the training. [`Callback::on_state`] is not called again.
    Interrupted,
}
