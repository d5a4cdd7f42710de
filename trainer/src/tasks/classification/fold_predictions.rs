//! The predictions of a cross-validation in the file `cross_validation.jsonl` of the model directory: one JSON object
//! for each training row. The report and the model card use these predictions, since the model itself was trained on
//! all rows.

use super::{Analysis, validation};
use crate::data::Example;
use crate::float_model::{Config, files};
use crate::logits::{Logits, class_logits};
use crate::train::{CrossValidation, Problem, Target};
use crate::write_file::write_file;
use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::Path;

/// A line of the file: the prediction for a training row by the network of its fold, which was not trained on the row.
#[derive(Serialize, Deserialize)]
struct FoldPrediction {
    /// The text, or the name of the sequence.
    example: String,
    /// The true label.
    label: String,
    /// The fold, from 1.
    fold: usize,
    /// The predicted label.
    predicted: String,
    /// The probability of the predicted label.
    probability: f64,
    /// Number of tokens or time steps.
    steps: usize,
    /// One logit for each label of the model, in the model's order.
    logits: Vec<f32>,
}

/// The content of the file.
pub struct FoldPredictions {
    /// The training rows. For sequences, the text of an example is the sequence's name.
    pub examples: Vec<Example>,
    /// The analysis of the predictions.
    pub analysis: Analysis,
    /// The object `validation` of `metrics.json`.
    pub metrics: Value,
}

/// Writes the predictions of the cross-validation `found` of `problem` into the model directory `dir`. `names`: the
/// text of each training row, or the name of each sequence. Fails if the file cannot be written.
pub fn write<'a>(
    dir: &Path,
    labels: &[String],
    names: impl Iterator<Item = &'a str>,
    problem: &Problem,
    found: &CrossValidation,
) -> anyhow::Result<()> {
    let mut lines = String::new();
    for (((name, sample), fold), outputs) in names.zip(&problem.train).zip(&problem.folds).zip(&found.outputs) {
        let Target::Class(label) = sample.target else { continue };
        let values = class_logits(outputs);
        let logits = Logits::Float(values.clone());
        let line = FoldPrediction {
            example: name.to_owned(),
            label: labels[label].clone(),
            fold: fold + 1,
            predicted: labels[logits.label()].clone(),
            // Rounding can make the probability slightly larger than 1.
            probability: logits.log_probabilities()[logits.label()].exp().min(1.0),
            steps: sample.steps.len(),
            logits: values,
        };
        lines += &serde_json::to_string(&line)?;
        lines.push('\n');
    }
    let path = dir.join(files::CROSS_VALIDATION);
    write_file(&path, lines.as_bytes()).with_context(|| path.display().to_string())
}

/// Reads the predictions from a model directory; `None` if the model was not cross-validated. Fails if the file cannot
/// be read, or a line is not a prediction for a model with this configuration.
pub fn read(dir: &Path, config: &Config) -> anyhow::Result<Option<FoldPredictions>> {
    let labels = &config.labels;
    let path = dir.join(files::CROSS_VALIDATION);
    if !path.is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let (mut examples, mut outputs, mut folds) = (Vec::new(), Vec::new(), 0);
    for (number, line) in (1..).zip(text.lines()) {
        let fault = |found: String| {
            anyhow!(
                "{}: line {number}: {found}; expected the file that `tern train` writes: train again",
                path.display()
            )
        };
        let row: FoldPrediction = serde_json::from_str(line).map_err(|error| fault(error.to_string()))?;
        let label = labels.iter().position(|label| *label == row.label);
        let label = label.ok_or_else(|| fault(format!("the model has no label {:?}", row.label)))?;
        if row.logits.len() != labels.len() {
            return Err(fault(format!("{} logits for {} labels", row.logits.len(), labels.len())));
        }
        examples.push(Example { text: row.example.into(), label });
        outputs.push((label, Logits::Float(row.logits), row.steps));
        // The folds are numbered from 1.
        folds = folds.max(row.fold);
    }
    let analysis = Analysis::of(config, outputs.into_iter());
    let mut metrics = validation(&analysis, labels);
    metrics["folds"] = json!(folds);
    Ok(Some(FoldPredictions { examples, analysis, metrics }))
}
