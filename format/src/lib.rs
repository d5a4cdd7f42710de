//! The names, choices and limits that the runtime, the training library, the trainer and the firmware share.
//!
//! - [`choices`]: the enums that describe a model, with the names that recipes, `config.json` and device files use;
//! - [`Tokenizer`]: a kind of tokenizer, with or without lowercasing;
//! - [`Config`]: the choices of one model, and [`Config::check`], which reports choices that cannot be combined;
//! - [`Ngrams`]: the lengths of the n-grams that a classifier counts;
//! - [`names`]: the names of tensors and of metadata keys;
//! - [`limits`]: the ranges of a model's sizes;
//! - [`times`]: the time-outs of the device and of the host at its console.
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
