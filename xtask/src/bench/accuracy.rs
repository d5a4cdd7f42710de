//! `cargo xtask bench accuracy`: runs `tern fit`, the search for the best model that fits a flash budget, on public
//! data sets and prints the accuracy of the quantised models (device files) that it chooses.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use crate::tern::Tern;

/// A data set and a flash budget.
struct Case {
    /// The folder of the data set.
    data: &'static str,
    /// The value of `--flash`.
    flash: &'static str,
    /// True if the data set has its validation rows in `valid.csv`.
    has_validation: bool,
    /// The label of rows that belong to none of the other labels, if there is one. The accuracy is then measured on the
    /// other rows only, as is usual for the data set.
    out_of_scope: Option<&'static str>,
    /// True if the data set has sequences of numbers, false for texts.
    reads_values: bool,
}

/// The searches to run.
const CASES: [Case; 7] = [
    Case::new("sms_spam", "16KB"),
    Case { has_validation: true, ..Case::new("snips", "32KB") },
    Case::new("names18", "32KB"),
    Case { has_validation: true, out_of_scope: Some("oos"), ..Case::new("clinc150", "128KB") },
    Case { reads_values: true, ..Case::new("indoor_movement", "8KB") },
    Case::new("imdb", "64KB"),
    Case::new("imdb", "256KB"),
];

impl Case {
    /// A data set of texts without validation rows and without rows out of scope.
    const fn new(data: &'static str, flash: &'static str) -> Self {
        Case { data, flash, has_validation: false, out_of_scope: None, reads_values: false }
    }
}

/// Options of `bench accuracy`.
#[derive(Debug, Args)]
pub struct Options {
    /// Folder with a folder for each data set: sms_spam, snips, names18, clinc150, indoor_movement, imdb. Each holds
    /// `train.csv`, those of snips and clinc150 also `valid.csv`. Missing ones are left out.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Run this data set only.
    #[arg(long, value_name = "NAME")]
    pub only: Option<String>,
    /// Run with the seeds from 1 to this number.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seeds: u64,
    /// Candidates of each search.
    #[arg(long, value_name = "N", default_value_t = 24)]
    pub trials: usize,
    /// Time limit of each search, such as 30m, as for `tern fit`.
    #[arg(long, value_name = "TIME")]
    pub time: Option<String>,
    /// Print one JSON object for each search.
    #[arg(long)]
    pub json: bool,
}

/// Runs `cargo xtask bench accuracy`. Fails if no data set is found or a search fails.
pub fn run(options: &Options) -> Result<()> {
    let tern = Tern::build()?;
    let folder = super::folder("accuracy")?;
    let is_wanted = |case: &&Case| options.only.as_ref().is_none_or(|only| only == case.data);
    let mut searches = 0;
    if !options.json {
        println!(
            "| data | budget | seed | accuracy | linear model | file | RAM | instructions per token | minutes | model |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|");
    }
    for case in CASES.iter().filter(is_wanted) {
        let train = options.data.join(case.data).join("train.csv");
        if !train.is_file() {
            eprintln!("{} is missing; left out", train.display());
            continue;
        }
        for seed in 1..=options.seeds {
            searches += 1;
            let output = folder.join(format!("{}-{}-{seed}", case.data, case.flash));
            let row = search(&tern, case, options, seed, &output)?;
            if options.json { println!("{row}") } else { println!("{}", line(&row)) }
        }
    }
    ensure!(searches > 0, "{}: no data set found; see --help for the names of the files", options.data.display());
    Ok(())
}

/// Runs `tern fit` with one seed and returns a row of the table as JSON. For a data set with rows out of scope, also
/// evaluates the device file. `output`: the folder that `tern fit` writes.
fn search(tern: &Tern, case: &Case, options: &Options, seed: u64, output: &Path) -> Result<Value> {
    let data = options.data.join(case.data);
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut arguments = vec!["fit".to_owned(), text(&data.join("train.csv")), "-o".to_owned(), text(output)];
    let mut add_option = |option: &str, value: String| arguments.extend([option.to_owned(), value]);
    add_option("--flash", case.flash.to_owned());
    add_option("--seed", seed.to_string());
    add_option("--trials", options.trials.to_string());
    if case.has_validation {
        add_option("--valid", text(&data.join("valid.csv")));
    }
    if case.reads_values {
        add_option("--input", "values".to_owned());
    }
    if let Some(time) = &options.time {
        add_option("--time", time.clone());
    }

    let start = Instant::now();
    let figures = tern.json(&arguments)?;
    let minutes = start.elapsed().as_secs_f64() / 60.0;
    let file = figures["device_file"].as_str().context("`tern fit` named no device file")?;
    let mut accuracy = figures["accuracy"].as_f64().context("`tern fit` printed no accuracy")?;
    if let Some(label) = case.out_of_scope {
        let validation = text(&output.join("validation.csv"));
        let evaluation = tern.json(["eval", file, "--data", &validation])?;
        accuracy = in_scope_accuracy(&evaluation, label).context("`tern eval` printed no figures by class")?;
    }
    Ok(json!({
        "data": case.data,
        "flash": case.flash,
        "seed": seed,
        "accuracy": accuracy,
        "out_of_scope": case.out_of_scope,
        "linear_accuracy": figures["linear_accuracy"],
        "file_bytes": figures["file_bytes"],
        "scratch_bytes": figures["scratch_bytes"],
        "instructions_per_token": figures["instructions_per_token"],
        "minutes": minutes,
        "network": figures["network"],
    }))
}

/// Returns the accuracy on the rows of all labels but `out_of_scope`, from the figures of `tern eval --json`.
fn in_scope_accuracy(evaluation: &Value, out_of_scope: &str) -> Option<f64> {
    let classes = evaluation["per_class"].as_object()?.iter().filter(|(label, _)| *label != out_of_scope);
    let (mut correct, mut rows) = (0.0, 0.0);
    for (_, class) in classes {
        // The number of rows with this label; the recall is the share of them that is predicted correctly.
        let support = class["support"].as_f64()?;
        correct += class["recall"].as_f64()? * support;
        rows += support;
    }
    Some(correct / rows)
}

/// Formats a row of the table as Markdown.
fn line(row: &Value) -> String {
    let text = |key: &str| row[key].as_str().unwrap_or_default();
    let number = |key: &str| row[key].as_f64().unwrap_or_default();
    let scope = row["out_of_scope"].as_str().map_or(String::new(), |label| format!(" without `{label}`"));
    let linear = row["linear_accuracy"].as_f64().map_or("–".to_owned(), |accuracy| format!("{accuracy:.4}"));
    format!(
        "| {}{scope} | {} | {} | {:.4} | {linear} | {} | {} | {} | {:.1} | {} |",
        text("data"),
        text("flash"),
        row["seed"],
        number("accuracy"),
        row["file_bytes"],
        row["scratch_bytes"],
        row["instructions_per_token"],
        number("minutes"),
        text("network"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_out_of_scope_do_not_count() {
        let class = |recall: f64, support: u32| json!({ "recall": recall, "support": support });
        let evaluation = json!({ "per_class": { "a": class(0.5, 10), "b": class(1.0, 30), "oos": class(0.0, 60) } });
        assert_eq!(in_scope_accuracy(&evaluation, "oos"), Some(0.875));
        assert_eq!(in_scope_accuracy(&json!({}), "oos"), None);
    }

    #[test]
    fn a_row_has_a_cell_for_each_column() {
        let row = json!({ "data": "clinc150", "flash": "128KB", "seed": 1, "accuracy": 0.93, "out_of_scope": "oos",
            "linear_accuracy": null, "file_bytes": 9, "scratch_bytes": 8, "instructions_per_token": 7, "minutes": 1.25,
            "network": "n-grams" });
        assert_eq!(line(&row), "| clinc150 without `oos` | 128KB | 1 | 0.9300 | – | 9 | 8 | 7 | 1.2 | n-grams |");
    }
}
