//! `tern eval`

use super::table::TableArgs;
use super::{Failure, print, visible};
use crate::classifier::{self, Classifier};
use crate::data;
use crate::metrics::Evaluation;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// Options of `tern eval`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern eval models/spam --data test.csv
  tern eval models/spam --data models/spam/validation.csv --json")]
pub struct Args {
    /// Model directory (floats) or device file (integers)
    #[arg(value_name = "DIR|FILE")]
    pub model: PathBuf,
    /// Labelled texts: CSV, TSV or JSONL, a folder LABEL/*.txt, or hf:owner/name
    #[arg(long, value_name = "DATA.csv")]
    pub data: PathBuf,
    /// Layout of the table.
    #[command(flatten)]
    pub table: TableArgs,
    /// Print the figures as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// Prints how a model does on labelled texts.
///
/// # Errors
///
/// Where the model or the table cannot be read, or the table has labels that the model lacks.
pub fn run(args: &Args) -> Result<(), Failure> {
    Ok(work(args)?)
}

fn work(args: &Args) -> anyhow::Result<()> {
    let model = classifier::open(&args.model)?;
    let rows = data::read(&args.data, &args.table.columns())?;
    let examples = data::number(rows, model.labels(), &args.data.display().to_string())?;
    let evaluation = classifier::evaluate(model.as_ref(), &examples);
    if args.json {
        print(to_json(model.as_ref(), &evaluation))
    } else {
        to_text(model.as_ref(), &evaluation).iter().try_for_each(print)
    }
}

fn to_json(model: &dyn Classifier, evaluation: &Evaluation) -> Value {
    let per_class: Map<String, Value> =
        model.labels().iter().cloned().zip(evaluation.per_class().iter().map(|figures| json!(figures))).collect();
    json!({
        "examples": evaluation.examples(),
        "accuracy": evaluation.accuracy(),
        "loss": evaluation.loss(),
        "macro_f1": evaluation.macro_f1(),
        "majority_accuracy": evaluation.majority_accuracy(),
        "per_class": per_class,
    })
}

fn to_text(model: &dyn Classifier, evaluation: &Evaluation) -> Vec<String> {
    let width = model.labels().iter().map(|label| label.chars().count()).max().unwrap_or(0).max(5);
    let mut lines = vec![
        format!("examples {}", evaluation.examples()),
        format!(
            "accuracy {:.4} (always the most frequent label: {:.4})",
            evaluation.accuracy(),
            evaluation.majority_accuracy()
        ),
        format!("loss     {:.4}", evaluation.loss()),
        format!("macro F1 {:.4}", evaluation.macro_f1()),
        String::new(),
        format!("{:width$}  precision  recall      F1  support", "label"),
    ];
    for (label, class) in model.labels().iter().zip(evaluation.per_class()) {
        lines.push(format!(
            "{:width$}  {:>9.4}  {:>6.4}  {:>6.4}  {:>7}",
            visible(label),
            class.precision,
            class.recall,
            class.f1,
            class.support
        ));
    }
    lines
}
