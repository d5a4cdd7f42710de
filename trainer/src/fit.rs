//! The search of `tern fit`: finds the most accurate classifier whose device file, the quantised model, fits a budget
//! of flash, RAM and instructions.
//!
//! A [`Profile`] describes the data. From it and the [`Budget`], `candidates` makes candidates: settings of recipes.
//! `search` trains them by successive halving: all of them for a quarter of the epochs, the best third for half, the
//! best eighth for all. From the second round on (with a cross-validation, in the last round), the accuracy is that of
//! the device file. Several processes share the candidates through a `queue`. docs/fit.md describes the rules.

mod candidates;
mod fitting;
mod fold_integers;
mod learning_curve;
mod measured;
mod profile;
mod queue;
mod rounds;
mod search;
mod training;
mod trials;
mod verdict;

pub use fitting::recipe;
pub use learning_curve::learning_curve;
pub use measured::{Budget, Measured};
pub use profile::Profile;
pub use search::{Found, Observer, Search};
pub use training::{Limits, train_whole};
pub use trials::{Trial, TrialLog};
pub use verdict::verdict;
