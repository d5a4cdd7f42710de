//! `cargo xtask bench train`: compares the speed of training in Tern, PyTorch and candle-nn.
//!
//! `plan` lists the networks and programs. Each program runs as a child process, a `worker`. On request, a worker
//! trains one pass over random texts, which are the same for all programs of a network: a turn. These programs take
//! their turns alternately, so that other load on the machine affects all of them; speeds and ratios are medians over
//! the turns.

mod memory;
pub mod plan;
mod table;
pub mod texts;
mod worker;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use crate::process::{self, Command, cargo, probe};
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
    let python = torch.map(|_| options.python.clone());
    let turns = if options.quick { 3 } else { 7 };
    let bench = Bench { folder, release, script, python, turns, as_json: options.json };

    bench.print_heading(&table::heading());
    for network in plan::networks(options.quick) {
        bench.compare(&network)?;
    }
    bench.print_heading("\nlength of the texts; the time for each token must not grow with it");
    for length in plan::LENGTHS {
        bench.measure_length(length)?;
    }
    if let Some(data) = &options.data {
        let peak = memory::peak_of_a_training(&bench.release, &bench.folder, data)?;
        let (line, json) = memory::row(data, peak);
        bench.print_row(&line, &json);
    }
    Ok(())
}

/// The paths and options that all measurements share.
struct Bench {
    /// The folder for texts and recipes.
    folder: PathBuf,
    /// The folder of the built programs.
    release: PathBuf,
    /// The path of [`PYTORCH`].
    script: PathBuf,
    /// The Python interpreter that has PyTorch; `None` if PyTorch is not installed.
    python: Option<String>,
    /// The number of turns of each program.
    turns: usize,
    /// True to print one JSON object for each row.
    as_json: bool,
}

impl Bench {
    /// Measures all programs on one network and prints their rows.
    fn compare(&self, network: &Network) -> Result<()> {
        let lengths = texts::lengths_like_reviews(network.texts, plan::MAX_LENGTH);
        let mut programs = Vec::new();
        let mut workers = Vec::new();
        for program in network.programs() {
            if let Some(worker) = self.worker(program, network, &lengths)? {
                programs.push(program);
                workers.push(worker);
            }
        }
        // [program][turn]
        let mut seconds_per_token = vec![Vec::with_capacity(self.turns); workers.len()];
        for _ in 0..self.turns {
            for (worker, measured) in workers.iter_mut().zip(&mut seconds_per_token) {
                measured.push(worker.turn()?);
            }
        }
        // Tern is the first program of every network.
        let tern_seconds = &seconds_per_token[0];
        for (program, seconds) in programs.into_iter().zip(&seconds_per_token) {
            // Twice the time for a token is half the speed, so these are ratios of Tern's speed to the program's.
            let ratios = seconds.iter().zip(tern_seconds).map(|(seconds, terns)| seconds / terns).collect();
            let ratio = if program == Program::Tern { None } else { Some(super::median(ratios)) };
            let row = table::row(program, network, 1.0 / super::median(seconds.clone()), ratio);
            self.print_row(&table::line(&row), &row);
        }
        Ok(())
    }

    /// Measures Tern on texts of one length and prints the time for each token.
    fn measure_length(&self, length: usize) -> Result<()> {
        let network = Network { texts: plan::texts_of_length(length), ..plan::SMALL_LSTM };
        let lengths = vec![length; network.texts];
        let Some(mut worker) = self.worker(Program::Tern, &network, &lengths)? else { return Ok(()) };
        let measured = (0..self.turns).map(|_| worker.turn()).collect::<Result<Vec<f64>>>()?;
        let seconds_per_token = super::median(measured);
        let mut row = table::row(Program::Tern, &network, 1.0 / seconds_per_token, None);
        row["length"] = length.into();
        let (tokens_per_s, microseconds) = (1.0 / seconds_per_token, 1e6 * seconds_per_token);
        self.print_row(
            &format!("{length:>6} tokens a text{tokens_per_s:>12.0} tokens/s{microseconds:>8.2} µs a token"),
            &row,
        );
        Ok(())
    }

    /// Writes texts with these lengths and starts a worker that trains on them; `None` for PyTorch if it is not
    /// installed.
    fn worker(&self, program: Program, network: &Network, lengths: &[usize]) -> Result<Option<Worker>> {
        let recipe = texts::write_texts_and_recipe(&self.folder, network, lengths)?;
        let mut command = match program {
            Program::Tern => self.example("bench_step", &recipe),
            Program::CandleNn => self.example("bench_candle", &recipe),
            Program::PyTorch | Program::PyTorchBucketed => {
                let Some(python) = &self.python else { return Ok(None) };
                let mut command = process::program(python);
                command.arg(&self.script).arg(texts::csv(&self.folder)).args(network.arguments());
                if program == Program::PyTorchBucketed {
                    command.arg("--bucketed");
                }
                command
            }
        };
        // candle takes its number of threads from this variable; the other programs take it from the recipe or from
        // their arguments.
        command.env("RAYON_NUM_THREADS", network.threads.to_string());
        Worker::start(&mut command).map(Some)
    }

    /// Returns the command that runs an example of the package `tern-trainer` with a recipe.
    fn example(&self, name: &str, recipe: &Path) -> Command {
        let mut command = process::program(&self.release.join("examples").join(name).to_string_lossy());
        command.arg(recipe);
        command
    }

    /// Prints a heading, unless the output is JSON.
    fn print_heading(&self, heading: &str) {
        if !self.as_json {
            println!("{heading}");
        }
    }

    /// Prints a row as text or as JSON.
    fn print_row(&self, line: &str, json: &serde_json::Value) {
        println!("{}", if self.as_json { json.to_string() } else { line.to_owned() });
    }
}
