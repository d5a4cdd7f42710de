//! The callbacks of `tern train`: progress, log and checkpoints, TensorBoard.

use super::checkpointer::Checkpointer;
use super::progress::Progress;
use super::tensorboard_callback::TensorBoardCallback;
use crate::train::{BatchProgress, Callback, EpochFigures, State, StateEvent};

/// All callbacks of a training, called in turn.
pub struct Callbacks<'a> {
    /// Prints the progress.
    pub progress: Progress,
    /// Writes log and checkpoints.
    pub checkpointer: Checkpointer<'a>,
    /// Writes event files for TensorBoard, if the command line names a folder for them.
    pub tensorboard: Option<TensorBoardCallback>,
}

impl Callbacks<'_> {
    fn for_each(&mut self, mut call: impl FnMut(&mut dyn Callback)) {
        call(&mut self.progress);
        call(&mut self.checkpointer);
        if let Some(tensorboard) = &mut self.tensorboard {
            call(tensorboard);
        }
    }
}

impl Callback for Callbacks<'_> {
    fn on_batch(&mut self, progress: &BatchProgress) {
        self.for_each(|callback| callback.on_batch(progress));
    }

    fn on_epoch(&mut self, figures: &EpochFigures, best: bool) {
        self.for_each(|callback| callback.on_epoch(figures, best));
    }

    fn on_state(&mut self, state: &State, event: StateEvent) {
        self.for_each(|callback| callback.on_state(state, event));
    }
}
