//! Fits two numbers to the validation rows after the training of a classifier: the temperature of its logits, and the
//! probability below which it refuses to answer.

use crate::architecture::names;
use crate::float_model::{Config, Refusal};
use crate::logits::{Logits, class_logits};
use crate::nn::network::Network;
use crate::recipe::Recipe;
use crate::train::{Problem, Sample, Target, divide, fit_temperature};
use crate::weights::Weights;

/// The settings of a recipe for the temperature and the refusal of a classifier.
#[derive(Clone, Debug)]
pub struct Settings {
    /// True if a temperature is fitted.
    temperature_scaling: bool,
    /// The largest share of the validation rows that the model may refuse; 0 for a model that always answers.
    refuse_share: f64,
    /// The label of texts to refuse; `None` if the data have no such texts.
    refuse_label: Option<String>,
}

impl Settings {
    /// Returns the settings of a recipe for a classifier with the given labels. Fails if `refuse_label` is none of
    /// them.
    pub fn new(recipe: &Recipe, labels: &[String]) -> Result<Self, String> {
        let training = &recipe.training;
        let refuse_label = training.refuse_label.clone();
        if let Some(label) = refuse_label.as_ref().filter(|label| !labels.contains(label)) {
            return Err(format!("[training] refuse_label is {label:?}, expected a label of the training rows"));
        }
        let (temperature_scaling, refuse_share) = (training.temperature_scaling, training.refuse_share);
        Ok(Settings { temperature_scaling, refuse_share, refuse_label })
    }
}

/// Fits the temperature and the refusal of a trained classifier, as far as `settings` ask for them, to its validation
/// rows or, after a cross-validation, to the predictions of the networks that were not trained on the rows. Writes both
/// into `config`, and divides the last layer in `weights` by the temperature. Without validation rows the weights do
/// not change.
pub fn calibrate(settings: &Settings, problem: &Problem, config: &mut Config, weights: &mut Weights) {
    config.temperature = match &problem.cross_validation {
        Some(found) => found.temperature,
        None if settings.temperature_scaling => {
            let rows = validation_logits(problem, weights);
            (!rows.is_empty()).then(|| fit_temperature(&rows))
        }
        None => None,
    };
    if let Some(temperature) = config.temperature {
        for name in [names::FC_WEIGHT, names::FC_BIAS] {
            divide(&mut weights.get_mut(name).data, temperature);
        }
    }
    if settings.refuse_share > 0.0 {
        // The weights, and the outputs of a cross-validation, are already divided by the temperature.
        let rows = validation_logits(problem, weights).into_iter();
        let rows = rows.map(|(label, logits)| (label, Logits::Float(logits)));
        config.refusal = Refusal::fit(settings.refuse_share, settings.refuse_label.as_ref(), &config.labels, rows);
    }
}

/// Returns the label and the logits of each validation row or, after a cross-validation, of each training row by the
/// network that was not trained on it. Empty after an interrupted cross-validation, since no network has predicted all
/// rows.
fn validation_logits(problem: &Problem, weights: &Weights) -> Vec<(usize, Vec<f32>)> {
    match &problem.cross_validation {
        Some(found) => with_labels(&problem.train, &found.outputs),
        None if !problem.folds.is_empty() => Vec::new(),
        None => with_labels(&problem.valid, &problem.outputs(&Network::new(weights, &problem.architecture))),
    }
}

/// Returns the label and the logits of each sample. `outputs`: the outputs of a network for each sample.
fn with_labels(samples: &[Sample], outputs: &[Vec<f32>]) -> Vec<(usize, Vec<f32>)> {
    let mut rows = Vec::new();
    for (sample, outputs) in samples.iter().zip(outputs) {
        if let Target::Class(label) = sample.target {
            rows.push((label, class_logits(outputs)));
        }
    }
    rows
}
