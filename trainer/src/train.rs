//! Training: from a recipe and its data to a model.
//!
//! [`prepare`] reads labelled texts, makes the validation split and builds the vocabulary; the other tasks do the same
//! in their modules of `tasks`. Each task turns its data into a [`Problem`]: the architecture of the network, the
//! training and validation samples as numbers, and the [`Objective`]. [`run`] trains a network on it, epoch by epoch:
//! `batches` groups sequences of similar length, [`graph`](tern_nn::graph) computes the gradients of a batch, and the
//! [`optimizer`] applies them with the learning rate of the `schedule`. After each epoch the moving average of the
//! weights is validated; the average of the best epoch becomes the model.
//!
//! On the CPU the order of every sum is independent of the number of threads: the same recipe gives the same bytes.

mod augment;
mod batches;
mod callback;
mod checkpoint;
mod cross_validation;
mod device;
mod initial;
mod outcome;
mod prepare;
mod problem;
mod run;
mod schedule;
mod state;
mod temperature;
mod validation;

pub use callback::{BatchProgress, Callback, StateEvent};
pub use checkpoint::data_hash;
pub use cross_validation::cross_validate;
pub use outcome::{Outcome, StopReason, TrainError};
pub use prepare::{Prepared, prepare};
pub use problem::{CrossValidation, Problem, Units};
pub use run::{resume, run};
pub use state::{EpochFigures, State, initial_weights, round_ngrams};
pub use temperature::{divide, fit_temperature};
use tern_nn::optimizer;

pub use tern_nn::objective::{Classes, Objective};
pub use tern_nn::sample::{NO_TOKEN, Sample, Steps, Target};
pub use validation::{Guess, Validation, guesses, guesses_with, language_parts, part_of};

#[cfg(test)]
mod tests;
