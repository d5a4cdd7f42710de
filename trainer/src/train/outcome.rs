//! The result of a training: its outcome, or the error of a failed training.

use super::state::EpochFigures;
use crate::weights::Weights;
use serde::Serialize;

/// The reason why a training stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StopReason {
    /// All epochs of the recipe or, after a cross-validation, its best number of epochs are done.
    Epochs,
    /// No epoch was better than the best one for `patience` epochs.
    Patience,
    /// The stop flag of the training was set, in any process.
    Interrupted,
    /// A loss or a gradient is infinite or NaN.
    Diverged,
}

/// The result of a training.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The averaged weights after the best epoch, or the current ones if `history` is empty. The n-gram table is not
    /// rounded yet: see [`round_ngrams`](super::round_ngrams).
    pub weights: Weights,
    /// The figures of all epochs; the last one may be an epoch that an interrupt ended early.
    pub history: Vec<EpochFigures>,
    /// The best epoch in `history`, from 1: see [`Validation::is_better_than`](super::Validation::is_better_than). 0 if
    /// `history` is empty.
    pub best_epoch: usize,
    /// The reason why the training stopped.
    pub stop_reason: StopReason,
}

impl Outcome {
    /// Returns the figures of the best epoch; `None` if `history` is empty.
    pub fn best(&self) -> Option<&EpochFigures> {
        self.history.iter().find(|figures| figures.epoch == self.best_epoch)
    }
}

/// The error of a failed training.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A loss or a gradient is infinite or NaN.
    #[error("{message}")]
    Diverged {
        /// The place and the quantity that is infinite or NaN, with advice.
        message: String,
        /// Those samples of the batch that have an infinite or NaN loss, as indices into
        /// [`Problem::train`](super::Problem::train); all samples of the batch if none has such a loss by itself. Empty
        /// if the validation loss is infinite or NaN.
        samples: Vec<usize>,
        /// The outcome with the best of the finished epochs; `None` if no epoch was finished, and in a
        /// cross-validation.
        best: Option<Box<Outcome>>,
    },
    /// An operation of candle failed.
    #[error("candle: {0}")]
    Candle(#[from] candle_core::Error),
    /// The device is not available, a GPU fails, or the threads cannot be started.
    #[error("{0}")]
    Start(String),
}
