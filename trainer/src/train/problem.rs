//! What is to be learnt, in numbers: the network, the samples, and what counts as good.

use super::objective::{Classes, Objective};
use super::prepare::Prepared;
use super::sample::{Sample, Steps, Target};
use crate::architecture::Architecture;
use crate::data::Example;
use crate::embeddings::Embeddings;
use crate::metrics::{Evaluation, argmax, log_softmax};
use crate::nn::network::{Input, Network};
use crate::recipe::{ClassWeights, Recipe};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Everything that the epochs need to know about a task.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The network.
    pub architecture: Architecture,
    /// What its outputs should be.
    pub objective: Objective,
    /// What it learns from.
    pub train: Vec<Sample>,
    /// What the best epoch is chosen by.
    pub valid: Vec<Sample>,
    /// Vectors that tokens begin with.
    pub embeddings: Option<Embeddings>,
    /// Training sequences that were cut to `batch_tokens`.
    pub cut: usize,
}

/// Figures on what was held out. Which ones there are depends on the task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Mean loss: cross entropy in nats, or the mean squared error of normalised numbers.
    #[serde(rename = "valid_loss")]
    pub loss: f64,
    /// Share of right labels.
    #[serde(rename = "valid_accuracy", default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Mean F1 over the classes.
    #[serde(rename = "valid_macro_f1", default, skip_serializing_if = "Option::is_none")]
    pub macro_f1: Option<f64>,
}

impl Validation {
    /// Whether these are better figures than `other`: a higher accuracy, of equal ones the lower loss; the lower loss
    /// where there is no accuracy.
    pub fn is_better_than(&self, other: &Validation) -> bool {
        match (self.accuracy, other.accuracy) {
            (Some(a), Some(b)) if a != b => a > b,
            _ => self.loss < other.loss,
        }
    }
}

impl Problem {
    /// The problem of classifying texts.
    pub fn of_texts(recipe: &Recipe, data: &Prepared) -> Self {
        let labels = data.labels.len();
        let architecture = recipe.model.architecture(data.vocabulary.len(), labels);
        let encode = |examples: &[Example]| -> Vec<Sample> {
            let encode = |example: &Example| Sample {
                steps: Steps::Tokens(data.vocabulary.encode(&example.text)),
                target: Target::Class(example.label),
            };
            examples.par_iter().map(encode).collect()
        };
        let mut train = encode(&data.train);
        let limit = recipe.training.batch_tokens;
        let cut = train.iter_mut().map(|sample| usize::from(sample.steps.keep_last(limit))).sum();
        let smoothing = recipe.training.label_smoothing;
        let classes = match recipe.training.class_weights {
            ClassWeights::None => Classes::plain(labels, smoothing),
            ClassWeights::Balanced => {
                let count = |label| data.train.iter().filter(|example| example.label == label).count();
                Classes::balanced(&(0..labels).map(count).collect::<Vec<_>>(), smoothing)
            }
        };
        Problem {
            architecture,
            objective: Objective::Classes(classes),
            train,
            valid: encode(&data.valid),
            embeddings: None,
            cut,
        }
    }

    /// How a network does on what was held out. The result does not depend on the number of threads.
    pub fn validate(&self, network: &Network) -> Validation {
        let outputs: Vec<Vec<f32>> = self.valid.par_iter().map(|sample| network.outputs(input(sample))).collect();
        match &self.objective {
            Objective::Classes(classes) => {
                let mut evaluation = Evaluation::new(classes.weights.len());
                for (sample, outputs) in self.valid.iter().zip(&outputs) {
                    let Target::Class(label) = sample.target else { continue };
                    let logits = class_logits(outputs);
                    let losses = log_softmax(logits.iter().map(|&logit| f64::from(logit)));
                    evaluation.add(label, argmax(&logits), -losses[label]);
                }
                Validation {
                    loss: evaluation.loss(),
                    accuracy: Some(evaluation.accuracy()),
                    macro_f1: Some(evaluation.macro_f1()),
                }
            }
            Objective::NextToken | Objective::Values => Validation::default(),
        }
    }
}

/// A logit for each label from a classifier's outputs: one output z is the logit of the second of two labels, that of
/// the first is 0.
pub fn class_logits(outputs: &[f32]) -> Vec<f32> {
    match outputs {
        [z] => vec![0.0, *z],
        logits => logits.to_vec(),
    }
}

fn input(sample: &Sample) -> Input<'_> {
    match &sample.steps {
        Steps::Tokens(ids) => Input::Tokens(ids),
        Steps::Values { values, .. } => Input::Values(values),
    }
}
