//! Training: from a recipe and its data to a model.
//!
//! [`prepare`] reads the data, holds rows out and builds the vocabulary. [`run`] then goes through the examples epoch by
//! epoch: `batches` puts texts of similar length together, `graph` computes a batch's gradients, the
//! `optimizer` follows them at the rate that the `schedule` gives. After each epoch the running average of the
//! weights is tried on the held-out rows, and the best one is kept.
//!
//! Every sum is made in an order that does not depend on the number of threads: the same recipe gives the same bytes.

mod batches;
mod graph;
mod initial;
mod optimizer;
mod prepare;
mod run;
mod schedule;

pub use prepare::{PrepareError, Prepared, prepare};
pub use run::{BatchProgress, Ending, EpochFigures, Observer, Outcome, TrainError, run};
pub use schedule::Schedule;

#[cfg(test)]
mod tests;
