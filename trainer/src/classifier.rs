//! What float and integer models have in common.

use crate::data::Example;
use crate::device_file::DeviceFile;
use crate::float_model::{Config, FloatModel};
use crate::metrics::{Evaluation, argmax, log_softmax};
use crate::model::Sequential;
use crate::task::{Input, Task};
use anyhow::bail;
use rayon::prelude::*;
use std::path::Path;
use std::time::{Duration, Instant};

/// A model that gives a text one of its labels. Nothing about a text can make it fail.
pub trait Classifier: Sync {
    /// The labels, in the order of the logits.
    fn labels(&self) -> &[String];

    /// Classifies a text.
    fn classify(&self, text: &str) -> Prediction;

    /// The tokens of a text, with what the model would say if the text ended after each.
    fn trace(&self, text: &str) -> Vec<TraceStep>;
}

/// Logits, in the numbers that the model computes with.
#[derive(Clone, Debug, PartialEq)]
pub enum Logits {
    /// Of a float model.
    Float(Vec<f32>),
    /// Of an integer model: multiply by `scale` for nats.
    Integer {
        /// The integers, as the device computes them.
        values: Vec<i32>,
        /// What one is worth.
        scale: f64,
    },
}

impl Logits {
    /// The label with the greatest logit, the first of equal ones.
    pub fn label(&self) -> usize {
        match self {
            Logits::Float(values) => argmax(values),
            Logits::Integer { values, .. } => argmax(values),
        }
    }

    /// The logits as real numbers.
    pub fn nats(&self) -> Vec<f64> {
        match self {
            Logits::Float(values) => values.iter().map(|&value| f64::from(value)).collect(),
            Logits::Integer { values, scale } => values.iter().map(|&value| f64::from(value) * scale).collect(),
        }
    }

    /// The logarithm of each label's probability.
    pub fn log_probabilities(&self) -> Vec<f64> {
        log_softmax(self.nats().into_iter())
    }

    /// The numbers themselves, for JSON.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Logits::Float(values) => values.as_slice().into(),
            Logits::Integer { values, .. } => values.as_slice().into(),
        }
    }
}

/// What a model says about a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// One logit for each label.
    pub logits: Logits,
    /// Number of tokens in the text.
    pub tokens: usize,
    /// How many of them the model does not know.
    pub unknown: usize,
}

/// A token of a text and the logits after it.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceStep {
    /// The token, lower-cased.
    pub token: String,
    /// Whether the model knows it.
    pub known: bool,
    /// The logits if the text ended here.
    pub logits: Logits,
}

/// Loads the model at `path`: a model directory, which runs in floats, or a device file, which runs in integers.
///
/// # Errors
///
/// See [`LoadError`](crate::float_model::LoadError) and [`DeviceFileError`](crate::device_file::DeviceFileError).
pub fn open(path: &Path) -> anyhow::Result<Box<dyn Classifier>> {
    if path.is_file() {
        let file = DeviceFile::open(path)?;
        check(path, file.config())?;
        return Ok(Box::new(file));
    }
    let model = FloatModel::load(path)?;
    check(path, model.config())?;
    Ok(Box::new(model))
}

fn check(path: &Path, config: &Config) -> anyhow::Result<()> {
    match (config.task, config.input) {
        (Task::Classify, Input::Tokens) => Ok(()),
        (Task::Classify, Input::Values) => {
            bail!("{}: classifies sequences of numbers, expected a classifier of texts", path.display())
        }
        (task, _) => bail!("{}: its task is {}, expected a classifier of texts", path.display(), task.name()),
    }
}

/// How fast texts were classified.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Tokens of all texts.
    pub tokens: usize,
    /// What they took, from text to logits.
    pub time: Duration,
}

impl Speed {
    /// Tokens in a second.
    pub fn tokens_per_s(&self) -> f64 {
        self.tokens as f64 / self.time.as_secs_f64().max(1e-9)
    }
}

/// Counts how a model does on examples, on all threads of the current pool. The result does not depend on their number.
pub fn evaluate(model: &dyn Classifier, examples: &[Example]) -> Evaluation {
    evaluate_timed(model, examples).0
}

/// The same, and how long the texts took.
pub fn evaluate_timed(model: &dyn Classifier, examples: &[Example]) -> (Evaluation, Speed) {
    let start = Instant::now();
    let predictions: Vec<Prediction> = examples.par_iter().map(|example| model.classify(&example.text)).collect();
    let tokens = predictions.iter().map(|prediction| prediction.tokens).sum();
    let speed = Speed { tokens, time: start.elapsed() };
    let mut evaluation = Evaluation::new(model.labels().len());
    for (example, Prediction { logits, .. }) in examples.iter().zip(predictions) {
        evaluation.add(example.label, logits.label(), -logits.log_probabilities()[example.label]);
    }
    (evaluation, speed)
}
