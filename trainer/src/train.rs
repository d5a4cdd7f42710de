//! Training: from a recipe and its data to a model.
//!
//! [`prepare`] reads the data, holds rows out and builds the vocabulary; a [`Problem`] is what it makes of them in
//! numbers: samples to learn from, and an [`Objective`] that says what a network should make of them. [`run`] knows
//! nothing else of the task. It goes through the samples epoch by epoch: `batches` puts sequences of similar length
//! together, [`graph`](tern_nn::graph) computes a batch's gradients, the [`optimizer`] follows them at the rate that
//! the `schedule` gives. After each epoch the running average of the weights is tried on what was held out, and the
//! best one is kept.
//!
//! Every sum is made in an order that does not depend on the number of threads: the same recipe gives the same bytes.

mod batches;
mod checkpoint;
mod cross_validation;
mod device;
mod initial;
mod prepare;
mod problem;
mod run;
mod schedule;
mod state;
mod validation;

pub use checkpoint::{CheckpointError, data_hash};
pub use cross_validation::{CrossValidation, cross_validate};
pub use device::{DeviceKind, NoDevice};
pub use prepare::{PrepareError, Prepared, prepare};
pub use problem::{Problem, Units};
pub use run::{BatchProgress, Callback, EpochFigures, Outcome, StateEvent, StopReason, TrainError, resume, run};
pub use schedule::Schedule;
pub use state::State;
use tern_nn::{objective, optimizer, sample};

pub use tern_nn::objective::{Classes, Objective};
pub use tern_nn::sample::{NO_TOKEN, Sample, Steps, Target};
pub use validation::{Guess, Validation, guesses, guesses_with, language_parts, part_of};

#[cfg(test)]
mod tests;
