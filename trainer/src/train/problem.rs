//! What is to be learnt, in numbers: the network, the samples, and what counts as good.

use super::objective::{Classes, Objective};
use super::prepare::Prepared;
use super::sample::{Sample, Steps, Target};
use super::validation::{self, Validation};
use crate::architecture::Architecture;
use crate::data::Example;
use crate::embeddings::Embeddings;
use crate::nn::network::{Input, Network};
use crate::recipe::{ClassWeights, Recipe};
use rayon::prelude::*;

/// Everything that the epochs need to know about a task.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The network.
    pub architecture: Architecture,
    /// What its outputs should be.
    pub objective: Objective,
    /// What it learns from.
    pub train: Vec<Sample>,
    /// What the best epoch is chosen by. A language model reads it as one text.
    pub valid: Vec<Sample>,
    /// Vectors that tokens begin with.
    pub embeddings: Option<Embeddings>,
    /// In what figures are given.
    pub units: Units,
    /// Training sequences that were cut to `max_length` or `batch_tokens`.
    pub cut: usize,
}

/// In what the figures of a task are given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Units {
    /// Characters of the text that a language model is validated by.
    pub characters: usize,
    /// What a forecast's outputs are worth: `[outputs]`.
    pub scale: Vec<f32>,
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
        Problem::of_classes(recipe, architecture, labels, encode(&data.train), encode(&data.valid))
    }

    /// The problem of giving each sequence one of so many labels.
    pub fn of_classes(
        recipe: &Recipe,
        architecture: Architecture,
        labels: usize,
        mut train: Vec<Sample>,
        valid: Vec<Sample>,
    ) -> Self {
        let cut = cut(&mut train, recipe);
        let smoothing = recipe.training.label_smoothing;
        let classes = match recipe.training.class_weights {
            ClassWeights::None => Classes::plain(labels, smoothing),
            ClassWeights::Balanced => {
                let count = |label| train.iter().filter(|sample| sample.target == Target::Class(label)).count();
                Classes::balanced(&(0..labels).map(count).collect::<Vec<_>>(), smoothing)
            }
        };
        Problem {
            architecture,
            objective: Objective::Classes(classes),
            train,
            valid,
            embeddings: None,
            units: Units::default(),
            cut,
        }
    }

    /// How a network does on what was held out. The result does not depend on the number of threads.
    pub fn validate(&self, network: &Network) -> Validation {
        match &self.objective {
            Objective::Classes(classes) => validation::classes(&self.outputs(network), &self.valid, classes),
            Objective::NextToken => {
                let ids = self.valid.iter().flat_map(|sample| sample.steps.tokens()).copied().collect::<Vec<_>>();
                Validation::of_language(&validation::guesses(network, &ids), ids.len(), self.units.characters)
            }
            Objective::Values => validation::values(&self.outputs(network), &self.valid, &self.units.scale),
        }
    }

    fn outputs(&self, network: &Network) -> Vec<Vec<f32>> {
        self.valid.par_iter().map(|sample| network.outputs(input(sample))).collect()
    }
}

/// Cuts sequences to the recipe's `max_length`, from the beginning, and to its `batch_tokens`, from the end. Returns how
/// many were longer.
fn cut(samples: &mut [Sample], recipe: &Recipe) -> usize {
    let first = match recipe.training.max_length {
        0 => usize::MAX,
        steps => steps,
    };
    let mut cut = 0;
    for sample in samples {
        let longer = sample.steps.keep_first(first);
        cut += usize::from(sample.steps.keep_last(recipe.training.batch_tokens) || longer);
    }
    cut
}

fn input(sample: &Sample) -> Input<'_> {
    match &sample.steps {
        Steps::Tokens(ids) => Input::Tokens(ids),
        Steps::Values { values, .. } => Input::Values(values),
    }
}
