//! `tern compare`

mod diebold_mariano;
mod labels;
mod losses;
mod mcnemar;

use super::table::TableArgs;
use super::{Failure, print};
use crate::classifier::{self, Classifier};
use crate::data::number_table::{self, Wanted};
use crate::data::{self, Example, Row};
use crate::model::{self, Sequential};
use crate::task::{Input, Task};
use crate::tasks::language_model;
use crate::tasks::sequence_classification::{self, SEQUENCE, Sequences};
use anyhow::bail;
use rayon::prelude::*;
use serde::Serialize;
use std::path::PathBuf;

/// The error that one is ready to make when one calls a difference real.
const ALPHA: f64 = 0.05;

/// Options of `tern compare`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern compare models/small models/large --data test.csv
  tern compare models/spam spam.safetensors --data test.csv --json
  tern compare models/novel models/longer --data test.txt

Both models read the same data. Of classifiers, McNemar's test looks at the texts or sequences that only
one of them gets right: were the models equally good, each would be a fair coin's throw. Of language
models with the same tokens, and of forecasts of the same columns, the test of Diebold and Mariano looks
at the differences of their losses. Take data that neither model has learnt from or was chosen by.")]
pub struct Args {
    /// The one: model directory (floats) or device file (integers)
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// The other
    #[arg(value_name = "B")]
    pub b: PathBuf,
    /// What both read: labelled texts or sequences, a text, or a series
    #[arg(long, value_name = "DATA.csv")]
    pub data: PathBuf,
    /// Layout of the table.
    #[command(flatten)]
    pub table: TableArgs,
    /// The most rows to show on which they differ
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub rows: usize,
    /// Print everything as one JSON object on stdout, all differing rows in it
    #[arg(long)]
    pub json: bool,
}

/// Compares two models.
///
/// # Errors
///
/// Where a model or the data cannot be read, the data have labels that a model lacks, or the models cannot be compared.
pub fn run(args: &Args) -> Result<(), Failure> {
    Ok(work(args)?)
}

fn work(args: &Args) -> anyhow::Result<()> {
    let [a, b] = [model::open(&args.a)?, model::open(&args.b)?];
    let kind = |model: &dyn Sequential| (model.config().task, model.config().input);
    match (kind(a.as_ref()), kind(b.as_ref())) {
        ((Task::Classify, Input::Tokens), (Task::Classify, Input::Tokens)) => texts(args),
        ((Task::Classify, Input::Values), (Task::Classify, Input::Values)) => of_sequences([&*a, &*b], args),
        ((Task::LanguageModel, _), (Task::LanguageModel, _)) => {
            let found = losses::language([&*a, &*b], &language_model::read(&args.data)?, args)?;
            show(&found, args.json, losses::Comparison::lines)
        }
        ((Task::Forecast, _), (Task::Forecast, _)) => {
            let table = |model: &dyn Sequential| {
                let numbers: Vec<String> = model.config().channels.iter().map(|of| of.name.clone()).collect();
                let delimiter = args.table.columns().delimiter;
                number_table::read(&args.data, &Wanted { texts: &[], numbers: &numbers, delimiter })
            };
            let found = losses::forecast([&*a, &*b], [table(&*a)?, table(&*b)?], args)?;
            show(&found, args.json, losses::Comparison::lines)
        }
        ((task_a, input_a), (task_b, input_b)) => bail!(
            "{} is for {} on {} and {} for {} on {}: expected two models of the same task, which answer the same question",
            args.a.display(),
            task_a.name(),
            input_a.name(),
            args.b.display(),
            task_b.name(),
            input_b.name()
        ),
    }
}

fn show<C: Serialize>(comparison: &C, json: bool, lines: impl Fn(&C) -> Vec<String>) -> anyhow::Result<()> {
    if json { print(serde_json::to_string(comparison)?) } else { lines(comparison).iter().try_for_each(print) }
}

/// Two classifiers of texts.
fn texts(args: &Args) -> anyhow::Result<()> {
    let models = [classifier::open(&args.a)?, classifier::open(&args.b)?];
    let rows = data::read(&args.data, &args.table.columns())?;
    let path = args.data.display().to_string();
    let mut answers: Vec<Vec<String>> = Vec::new();
    for model in &models {
        // Refuses labels that this model lacks.
        let examples = data::number(rows.clone(), model.labels(), &path)?;
        answers.push(predict(model.as_ref(), &examples));
    }
    let found = labels::compare(&rows, [&args.a, &args.b], [&answers[0], &answers[1]]);
    show(&found, args.json, |found| labels::to_text(found, args.rows))
}

fn predict(model: &dyn Classifier, examples: &[Example]) -> Vec<String> {
    examples.par_iter().map(|example| model.labels()[model.classify(&example.text).logits.label()].clone()).collect()
}

/// Two classifiers of sequences of numbers.
fn of_sequences(models: [&dyn Sequential; 2], args: &Args) -> anyhow::Result<()> {
    let columns = args.table.columns();
    let (mut rows, mut answers): (Vec<Row>, Vec<Vec<String>>) = (Vec::new(), Vec::new());
    for model in models {
        let channels: Vec<String> = model.config().channels.iter().map(|channel| channel.name.clone()).collect();
        let all = Sequences::read(&args.data, SEQUENCE, Some(&columns.label), &channels, columns.delimiter)?;
        let said = sequence_classification::analyse(model, &all, &args.data)?.predictions;
        answers.push(said.iter().map(|answer| model.config().labels[answer.predicted].clone()).collect());
        let row = |sequence: usize| Row {
            text: all.name(sequence).to_owned(),
            label: all.label(sequence).to_owned(),
            line: all.table.lines[all.spans[sequence].start],
        };
        rows = (0..all.spans.len()).map(row).collect();
    }
    let found = labels::compare(&rows, [&args.a, &args.b], [&answers[0], &answers[1]]);
    show(&found, args.json, |found| labels::to_text(found, args.rows))
}

fn probability(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".to_owned() } else { format!("= {p:.4}") }
}
