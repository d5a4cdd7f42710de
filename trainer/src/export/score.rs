//! Compares outputs with those of the float model: disagreements, accuracy, loss.

use crate::float_model::FloatModel;
use crate::metrics::{argmax, log_softmax};
use crate::nn::sample::{Sample, Target};
use serde::Serialize;
use std::cmp::Ordering;
use tern_format::Task;

/// Rows of outputs: one for each sample, or for each step of a language model.
pub(super) type Answers = Vec<Vec<f32>>;

/// The cost of replacing a part of the float model by integers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Costs {
    /// The number of predictions that were compared.
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
    /// Orders by lost accuracy, then by disagreements, then by the difference of outputs.
    pub(super) fn order(&self, other: &Costs) -> Ordering {
        let lost = |costs: &Costs| costs.accuracy_cost.unwrap_or(0.0).max(0.0);
        let by_accuracy = lost(self).total_cmp(&lost(other)).then(self.disagreements.cmp(&other.disagreements));
        by_accuracy.then(self.rms_difference.total_cmp(&other.rms_difference))
    }
}

/// The float model's outputs and the targets, with which other outputs are compared.
pub(super) struct Score {
    /// True if the outputs are logits of labels or tokens, false for a forecast.
    classes: bool,
    answers: Answers,
    targets: Vec<Target>,
}

impl Score {
    /// `answers`: the float model's outputs in the order of the samples; a language model has one row for each step.
    pub(super) fn new(model: &FloatModel, answers: Answers, samples: &[Sample]) -> Self {
        let targets = samples.iter().flat_map(|sample| match &sample.target {
            Target::Tokens(next) => next.iter().map(|&next| Target::Class(next as usize)).collect(),
            target => vec![target.clone()],
        });
        Score { classes: model.config().task != Task::Forecast, targets: targets.collect(), answers }
    }

    /// Computes the cost of other outputs.
    pub(super) fn costs(&self, answers: &Answers) -> Costs {
        let count = answers.len();
        let each = count.max(1) as f64;
        let differences = self.answers.iter().flatten().zip(answers.iter().flatten());
        let (squares, outputs) = differences.fold((0.0, 0usize), |(squares, outputs), (&a, &b)| {
            (squares + (f64::from(a) - f64::from(b)).powi(2), outputs + 1)
        });
        let other = self.answers.iter().zip(answers).filter(|(a, b)| argmax(a) != argmax(b)).count();
        let right = |answers: &Answers| {
            let right =
                |(row, target): &(&Vec<f32>, &Target)| matches!(target, Target::Class(label) if argmax(row) == *label);
            answers.iter().zip(&self.targets).filter(right).count() as f64
        };
        let loss = |answers: &Answers| -> f64 {
            answers.iter().zip(&self.targets).map(|(row, target)| loss(row, target)).sum()
        };
        Costs {
            answers: count,
            disagreements: self.classes.then_some(other),
            accuracy_cost: self.classes.then(|| (right(&self.answers) - right(answers)) / each),
            loss_cost: (loss(answers) - loss(&self.answers)) / each,
            rms_difference: (squares / outputs.max(1) as f64).sqrt(),
        }
    }
}

/// The loss of a row of outputs.
fn loss(row: &[f32], target: &Target) -> f64 {
    match target {
        Target::Class(label) => -log_softmax(row.iter().map(|&logit| f64::from(logit)))[*label],
        Target::Values(values) => {
            let known = row.iter().zip(values).filter(|(_, value)| !value.is_nan());
            let squares = known.map(|(&output, &value)| f64::from(output - value).powi(2));
            let (sum, count) = squares.fold((0.0, 0usize), |(sum, count), square| (sum + square, count + 1));
            sum / count.max(1) as f64
        }
        Target::Tokens(_) => 0.0,
    }
}
