//! `tern compare`: compares two models of the same task on the same data.

use super::table::TableArgs;
use super::{open_model, print_output};
use crate::model::{DataFile, Model};
use crate::tasks::{self, NamedModel};
use anyhow::bail;
use std::path::PathBuf;

/// Options of `tern compare`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern compare models/small models/large --data test.csv
  tern compare models/spam spam.safetensors --data test.csv --json
  tern compare models/novel models/longer --data test.txt

Both models must have the same task. Classifiers are compared by McNemar's test on the examples that
only one of them predicts correctly. Language models with the same tokens, and forecasts of the same
columns, are compared by the 95 % interval of the difference of their losses. Use data that are neither
training nor validation data of one of the models.")]
pub struct Args {
    /// First model: model directory (floats) or device file (integers)
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// Second model
    #[arg(value_name = "B")]
    pub b: PathBuf,
    /// Labelled texts or sequences, a text, or a time series
    #[arg(long, value_name = "DATA.csv")]
    pub data: PathBuf,
    #[command(flatten)]
    pub table: TableArgs,
    /// Largest number of examples to show that the models predict differently
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub rows: usize,
    /// Print one JSON object on stdout, with all differing examples
    #[arg(long)]
    pub json: bool,
}

/// Compares two models and prints the result. Fails if they have different tasks or inputs.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let [a, b] = [open_model(&args.a)?, open_model(&args.b)?];
    let task_and_input =
        |model: &dyn Model| format!("{} on {}", model.config().task.name(), model.config().input.name());
    let (task_a, task_b) = (task_and_input(&*a), task_and_input(&*b));
    if task_a != task_b {
        let (path_a, path_b) = (args.a.display(), args.b.display());
        bail!("{path_a} is for {task_a} and {path_b} for {task_b}: expected two models of the same task");
    }
    let models = [NamedModel { path: &args.a, model: &*a }, NamedModel { path: &args.b, model: &*b }];
    let data = DataFile { path: &args.data, columns: args.table.columns() };
    let output = tasks::handler_of(&*a).compare(models, &data, args.rows)?;
    print_output(&output, args.json)
}
