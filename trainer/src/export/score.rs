//! Compares the outputs of a quantised network with those of the float model: disagreements, accuracy, loss.

use crate::float_model::FloatModel;
use crate::metrics::{argmax, log_softmax};
use crate::nn::sample::{Sample, Target};
use serde::Serialize;
use std::cmp::Ordering;
use tern_format::Task;

/// Rows of outputs, `[rows][outputs]`: one row for each sample, or for each step of a language model.
pub(super) type Outputs = Vec<Vec<f32>>;

/// The cost of replacing a part of the float model by integers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Costs {
    /// The number of predictions that were compared: one for each sample, or for each step of a language model.
    pub answers: usize,
    /// The number of predictions that differ from the float model's; `None` for a forecast.
    pub disagreements: Option<usize>,
    /// The accuracy of the float model minus that with the replaced part; `None` for a forecast.
    pub accuracy_cost: Option<f64>,
    /// The loss with the replaced part minus that of the float model: cross-entropy in nats, or the mean squared error
    /// of normalised numbers.
    pub loss_cost: f64,
    /// The root mean square of the differences of the outputs: logits, or normalised numbers.
    pub rms_difference: f64,
}

impl Costs {
    /// Orders by lost accuracy (a gain counts as 0), then by disagreements, then by the difference of the outputs, from
    /// the lowest cost to the highest.
    pub(super) fn order(&self, other: &Costs) -> Ordering {
        let lost = |costs: &Costs| costs.accuracy_cost.unwrap_or(0.0).max(0.0);
        let by_accuracy = lost(self).total_cmp(&lost(other)).then(self.disagreements.cmp(&other.disagreements));
        by_accuracy.then(self.rms_difference.total_cmp(&other.rms_difference))
    }
}

/// The float model's outputs and the targets, with which other outputs are compared.
pub(super) struct Score {
    /// True if the outputs are logits of labels or tokens, false for a forecast.
    are_logits: bool,
    float_outputs: Outputs,
    /// One target for each row of `float_outputs`.
    targets: Vec<Target>,
}

impl Score {
    /// Stores the targets of `samples`, and the float model's outputs, which are in the same order.
    pub(super) fn new(model: &FloatModel, float_outputs: Outputs, samples: &[Sample]) -> Self {
        let targets = samples.iter().flat_map(|sample| match &sample.target {
            Target::Tokens(next) => next.iter().map(|&next| Target::Class(next as usize)).collect(),
            target => vec![target.clone()],
        });
        Score { are_logits: model.config().task != Task::Forecast, targets: targets.collect(), float_outputs }
    }

    /// Computes the cost of `outputs`, whose rows are in the order of the float model's.
    pub(super) fn costs(&self, outputs: &Outputs) -> Costs {
        let rows = outputs.len().max(1) as f64;
        let (mut squares, mut count) = (0f64, 0usize);
        for (&float, &other) in self.float_outputs.iter().flatten().zip(outputs.iter().flatten()) {
            squares += (f64::from(float) - f64::from(other)).powi(2);
            count += 1;
        }
        let disagreements = self.float_outputs.iter().zip(outputs).filter(|(a, b)| argmax(a) != argmax(b)).count();
        let lost_answers = self.correct(&self.float_outputs) - self.correct(outputs);
        Costs {
            answers: outputs.len(),
            disagreements: self.are_logits.then_some(disagreements),
            accuracy_cost: self.are_logits.then_some(lost_answers / rows),
            loss_cost: (self.total_loss(outputs) - self.total_loss(&self.float_outputs)) / rows,
            rms_difference: (squares / count.max(1) as f64).sqrt(),
        }
    }

    /// Returns the number of rows in which the largest output is that of the target's class; 0 for a forecast.
    fn correct(&self, outputs: &Outputs) -> f64 {
        let rows = outputs.iter().zip(&self.targets);
        rows.filter(|(row, target)| matches!(target, Target::Class(label) if argmax(row) == *label)).count() as f64
    }

    /// Returns the sum of the losses of all rows.
    fn total_loss(&self, outputs: &Outputs) -> f64 {
        outputs.iter().zip(&self.targets).map(|(row, target)| loss(row, target)).sum()
    }
}

/// Computes the loss of a row of outputs: the cross-entropy in nats, or the mean squared error of the numbers that are
/// not missing (NaN).
fn loss(row: &[f32], target: &Target) -> f64 {
    match target {
        Target::Class(label) => -log_softmax(row.iter().map(|&logit| f64::from(logit)))[*label],
        Target::Values(values) => {
            let known = row.iter().zip(values).filter(|(_, value)| !value.is_nan());
            let squares = known.map(|(&output, &value)| f64::from(output - value).powi(2));
            let (sum, count) = squares.fold((0.0, 0usize), |(sum, count), square| (sum + square, count + 1));
            sum / count.max(1) as f64
        }
        // `Score::new` has split the targets of a language model into one class for each step.
        Target::Tokens(_) => 0.0,
    }
}
