//! The figures of a training.

use crate::baselines::{self, Baseline};
use crate::classifier::{self, Classifier, Logits};
use crate::data::Example;
use crate::float_model::FloatModel;
use crate::metrics::Evaluation;
use crate::train::{Ending, EpochFigures, Outcome};
use serde_json::{Map, Value, json};

/// Everything that a report shows.
#[derive(Clone, Debug)]
pub struct Figures {
    /// How the kept weights do on the held-out rows.
    pub validation: Evaluation,
    /// The labels, in the order of the evaluation's classes.
    pub labels: Vec<String>,
    /// All epochs in turn.
    pub history: Vec<EpochFigures>,
    /// The epoch that was kept, from 1.
    pub best_epoch: usize,
    /// Why the training ended.
    pub ending: Ending,
    /// Number of examples learnt from, by class.
    pub train_support: Vec<usize>,
    /// Number of tokens of each example learnt from.
    pub lengths: Vec<usize>,
    /// Validation texts that were learnt from as well.
    pub leaked: usize,
    /// Training texts that were cut.
    pub cut: usize,
    /// Values in the model.
    pub parameters: usize,
    /// Simpler models on the same rows. Empty where none was trained.
    pub baselines: Vec<Baseline>,
    /// The held-out rows that the model got wrong, the most confident first.
    pub mistakes: Vec<Mistake>,
}

/// A held-out row that the model got wrong.
#[derive(Clone, Debug)]
pub struct Mistake {
    /// The text.
    pub text: String,
    /// Its label.
    pub label: usize,
    /// The label predicted.
    pub predicted: usize,
    /// The probability of that.
    pub probability: f64,
}

impl Figures {
    /// Evaluates `model` on its held-out rows and gathers the rest.
    pub fn new(model: &FloatModel, train: &[Example], leaked: usize, outcome: &Outcome) -> Self {
        let validation = classifier::evaluate(model, model.validation());
        let mut train_support = vec![0; model.labels().len()];
        for example in train {
            train_support[example.label] += 1;
        }
        Figures {
            validation,
            labels: Classifier::labels(model).to_vec(),
            history: outcome.history.clone(),
            best_epoch: outcome.best_epoch,
            ending: outcome.ending,
            train_support,
            lengths: train.iter().map(|example| model.vocabulary().encode(&example.text).len()).collect(),
            leaked,
            cut: outcome.cut,
            parameters: model.weights().count(),
            baselines: Vec::new(),
            mistakes: mistakes(model),
        }
    }

    /// The content of `metrics.json`.
    pub fn to_json(&self) -> Value {
        let validation = &self.validation;
        let per_class: Map<String, Value> =
            self.labels.iter().cloned().zip(validation.per_class().iter().map(|figures| json!(figures))).collect();
        let mut figures = json!({
            "best_epoch": self.best_epoch,
            "epochs": self.history.len(),
            "ending": self.ending,
            "train_examples": self.lengths.len(),
            "parameters": self.parameters,
            "validation": {
                "examples": validation.examples(),
                "accuracy": validation.accuracy(),
                "loss": validation.loss(),
                "macro_f1": validation.macro_f1(),
                "majority_accuracy": validation.majority_accuracy(),
                "also_in_training": self.leaked,
                "per_class": per_class,
                "confusion": validation.confusion(),
            },
            "history": self.history,
        });
        if !self.baselines.is_empty() {
            figures["baselines"] = baselines::to_json(&self.baselines);
        }
        figures
    }

    /// The figures in two lines.
    pub fn summary(&self) -> [String; 2] {
        let validation = &self.validation;
        [
            format!(
                "best epoch {}: validation accuracy {:.4} ({} of {}), always the most frequent label: {:.4}",
                self.best_epoch,
                validation.accuracy(),
                validation.examples() - self.mistakes.len(),
                validation.examples(),
                validation.majority_accuracy()
            ),
            format!(
                "validation loss {:.4}, macro F1 {:.4}, {} parameters",
                validation.loss(),
                validation.macro_f1(),
                self.parameters
            ),
        ]
    }
}

fn mistakes(model: &FloatModel) -> Vec<Mistake> {
    let mut mistakes: Vec<Mistake> = model
        .validation()
        .iter()
        .filter_map(|example| {
            let logits = Logits::Float(model.logits(&example.text));
            let predicted = logits.label();
            (predicted != example.label).then(|| Mistake {
                text: example.text.clone(),
                label: example.label,
                predicted,
                probability: logits.log_probabilities()[predicted].exp(),
            })
        })
        .collect();
    mistakes.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    mistakes
}
