//! Trains recurrent models on text.
//!
//! Labelled texts ([`data`]) become ids ([`vocabulary`]), ids become logits ([`nn`]), and what was learnt becomes a
//! model directory ([`float_model`]).

pub mod data;
pub mod denormals;
pub mod float_model;
pub mod nn;
pub mod tokenizer_json;
pub mod vocabulary;
pub mod weights;
