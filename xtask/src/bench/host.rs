//! `cargo xtask bench host`: compares the speed of integer models on this machine with that of the float models that
//! they were exported from.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};

use super::median;
use crate::data;
use crate::process::run as run_process;
use crate::tern::Tern;

/// The number of runs of each model over the texts.
const TURNS: usize = 9;

/// Options of `bench host`.
#[derive(Debug, Args)]
pub struct Options {
    /// Model directory to measure; without it, small models are trained on generated messages and measured.
    #[arg(long, value_name = "DIR", requires = "data")]
    pub model: Option<PathBuf>,
    /// Texts to run the model over.
    #[arg(long, value_name = "CSV", requires = "model")]
    pub data: Option<PathBuf>,
    /// Print one JSON object for each row.
    #[arg(long)]
    pub json: bool,
}

/// The small models: name, options for `tern train`, options for `tern export`.
const CASES: [(&str, &[&str], &[&str]); 5] = [
    ("lstm paired16", &["--cell", "lstm"], &["--packing", "paired16"]),
    ("lstm interleaved4", &["--cell", "lstm"], &["--packing", "interleaved4"]),
    ("gru", &["--cell", "gru"], &[]),
    ("rnn", &["--cell", "rnn"], &[]),
    ("lstm, both directions", &["--bidirectional"], &[]),
];

/// Runs `cargo xtask bench host`.
pub fn run(options: &Options) -> Result<()> {
    let tern = Tern::build()?;
    let folder = super::folder("bench-host")?;
    if !options.json {
        println!("{:<24}{:>16}{:>18}{:>8}", "model", "float tokens/s", "integer tokens/s", "ratio");
    }
    if let (Some(model), Some(data)) = (&options.model, &options.data) {
        let name = model.file_name().unwrap_or(OsStr::new("model")).to_string_lossy().into_owned();
        return compare(&tern, &name, model, &[], data, &folder, options.json);
    }
    data::write(&folder, tern_messages::SEED)?;
    let texts = folder.join("train.csv");
    for (name, training, export) in CASES {
        // Cases that differ only in their export share a trained model, and a later run uses it again.
        let model = folder.join(training.concat().trim_start_matches('-'));
        if !model.join("model.safetensors").is_file() {
            let mut train = tern.command();
            train
                .arg("train")
                .arg(&texts)
                .args(["--epochs", "1", "--ngram-buckets", "0", "-o"])
                .arg(&model)
                .args(training);
            run_process(train.stdout(Stdio::null()))?;
        }
        compare(&tern, name, &model, export, &texts, &folder, options.json)?;
    }
    Ok(())
}

/// Exports a model, evaluates the float and the integer model in turn, and prints their speeds.
fn compare(
    tern: &Tern,
    name: &str,
    model: &Path,
    export: &[&str],
    data: &Path,
    folder: &Path,
    as_json: bool,
) -> Result<()> {
    let exported = folder.join("model.safetensors");
    let mut command = tern.command();
    command.arg("export").arg(model).arg("-o").arg(&exported).args(export);
    run_process(command.stdout(Stdio::null()))?;
    let mut tokens_per_s = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for (rates, measured) in tokens_per_s.iter_mut().zip([model, &exported]) {
            let threads: [&OsStr; 2] = ["--threads".as_ref(), "1".as_ref()];
            let arguments = [["eval".as_ref(), measured.as_os_str()], ["--data".as_ref(), data.as_os_str()], threads];
            let object = tern.json(arguments.as_flattened())?;
            rates.push(object["tokens_per_s"].as_f64().context("`tern eval --json` printed no `tokens_per_s`")?);
        }
    }
    let [float, integer] = tokens_per_s;
    let ratio = median(float.iter().zip(&integer).map(|(float, integer)| integer / float).collect());
    let (float, integer) = (median(float), median(integer));
    if as_json {
        println!("{}", row(name, float, integer, ratio));
    } else {
        println!("{name:<24}{float:>16.0}{integer:>18.0}{ratio:>8.2}");
    }
    Ok(())
}

/// Returns a row as a JSON object.
fn row(name: &str, float: f64, integer: f64, ratio: f64) -> Value {
    let hundredths = |value: f64| (value * 100.0).round() / 100.0;
    json!({
        "model": name,
        "float_tokens_per_s": float.round(),
        "integer_tokens_per_s": integer.round(),
        "ratio": hundredths(ratio),
    })
}
