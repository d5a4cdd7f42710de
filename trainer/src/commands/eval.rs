//! `tern eval`: measures a model on a data file.

use super::table::TableArgs;
use super::{open_model, print_output};
use crate::model::DataFile;
use crate::paint::Paint;
use crate::tasks;
use std::path::PathBuf;

/// Options of `tern eval`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern eval models/spam --data test.csv
  tern eval models/spam --data models/spam/validation.csv --json
  tern eval models/novel --data models/novel/validation.txt      # language model
  tern eval models/passengers --data passengers.csv              # forecast
  tern eval spam.safetensors --data test.csv                     # in integers, as on the device")]
pub struct Args {
    /// Model directory (floats) or device file (integers)
    #[arg(value_name = "DIR|FILE")]
    pub model: PathBuf,
    /// Labelled texts (CSV, TSV, JSONL, a folder LABEL/*.txt, hf:owner/name), a text, or a table of numbers
    #[arg(long, value_name = "DATA.csv")]
    pub data: PathBuf,
    #[command(flatten)]
    pub table: TableArgs,
    /// Number of threads; 0: one for each core
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
    /// Print the figures as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// Evaluates a model on a data file and prints the figures.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let data = DataFile { path: &args.data, columns: args.table.columns() };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads).build()?;
    pool.install(|| {
        let model = open_model(&args.model)?;
        let output = tasks::handler_of(&*model).evaluate(&*model, &data, Paint::for_stdout())?;
        print_output(&output, args.json)
    })
}
