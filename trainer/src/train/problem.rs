//! A training problem: the architecture of the network, the samples as numbers, and the loss.

use super::prepare::Prepared;
use super::validation::{self, Validation};
use super::{Classes, Objective, Sample, Steps, Target};
use crate::architecture::Architecture;
use crate::data::Example;
use crate::embeddings::Embeddings;
use crate::nn::network::{Input, Network};
use crate::recipe::{ClassWeights, Recipe};
use crate::vocabulary::{Fingerprints, Ngrams};
use rayon::prelude::*;

/// A training problem: everything about the data and the task that the training loop uses.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The architecture of the network.
    pub architecture: Architecture,
    /// The loss.
    pub objective: Objective,
    /// The training samples.
    pub train: Vec<Sample>,
    /// The validation samples; with cross-validation, all training samples. A language model reads them as one text.
    pub valid: Vec<Sample>,
    /// The fold of each training sample, from 0. Empty without cross-validation.
    pub folds: Vec<usize>,
    /// The result of the cross-validation, once it is done. It sets the number of epochs and the validation figures of
    /// each epoch.
    pub cross_validation: Option<CrossValidation>,
    /// Pretrained word vectors; `None` if the recipe names none.
    pub embeddings: Option<Embeddings>,
    /// The fingerprints of the n-gram table; `None` if every n-gram counts or there is no n-gram branch.
    pub fingerprints: Option<Fingerprints>,
    /// Quantities of the data that convert losses and outputs into figures.
    pub units: Units,
    /// The number of training sequences that were truncated to the recipe's `max_length` or `batch_tokens`.
    pub truncated: usize,
}

/// The result of a cross-validation.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossValidation {
    /// The number of folds.
    pub folds: usize,
    /// The figures after each epoch, over all rows, until no epoch is better for `patience` epochs.
    pub history: Vec<Validation>,
    /// The best epoch, from 1.
    pub best_epoch: usize,
    /// The outputs for each row after the best epoch, by the network that was not trained on the row, divided by the
    /// temperature: `[rows][outputs]`.
    pub outputs: Vec<Vec<f32>>,
    /// The temperature with the smallest loss over all rows; `None` if the recipe disables temperature scaling.
    pub temperature: Option<f64>,
}

impl CrossValidation {
    /// Returns the figures of the best epoch; if `history` lacks it, a loss of 0 and no other figure.
    pub fn best(&self) -> Validation {
        let index = self.best_epoch.checked_sub(1);
        index.and_then(|index| self.history.get(index)).copied().unwrap_or_default()
    }
}

/// Quantities of the data that convert losses and outputs into figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Units {
    /// The number of characters in a language model's validation text, for bits per character. 0 for other tasks.
    pub characters: usize,
    /// The standard deviation of each output of a forecast in the units of the data, `[outputs]`. Empty for other
    /// tasks.
    pub scale: Vec<f32>,
}

impl Problem {
    /// Creates the problem of classifying texts. Encodes the texts in the current thread pool.
    pub fn of_texts(recipe: &Recipe, data: &Prepared) -> Self {
        let labels = data.labels.len();
        let architecture = recipe.model.architecture(data.vocabulary.len(), labels);
        let tokenizer = data.vocabulary.tokenizer();
        // The n-gram branch and its fingerprints, if the recipe has them.
        let (mut ngrams, mut fingerprints) = (None, None);
        if let Some(table) = recipe.model.ngram_table() {
            let all_ngrams = Ngrams::new(recipe.model.ngrams(tokenizer), table.buckets, tokenizer);
            if recipe.model.ngram_fingerprints == Some(true) {
                let texts: Vec<_> = data.train.iter().map(|example| (example.text.as_str(), example.label)).collect();
                fingerprints = Some(all_ngrams.choose_fingerprints(&texts, labels));
            }
            ngrams = Some(all_ngrams.with_fingerprints(fingerprints.clone()));
        }
        let encode_one = |example: &Example| Sample {
            steps: Steps::Tokens(data.vocabulary.encode(&example.text)),
            ngrams: ngrams.as_ref().map_or(Vec::new(), |ngrams| ngrams.buckets(&example.text)),
            target: Target::Class(example.label),
            teacher: Vec::new(),
        };
        let encode = |examples: &[Example]| -> Vec<Sample> { examples.par_iter().map(encode_one).collect() };
        let problem = Problem::of_classes(recipe, architecture, labels, encode(&data.train), encode(&data.valid));
        Problem { folds: data.folds.clone(), fingerprints, ..problem }
    }

    /// Creates the problem of classifying sequences into `labels` classes. Truncates the training samples to the
    /// recipe's `max_length` and `batch_tokens`, and weights the classes as the recipe asks.
    pub fn of_classes(
        recipe: &Recipe,
        architecture: Architecture,
        labels: usize,
        mut train: Vec<Sample>,
        valid: Vec<Sample>,
    ) -> Self {
        let truncated = truncate(&mut train, recipe);
        let smoothing = recipe.training.label_smoothing;
        let classes = match recipe.training.class_weights {
            ClassWeights::None => Classes::plain(labels, smoothing),
            ClassWeights::Balanced => {
                let count = |label| train.iter().filter(|sample| sample.target == Target::Class(label)).count();
                Classes::balanced(&(0..labels).map(count).collect::<Vec<_>>(), smoothing)
            }
        };
        let classes = Classes { teacher_weight: recipe.training.teacher_weight, ..classes };
        Problem { truncated, ..Problem::new(architecture, Objective::Classes(classes), train, valid) }
    }

    /// Creates a problem from an architecture, a loss and samples. All other fields are empty, `None` or 0.
    pub fn new(architecture: Architecture, objective: Objective, train: Vec<Sample>, valid: Vec<Sample>) -> Self {
        Problem {
            architecture,
            objective,
            train,
            valid,
            folds: Vec::new(),
            cross_validation: None,
            embeddings: None,
            fingerprints: None,
            units: Units::default(),
            truncated: 0,
        }
    }

    /// Returns the figures of a network on the validation samples. They do not depend on the number of threads.
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

    /// Returns the outputs of a network for each validation sample: `[samples][outputs]`.
    pub fn outputs(&self, network: &Network) -> Vec<Vec<f32>> {
        self.valid.par_iter().map(|sample| network.outputs(Input::from(sample))).collect()
    }
}

/// Truncates sequences to their first `max_length` steps (0: all), and these to their last `batch_tokens` steps. The
/// n-grams remain those of the whole text. Returns the number of sequences that were truncated.
fn truncate(samples: &mut [Sample], recipe: &Recipe) -> usize {
    let max_length = match recipe.training.max_length {
        0 => usize::MAX,
        steps => steps,
    };
    let mut truncated = 0;
    for sample in samples {
        // Both return true if they removed steps.
        let lost_end = sample.steps.keep_first(max_length);
        let lost_beginning = sample.steps.keep_last(recipe.training.batch_tokens);
        truncated += usize::from(lost_end || lost_beginning);
    }
    truncated
}
