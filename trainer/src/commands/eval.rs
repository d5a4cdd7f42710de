//! `tern eval`

use super::table::TableArgs;
mod paint;

use super::{Failure, print, tasks, visible};
use crate::classifier;
use crate::data;
use crate::metrics::Evaluation;
pub use paint::Paint;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// Options of `tern eval`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern eval models/spam --data test.csv
  tern eval models/spam --data models/spam/validation.csv --json
  tern eval models/novel --data models/novel/validation.txt      # a language model reads text
  tern eval models/passengers --data passengers.csv              # a forecast reads a series
  tern eval spam.safetensors --data test.csv                     # in integers, as the device")]
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
    /// Threads; 0: as many as there are cores
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
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
    rayon::ThreadPoolBuilder::new().num_threads(args.threads).build()?.install(|| measure(args))
}

fn measure(args: &Args) -> anyhow::Result<()> {
    if let Some(model) = tasks::open(&args.model)? {
        return tasks::evaluate(model.as_ref(), args);
    }
    let model = classifier::open(&args.model)?;
    let rows = data::read(&args.data, &args.table.columns())?;
    let examples = data::number(rows, model.labels(), &args.data.display().to_string())?;
    let (evaluation, speed) = classifier::evaluate_timed(model.as_ref(), &examples);
    if args.json {
        let mut object = to_json(model.labels(), &evaluation);
        object["tokens"] = json!(speed.tokens);
        object["tokens_per_s"] = json!(speed.tokens_per_s());
        print(object)
    } else {
        let paint = Paint::for_stdout();
        to_text(model.labels(), &evaluation, paint).iter().try_for_each(print)?;
        let (tokens, rate, threads) = (speed.tokens, speed.tokens_per_s() / 1e3, rayon::current_num_threads());
        print(paint.faint(&format!("\n{tokens} tokens, {rate:.0}k tokens/s on {threads} threads")))?;
        confusion(model.labels(), evaluation.confusion(), paint).iter().try_for_each(print)
    }
}

/// The figures of a classifier, for `--json`.
pub fn to_json(labels: &[String], evaluation: &Evaluation) -> Value {
    let per_class: Map<String, Value> =
        labels.iter().cloned().zip(evaluation.per_class().iter().map(|figures| json!(figures))).collect();
    json!({
        "examples": evaluation.examples(),
        "accuracy": evaluation.accuracy(),
        "loss": evaluation.loss(),
        "macro_f1": evaluation.macro_f1(),
        "majority_accuracy": evaluation.majority_accuracy(),
        "per_class": per_class,
    })
}

/// The figures of a classifier, for people.
pub fn to_text(labels: &[String], evaluation: &Evaluation, paint: Paint) -> Vec<String> {
    let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0).max(5);
    let mut lines = vec![
        format!("examples {}", evaluation.examples()),
        format!(
            "accuracy {} (always the most frequent label: {:.4})",
            paint.bold(&format!("{:.4}", evaluation.accuracy())),
            evaluation.majority_accuracy()
        ),
        format!("loss     {:.4}", evaluation.loss()),
        format!("macro F1 {:.4}", evaluation.macro_f1()),
        String::new(),
        paint.faint(&format!("{:width$}  precision  recall      F1  support", "label")),
    ];
    for (label, class) in labels.iter().zip(evaluation.per_class()) {
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

/// The most labels whose confusion is shown as a matrix: more do not fit into a line.
const MATRIX: usize = 8;
/// The most characters of a label over a column.
const COLUMN: usize = 8;
/// The most pairs of labels in the list that stands for a larger matrix.
const PAIRS: usize = 10;

/// Which labels are taken for which: a row for each label, a column for each prediction; of many labels the most frequent pairs.
fn confusion(labels: &[String], matrix: &[Vec<usize>], paint: Paint) -> Vec<String> {
    let labels: Vec<String> = labels.iter().map(|label| visible(label)).collect();
    if labels.len() > MATRIX {
        return pairs(&labels, matrix, paint);
    }
    let short = |label: &String| label.chars().take(COLUMN).collect::<String>();
    let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0).max(9);
    let head: Vec<String> = labels.iter().map(|label| format!("{:>COLUMN$}", short(label))).collect();
    let mut lines = vec![String::new(), paint.faint(&format!("{:width$}  {}", "said \u{2192}", head.join("  ")))];
    for (index, (label, row)) in labels.iter().zip(matrix).enumerate() {
        let cell = |(predicted, &texts): (usize, &usize)| {
            let text = format!("{texts:>COLUMN$}");
            match (texts, predicted == index) {
                (0, _) => paint.faint(&text),
                (_, true) => paint.right(&text),
                (_, false) => paint.wrong(&text),
            }
        };
        let cells: Vec<String> = row.iter().enumerate().map(cell).collect();
        lines.push(format!("{label:width$}  {}", cells.join("  ")));
    }
    lines
}

fn pairs(labels: &[String], matrix: &[Vec<usize>], paint: Paint) -> Vec<String> {
    let mut pairs: Vec<(usize, usize, usize)> = Vec::new();
    for (label, row) in matrix.iter().enumerate() {
        pairs.extend(row.iter().enumerate().filter(|(p, n)| *p != label && **n > 0).map(|(p, n)| (*n, label, p)));
    }
    if pairs.is_empty() {
        return Vec::new();
    }
    pairs.sort_by(|a, b| b.0.cmp(&a.0).then(a.cmp(b)));
    let mut lines = vec![String::new(), paint.faint("taken for another label most often")];
    let line = |&(texts, label, predicted): &(usize, usize, usize)| {
        let (count, of) = (paint.wrong(&format!("{texts:>6}")), matrix[label].iter().sum::<usize>());
        format!("{count} of {of} {}: said {}", labels[label], labels[predicted])
    };
    lines.extend(pairs.iter().take(PAIRS).map(line));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|index| format!("label {index}")).collect()
    }

    #[test]
    fn a_small_matrix_is_shown_whole() {
        let lines = confusion(&names(2), &[vec![3, 1], vec![0, 5]], Paint::plain());
        assert_eq!(lines[2].split_whitespace().collect::<Vec<_>>(), ["label", "0", "3", "1"]);
        assert_eq!(lines[3].split_whitespace().collect::<Vec<_>>(), ["label", "1", "0", "5"]);
        assert!(!lines.concat().contains('\u{1b}'));
        assert!(confusion(&names(2), &[vec![3, 1], vec![0, 5]], Paint::coloured()).concat().contains('\u{1b}'));
    }

    #[test]
    fn of_many_labels_the_most_frequent_pairs_are_listed() {
        let mut matrix = vec![vec![0; 151]; 151];
        (0..151).for_each(|index| matrix[index][index] = 10);
        assert!(confusion(&names(151), &matrix, Paint::plain()).is_empty());
        (1..30).for_each(|index| matrix[index][0] = index);
        let lines = confusion(&names(151), &matrix, Paint::plain());
        assert_eq!(lines.len(), 2 + PAIRS);
        assert_eq!(lines[2], "    29 of 39 label 29: said label 0");
    }
}
