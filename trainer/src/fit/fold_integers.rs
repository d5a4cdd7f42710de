//! Measures a cross-validation in integers: the accuracy of the device files (the quantised models) of its networks.

use super::fitting;
use crate::metrics::Evaluation;
use crate::model::Model;
use crate::nn::network::Input;
use crate::recipe::Recipe;
use crate::tasks::TaskData;
use crate::train::{self, CrossValidation, Objective, Problem, StopReason, Target, Validation};
use std::sync::atomic::AtomicBool;

/// Trains the network of each fold once more, up to the best epoch of the cross-validation `found`, and quantises it.
/// Its device file then predicts the rows of the fold. `data` must hold the same cross-validation. Returns the figures
/// over all rows; `None` if `stop` interrupts a training, or if `data` is not that of a classifier.
pub fn validate_in_integers(
    name: &str,
    recipe: &Recipe,
    data: &dyn TaskData,
    found: &CrossValidation,
    stop: &AtomicBool,
) -> anyhow::Result<Option<Validation>> {
    let Objective::Classes(classes) = &data.problem().objective else { return Ok(None) };
    let mut recipe = recipe.clone();
    // The cross-validation has trained its folds without patience as well.
    recipe.training.patience = usize::MAX;
    let mut evaluation = Evaluation::new(classes.weights.len());
    for fold in 0..found.folds {
        // The training of a problem with a cross-validation ends at the best epoch of the cross-validation.
        let problem = Problem { cross_validation: Some(found.clone()), ..data.problem().fold(fold) };
        let outcome = train::run(&recipe, &problem, &mut (), stop)?;
        if outcome.stop_reason == StopReason::Interrupted {
            return Ok(None);
        }
        let model = data.model(name, outcome.weights)?;
        let device = fitting::device_file(&recipe, data, &model)?;
        for sample in &problem.valid {
            if let Target::Class(label) = sample.target {
                let logits = device.outputs(Input::from(sample));
                evaluation.add(label, logits.label(), -logits.log_probabilities()[label]);
            }
        }
    }
    Ok(Some(Validation::of_classes(&evaluation)))
}
