//! `cargo xtask bench host`: compares the speed of models on this machine before and after `tern export`, which
//! quantises a float model (a model directory) to an integer model (a device file).

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

/// The number of runs of each model over the texts. The speeds are medians over the runs.
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

/// A small model to train and measure.
struct Case {
    /// The name in the table.
    name: &'static str,
    /// The folder of the trained model. Cases that differ only in their export share it.
    folder: &'static str,
    /// Options for `tern train`.
    train: &'static [&'static str],
    /// Options for `tern export`. A packing is an order of the recurrent weights in the device file.
    export: &'static [&'static str],
}

/// The small models.
const CASES: [Case; 5] = [
    Case { name: "lstm paired16", folder: "lstm", train: &["--cell", "lstm"], export: &["--packing", "paired16"] },
    Case {
        name: "lstm interleaved4",
        folder: "lstm",
        train: &["--cell", "lstm"],
        export: &["--packing", "interleaved4"],
    },
    Case { name: "gru", folder: "gru", train: &["--cell", "gru"], export: &[] },
    Case { name: "rnn", folder: "rnn", train: &["--cell", "rnn"], export: &[] },
    Case { name: "lstm, both directions", folder: "lstm-bidirectional", train: &["--bidirectional"], export: &[] },
];

/// Runs `cargo xtask bench host`.
pub fn run(options: &Options) -> Result<()> {
    let tern = Tern::build()?;
    let folder = super::folder("bench-host")?;
    if !options.json {
        println!("{:<24}{:>16}{:>18}{:>8}", "model", "float tokens/s", "integer tokens/s", "ratio");
    }
    let print = |name: &str, speeds: Speeds| {
        if options.json {
            println!("{}", speeds.row(name));
        } else {
            let Speeds { float, integer, ratio } = speeds;
            println!("{name:<24}{float:>16.0}{integer:>18.0}{ratio:>8.2}");
        }
    };
    let device_file = folder.join("model.safetensors");
    if let (Some(model), Some(data)) = (&options.model, &options.data) {
        export(&tern, model, &[], &device_file)?;
        let name = model.file_name().unwrap_or(OsStr::new("model")).to_string_lossy();
        print(&name, compare(&tern, model, &device_file, data)?);
        return Ok(());
    }
    data::write(&folder, tern_messages::SEED)?;
    let texts = folder.join("train.csv");
    for case in CASES {
        let model = folder.join(case.folder);
        // A model that an earlier case or run has trained is used again.
        if !model.join("model.safetensors").is_file() {
            let mut command = tern.command();
            command.arg("train").arg(&texts).arg("-o").arg(&model);
            command.args(["--epochs", "1", "--ngram-buckets", "0"]).args(case.train);
            run_process(command.stdout(Stdio::null()))?;
        }
        export(&tern, &model, case.export, &device_file)?;
        print(case.name, compare(&tern, &model, &device_file, &texts)?);
    }
    Ok(())
}

/// Runs `tern export` with more options.
fn export(tern: &Tern, model: &Path, options: &[&str], device_file: &Path) -> Result<()> {
    let mut command = tern.command();
    command.arg("export").arg(model).arg("-o").arg(device_file).args(options);
    run_process(command.stdout(Stdio::null()))
}

/// The speeds of a model before and after its export.
struct Speeds {
    /// Tokens per second of the float model.
    float: f64,
    /// Tokens per second of the integer model.
    integer: f64,
    /// The median over the runs of `integer / float`.
    ratio: f64,
}

impl Speeds {
    /// Returns a row as a JSON object.
    fn row(&self, name: &str) -> Value {
        json!({
            "model": name,
            "float_tokens_per_s": self.float.round(),
            "integer_tokens_per_s": self.integer.round(),
            "ratio": (self.ratio * 100.0).round() / 100.0,
        })
    }
}

/// Measures both models over the texts of `data`, in turn, so that other load on the machine affects both.
fn compare(tern: &Tern, model: &Path, device_file: &Path, data: &Path) -> Result<Speeds> {
    let (mut float, mut integer, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let float_speed = tokens_per_s(tern, model, data)?;
        let integer_speed = tokens_per_s(tern, device_file, data)?;
        float.push(float_speed);
        integer.push(integer_speed);
        ratios.push(integer_speed / float_speed);
    }
    Ok(Speeds { float: median(float), integer: median(integer), ratio: median(ratios) })
}

/// Evaluates a float or an integer model on one thread and returns the tokens per second.
fn tokens_per_s(tern: &Tern, model: &Path, data: &Path) -> Result<f64> {
    let arguments: [&OsStr; 6] =
        ["eval".as_ref(), model.as_ref(), "--data".as_ref(), data.as_ref(), "--threads".as_ref(), "1".as_ref()];
    let figures = tern.json(arguments)?;
    figures["tokens_per_s"].as_f64().context("`tern eval --json` printed no `tokens_per_s`")
}
