//! Callbacks that pass the events of a training to a function, or to several other callbacks.

use super::checkpointer::epoch_line;
use crate::commands::note;
use crate::train::{BatchProgress, Callback, EpochFigures, State, StateEvent};
use serde_json::Value;

/// The callback that passes the figures of each epoch to a function, as the JSON object of [`epoch_line`].
pub struct EpochReporter<'a>(pub &'a mut (dyn FnMut(Value) + Send));

impl Callback for EpochReporter<'_> {
    fn on_epoch(&mut self, figures: &EpochFigures, best: bool) {
        (self.0)(epoch_line(figures, best));
    }
}

/// The callback that calls several others in turn. [`on_device`](Callback::on_device) is not passed on: its message is
/// printed.
pub struct Callbacks<'a>(pub Vec<&'a mut (dyn Callback + Send)>);

impl Callback for Callbacks<'_> {
    fn on_device(&mut self, reason: &str) {
        note(reason);
    }

    fn wants_state(&self) -> bool {
        self.0.iter().any(|callback| callback.wants_state())
    }

    fn on_batch(&mut self, progress: &BatchProgress) {
        self.0.iter_mut().for_each(|callback| callback.on_batch(progress));
    }

    fn on_epoch(&mut self, figures: &EpochFigures, best: bool) {
        self.0.iter_mut().for_each(|callback| callback.on_epoch(figures, best));
    }

    fn on_state(&mut self, state: &State, event: StateEvent) {
        self.0.iter_mut().for_each(|callback| callback.on_state(state, event));
    }
}
