//! Trains small recurrent models and exports them for microcontrollers: the library behind the `tern` command.
//!
//! A [`recipe`] names the data and every setting of a training. `tasks` prepares the data of each task, [`train`]
//! trains the network of [`nn`], and the result is a model directory ([`float_model`]) with a `report`. [`export`]
//! quantises the model directory to a [`device_file`]. Model directories and device files implement the trait
//! `model::Model`, by which the `commands` evaluate, compare and run them. A `link` connects to the console of a
//! device.

pub mod api;
mod baselines;
mod checksum;
pub mod cli;
mod commands;
mod core_time;
mod data;
pub mod device_file;
mod display;
mod distributed;
mod embeddings;
pub mod export;
pub mod file_error;
pub mod fit;
pub mod float_model;
#[cfg(feature = "hub")]
mod hub;
pub mod import;
mod link;
pub mod logits;
mod metrics;
mod model;
mod package;
pub mod packing;
pub mod paint;
mod progress;
pub mod quantize;
pub mod recipe;
mod report;
mod tasks;
pub mod tokenizer_json;
pub mod train;
pub mod vocabulary;
pub mod write_file;

pub use tern_nn as nn;
pub use tern_nn::{architecture, denormals, weights};
