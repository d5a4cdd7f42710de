//! Sequence classification: a model predicts one of its labels for a sequence of numbers, such as a window of sensor
//! data. A table has the rows of several sequences, one after the other, and a column with their names.

mod sequence_mistakes;
mod sequence_training;
mod sequences;

use sequence_mistakes::SequenceMistakes;
use sequence_training::LabelledSequences;
pub use sequences::{SequenceTable, logits};

use sequences::analyse;

use super::classification::fold_predictions::{self, FoldPredictions};
use super::classification::{self, class_figures, label_comparison};
use super::interface::{CommandOutput, NamedModel, PredictOptions, TaskData, TaskHandler};
use crate::data::number_table::{LABEL, SEQUENCE};
use crate::data::{Columns, Layout, Row};
use crate::display::visible;
use crate::file_error::FileError;
use crate::float_model::{FloatModel, files};
use crate::logits::Logits;
use crate::model::{DataFile, Model};
use crate::paint::Paint;
use crate::recipe::Recipe;
use crate::report::ValidationResult;
use anyhow::Context;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// The commands of sequence classification.
pub struct SequenceClassification;

impl TaskHandler for SequenceClassification {
    fn prepare(&self, recipe: &mut Recipe, _baselines: bool) -> anyhow::Result<Box<dyn TaskData>> {
        Ok(Box::new(LabelledSequences::read(recipe)?))
    }

    fn evaluate(&self, model: &dyn Model, data: &DataFile<'_>, paint: Paint) -> anyhow::Result<CommandOutput> {
        let analysis = analyse(model, &read(model, data)?, data.path)?;
        Ok(class_figures::figures(model.labels(), &analysis, paint, None))
    }

    fn predict(&self, model: &dyn Model, path: &str, options: PredictOptions) -> anyhow::Result<Vec<CommandOutput>> {
        let channels = model.config().channel_names();
        let sequences = SequenceTable::read(Path::new(path), SEQUENCE, None, &channels, options.layout)?;
        let output = |(sequence, logits): (usize, Logits)| {
            let label = &model.labels()[logits.label()];
            let refused = model.config().refuses(&logits);
            let probability = logits.log_probabilities()[logits.label()].exp();
            let name = sequences.name(sequence);
            let mut json = json!({
                "sequence": name,
                "label": (!refused).then_some(label),
                "probability": probability,
                "logits": logits.to_json(),
                "steps": sequences.spans[sequence].len(),
            });
            if model.config().refusal.is_some() {
                json["refused"] = json!(refused);
            }
            let line = format!("{}\t{}", classification::answer(label, probability, refused), visible(name));
            CommandOutput { json, lines: vec![line] }
        };
        Ok(logits(model, &sequences).into_iter().enumerate().map(output).collect())
    }

    fn compare(&self, models: [NamedModel<'_>; 2], data: &DataFile<'_>, rows: usize) -> anyhow::Result<CommandOutput> {
        let (mut examples, mut predicted): (Vec<Row>, Vec<Vec<String>>) = (Vec::new(), Vec::new());
        for NamedModel { model, .. } in &models {
            let sequences = read(*model, data)?;
            let predictions = analyse(*model, &sequences, data.path)?.predictions;
            predicted.push(predictions.iter().map(|prediction| model.labels()[prediction.predicted].clone()).collect());
            let example = |sequence: usize| Row {
                text: sequences.name(sequence).into(),
                label: sequences.label(sequence).into(),
                line: sequences.table.lines[sequences.spans[sequence].start],
            };
            // The examples are the same for both models, since both read the same table.
            examples = (0..sequences.spans.len()).map(example).collect();
        }
        label_comparison::compare(&examples, &models, [&predicted[0], &predicted[1]], "sequences", rows)
    }

    fn validate(&self, model: &FloatModel, dir: &Path) -> anyhow::Result<ValidationResult> {
        if let Some(FoldPredictions { examples, analysis, metrics }) = fold_predictions::read(dir, model.config())? {
            let mistakes = SequenceMistakes::new(&analysis, examples.iter().map(|example| example.text.as_str()));
            return Ok(ValidationResult { metrics, report: Arc::new(mistakes) });
        }
        let path = dir.join(files::VALIDATION);
        if !path.is_file() {
            return Ok(ValidationResult::none(SequenceMistakes::default()));
        }
        let sequences =
            SequenceTable::read(&path, SEQUENCE, Some(LABEL), &model.config().channel_names(), Layout::default())?;
        let analysis = analyse(model, &sequences, &path)?;
        let mistakes = SequenceMistakes::new(&analysis, sequences.names());
        let metrics = classification::validation(&analysis, model.labels());
        Ok(ValidationResult { metrics, report: Arc::new(mistakes) })
    }
}

/// Copies the first labelled sequences of the table `path` into the file `to` of a model directory: as many as fit into
/// `max_rows` rows, and the first one even if it is longer. Fails if the table cannot be read or has a label that the
/// model lacks, or the file cannot be written.
pub fn copy(path: &Path, columns: &Columns, model: &dyn Model, to: &Path, max_rows: usize) -> anyhow::Result<()> {
    let sequences = read(model, &DataFile { path, columns: columns.clone() })?;
    sequences.classes(model.labels(), path)?;
    let table = &sequences.table;
    let rows = 0..sequences.whole_sequence_rows(max_rows);
    table.write(to, &[SEQUENCE, LABEL], rows).with_context(|| to.display().to_string())
}

/// Reads labelled sequences with the channels of a model. Fails if the table cannot be read or lacks a channel.
fn read(model: &dyn Model, data: &DataFile<'_>) -> Result<SequenceTable, FileError> {
    let (label, channels) = (Some(data.columns.label.as_str()), model.config().channel_names());
    SequenceTable::read(data.path, SEQUENCE, label, &channels, data.columns.layout)
}
