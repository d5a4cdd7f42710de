//! Trains recurrent models on text.
//!
//! A [`recipe`] names the data and every setting. Labelled texts ([`data`]) become ids ([`vocabulary`]), ids become
//! logits ([`nn`]), and [`train`] makes a model directory ([`float_model`]) of it, with a [`report`].
//! Whatever classifies texts, in floats or integers, is a [`classifier`]. A device is reached over a [`link`].

pub mod baselines;
mod checksum;
pub mod cli;
pub mod commands;
pub mod data;
pub mod device_file;
mod display;
pub mod embeddings;
pub mod export;
pub mod float_model;
pub mod import;
mod link;
pub mod logits;
pub mod metrics;
pub mod model;
mod package;
pub mod packing;
pub mod paint;
pub mod quantize;
pub mod recipe;
pub mod report;
pub mod tasks;
mod tensorboard;
pub mod tokenizer_json;
pub mod train;
pub mod vocabulary;

pub use tern_nn as nn;
pub use tern_nn::{architecture, denormals, weights};
