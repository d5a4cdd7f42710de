//! The vocabulary that the runtime, the training library, the trainer and the firmware share.
//!
//! - [`choices`]: the enums that describe a model, with the names that recipes, `config.json` and device files use;
//! - [`Tokenizer`]: a kind of tokenizer and its letter case;
//! - [`Config`]: the choices of one model, and [`Config::check`], which reports choices that cannot be combined;
//! - [`Ngrams`]: the kinds of n-grams that a classifier counts;
//! - [`names`]: the names of tensors and of metadata keys;
//! - [`limits`]: the sizes that a model may have;
//! - [`times`]: the times that a device and the programs at its console allow each other.
//!
//! `docs/format.md` specifies the device file in full.

#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "clap"))]
extern crate std;

pub mod choices;
mod config;
pub mod limits;
pub mod names;
mod ngrams;
pub mod times;
mod tokenizer;

pub use choices::{Cell, Input, Merge, Output, Packing, Pooling, Task, TokenizerKind};
pub use config::{Config, Conflict, Field};
pub use ngrams::Ngrams;
pub use tokenizer::Tokenizer;

/// The version of the device file's format: the value of the metadata key `tern.version`.
pub const VERSION: &str = "1";
