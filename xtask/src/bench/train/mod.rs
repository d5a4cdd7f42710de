//! `cargo xtask bench train`: compares the speed of training in Tern, PyTorch and candle-nn.
//!
//! `plan` lists the networks and programs. Each program runs as a process, a `worker`. On request, a worker trains one
//! pass over the random texts, which are the same for all programs: a turn. The programs of one network take their
//! turns alternately, so that other load on the machine affects all of them; the ratios are medians over the turns.

mod memory;
pub mod plan;
mod table;
pub mod texts;
mod worker;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::process::{self, cargo, probe};
use crate::repo;
use plan::{Network, Program};
use worker::Worker;

/// The worker that trains with PyTorch.
pub const PYTORCH: &str = include_str!("pytorch.py");

/// Options of `bench train`.
#[derive(Debug, Args)]
pub struct Options {
    /// Print one JSON object for each row.
    #[arg(long)]
    pub json: bool,
    /// Compare the programs on one network only, and take three turns instead of seven.
    #[arg(long)]
    pub quick: bool,
    /// Python interpreter that has PyTorch; without PyTorch, the rows of PyTorch are left out.
    #[arg(long, value_name = "PATH", default_value = "python3")]
    pub python: String,
    /// Also train one epoch on this table of labelled texts and print the peak memory.
    #[arg(long, value_name = "CSV")]
    pub data: Option<PathBuf>,
}

/// Runs `cargo xtask bench train`.
pub fn run(options: &Options) -> Result<()> {
    let build = ["build", "--release", "--package", "tern-trainer", "--bins", "--examples"];
    process::run(cargo(&repo::root()).args(build))?;
    let release = repo::root().join("target").join("release");
    let folder = super::folder("bench-train")?;
    let script = folder.join("pytorch.py");
    repo::write(&script, PYTORCH)?;
    let torch = probe(process::program(&options.python).args(["-c", "import torch; print(torch.__version__)"]));
    match &torch {
        Some(version) => eprintln!("PyTorch {version}"),
        None => eprintln!(
            "`{}` has no PyTorch: the rows of PyTorch are left out; --python names another Python",
            options.python
        ),
    }
    let bench = Bench { folder, release, script, python: torch.map(|_| options.python.clone()), json: options.json };

    let turns = if options.quick { 3 } else { 7 };
    bench.say(&table::heading());
    for network in plan::networks(options.quick) {
        bench.compare(&network, turns)?;
    }
    bench.say("\nlength of the texts; the time for each token must not grow with it");
    for length in plan::LENGTHS {
        bench.measure_length(length, turns)?;
    }
    if let Some(data) = &options.data {
        let peak = memory::peak_of_a_training(&bench.release, &bench.folder, data)?;
        let (line, json) = memory::row(data, peak);
        bench.emit(&line, &json);
    }
    Ok(())
}

/// The paths and options that all measurements share.
struct Bench {
    folder: PathBuf,
    release: PathBuf,
    script: PathBuf,
    python: Option<String>,
    json: bool,
}

impl Bench {
    /// Measures all programs on one network in turn and prints their rows.
    fn compare(&self, network: &Network, turns: usize) -> Result<()> {
        let lengths = texts::lengths_like_reviews(network.texts, plan::MAX_LENGTH);
        let mut workers = Vec::new();
        for program in network.programs() {
            if let Some(worker) = self.worker(program, network, &lengths)? {
                workers.push((program, worker));
            }
        }
        let mut seconds_per_token = vec![Vec::with_capacity(turns); workers.len()];
        for _ in 0..turns {
            for ((_, worker), measured) in workers.iter_mut().zip(&mut seconds_per_token) {
                measured.push(worker.turn()?);
            }
        }
        // Tern is the first program of every network.
        let tern_seconds = &seconds_per_token[0];
        for ((program, _), measured) in workers.iter().zip(&seconds_per_token) {
            let ratios = measured.iter().zip(tern_seconds).map(|(theirs, terns)| theirs / terns);
            let ratio = (*program != Program::Tern).then(|| super::median(ratios.collect()));
            let row = table::row(*program, network, 1.0 / super::median(measured.clone()), ratio);
            self.emit(&table::line(&row), &row);
        }
        Ok(())
    }

    /// Measures Tern on texts of one length and prints the time for each token.
    fn measure_length(&self, length: usize, turns: usize) -> Result<()> {
        let network = Network { texts: plan::texts_of_length(length), ..plan::SMALL_LSTM };
        let lengths = vec![length; network.texts];
        let Some(mut worker) = self.worker(Program::Tern, &network, &lengths)? else { return Ok(()) };
        let measured = (0..turns).map(|_| worker.turn()).collect::<Result<Vec<f64>>>()?;
        let seconds_per_token = super::median(measured);
        let mut row = table::row(Program::Tern, &network, 1.0 / seconds_per_token, None);
        row["length"] = length.into();
        let (tokens_per_s, microseconds) = (1.0 / seconds_per_token, 1e6 * seconds_per_token);
        self.emit(
            &format!("{length:>6} tokens a text{tokens_per_s:>12.0} tokens/s{microseconds:>8.2} µs a token"),
            &row,
        );
        Ok(())
    }

    /// Starts a worker process; `None` for PyTorch if it is not installed.
    fn worker(&self, program: Program, network: &Network, lengths: &[usize]) -> Result<Option<Worker>> {
        let recipe_path = texts::write_texts_and_recipe(&self.folder, network, lengths)?;
        let threads = network.threads.to_string();
        let example = |name: &str| self.release.join("examples").join(name);
        let path = match (program, &self.python) {
            (Program::Tern, _) => example("bench_step"),
            (Program::CandleNn, _) => example("bench_candle"),
            (Program::PyTorch | Program::PyTorchBucketed, None) => return Ok(None),
            (Program::PyTorch | Program::PyTorchBucketed, Some(python)) => PathBuf::from(python),
        };
        let mut command = process::program(&path.to_string_lossy());
        match program {
            Program::Tern | Program::CandleNn => command.arg(recipe_path),
            Program::PyTorch | Program::PyTorchBucketed => {
                command.arg(&self.script).arg(texts::csv(&self.folder)).args(network.arguments());
                command.args((program == Program::PyTorchBucketed).then_some("--bucketed"))
            }
        };
        // candle takes its number of threads from this variable; the other programs take it from the recipe or from
        // their arguments.
        Worker::start(command.env("RAYON_NUM_THREADS", threads)).map(Some)
    }

    /// Prints a line, unless the output is JSON.
    fn say(&self, line: &str) {
        if !self.json {
            println!("{line}");
        }
    }

    /// Prints a row as text or as JSON.
    fn emit(&self, line: &str, json: &serde_json::Value) {
        println!("{}", if self.json { json.to_string() } else { line.to_owned() });
    }
}
