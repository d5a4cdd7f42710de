//! Fits two numbers to the validation rows after the training of a classifier: the temperature of its logits, and the
//! probability below which it refuses to answer.

use crate::architecture::names;
use crate::float_model::{Config, Refusal};
use crate::logits::{Logits, class_logits};
use crate::nn::network::Network;
use crate::recipe::Recipe;
use crate::train::{Problem, Target, divide, fit_temperature};
use crate::weights::Weights;

/// The settings of a recipe for the temperature and the refusal of a classifier.
#[derive(Clone, Debug)]
pub struct Settings {
    temperature_scaling: bool,
    refuse_share: f64,
    refuse_label: Option<String>,
}

impl Settings {
    /// Returns the settings of a recipe for a classifier with these labels. Fails if they name another label.
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

/// Fits the temperature and the refusal of a trained classifier to its validation rows or, after a cross-validation, to
/// the predictions of the networks that were not trained on the rows. Writes both into `config`, and divides the last
/// layer in `weights` by the temperature. Without validation rows nothing changes.
pub fn calibrate(settings: &Settings, problem: &Problem, config: &mut Config, weights: &mut Weights) {
    let labels = |samples: &[crate::train::Sample]| -> Vec<usize> {
        samples
            .iter()
            .filter_map(|sample| if let Target::Class(label) = sample.target { Some(label) } else { None })
            .collect()
    };
    let rows = |labels: Vec<usize>, outputs: &[Vec<f32>]| -> Vec<(usize, Vec<f32>)> {
        labels.into_iter().zip(outputs.iter().map(|outputs| class_logits(outputs))).collect()
    };
    let validation_rows = |weights: &Weights| match &problem.cross_validation {
        Some(found) => rows(labels(&problem.train), &found.outputs),
        // After an interrupted cross-validation, no network has predicted all rows.
        None if !problem.folds.is_empty() => Vec::new(),
        None => rows(labels(&problem.valid), &problem.outputs(&Network::new(weights, &problem.architecture))),
    };
    config.temperature = match &problem.cross_validation {
        Some(found) => found.temperature,
        None if settings.temperature_scaling => {
            let rows = validation_rows(weights);
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
        let class =
            settings.refuse_label.as_ref().and_then(|label| config.labels.iter().position(|known| known == label));
        let rows: Vec<Row> = validation_rows(weights).into_iter().map(Row::new).collect();
        let below = threshold(&rows, settings.refuse_share, class);
        config.refusal = below.map(|below| Refusal { below, label: settings.refuse_label.clone() });
    }
}

/// A validation row.
struct Row {
    label: usize,
    predicted: usize,
    /// The probability of the predicted label.
    probability: f64,
}

impl Row {
    fn new((label, logits): (usize, Vec<f32>)) -> Self {
        let logits = Logits::Float(logits);
        let predicted = logits.label();
        Row { label, predicted, probability: logits.log_probabilities()[predicted].exp() }
    }
}

/// Returns [`Refusal::below`] such that at most `share` of the rows are refused, those with the label `class` left out.
/// Rows for which `class` is predicted count as refused. `None` without rows of other labels.
fn threshold(rows: &[Row], share: f64, class: Option<usize>) -> Option<u32> {
    let in_scope = || rows.iter().filter(|row| Some(row.label) != class);
    let mut answered: Vec<f64> =
        in_scope().filter(|row| Some(row.predicted) != class).map(|row| row.probability).collect();
    answered.sort_by(f64::total_cmp);
    let allowed = (share * in_scope().count() as f64) as usize;
    let already_refused = in_scope().count() - answered.len();
    // The first row that must be answered.
    let first = answered.get(allowed.saturating_sub(already_refused))?;
    // Rounded down, so that this row is answered.
    Some(((first * f64::from(Refusal::ONE)) as u32).clamp(1, Refusal::ONE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(label: usize, predicted: usize, probability: f64) -> Row {
        Row { label, predicted, probability }
    }

    /// The number of refused rows of each kind: those of other labels than `class`, and those of `class`.
    fn refused(rows: &[Row], below: u32, class: Option<usize>) -> [usize; 2] {
        let is_refused =
            |row: &Row| row.probability * f64::from(Refusal::ONE) < f64::from(below) || Some(row.predicted) == class;
        let count = |is_class: bool| {
            rows.iter().filter(|row| (Some(row.label) == class) == is_class && is_refused(row)).count()
        };
        [count(false), count(true)]
    }

    #[test]
    fn the_share_of_refused_rows_is_kept() {
        // Ten rows of the labels 0 and 1, and four of label 2, of which one is predicted.
        let mut rows: Vec<Row> = (0..10).map(|n| row(n % 2, 0, 0.5 + 0.05 * n as f64)).collect();
        rows.extend([row(2, 2, 0.9), row(2, 0, 0.3), row(2, 0, 0.52), row(2, 1, 0.99)]);
        for share in [0.0, 0.05, 0.1, 0.2, 0.35, 0.9] {
            let below = threshold(&rows, share, Some(2)).unwrap();
            let [in_scope, others] = refused(&rows, below, Some(2));
            assert_eq!(in_scope, (10.0 * share) as usize, "{share}: {below}");
            assert!(others >= 2, "{share}: {others}");
        }
        // A row whose prediction is a refusal counts.
        rows.push(row(1, 2, 0.2));
        let below = threshold(&rows, 0.1, Some(2)).unwrap();
        assert_eq!(refused(&rows, below, Some(2))[0], 1);
        // Without such a label, all rows count.
        let below = threshold(&rows, 0.2, None).unwrap();
        assert_eq!(refused(&rows, below, None), [3, 0]);
    }

    #[test]
    fn equal_probabilities_are_all_answered() {
        let rows: Vec<Row> = (0..20).map(|_| row(0, 0, 0.75)).collect();
        assert_eq!(threshold(&rows, 0.5, None), Some(49_152));
        assert_eq!(refused(&rows, 49_152, None), [0, 0]);
        assert_eq!(threshold(&[], 0.5, None), None);
        assert_eq!(threshold(&[row(1, 1, 0.5)], 0.5, Some(1)), None);
    }
}
