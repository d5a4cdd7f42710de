//! `cargo xtask data`: generates the demo's messages and writes them as CSV files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use tern_messages::baselines::Baselines;
use tern_messages::{Messages, SEED, checksum, generate, to_csv};

use crate::repo;

/// Options of `data`.
#[derive(Debug, Args)]
pub struct DataOptions {
    /// Folder for the files, created if it does not exist [default: target/demo].
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Random seed.
    #[arg(long, value_name = "N", default_value_t = SEED)]
    pub seed: u64,
    /// Also print the accuracy of single keywords and of naive Bayes on the data.
    #[arg(long)]
    pub baselines: bool,
}

/// Runs `cargo xtask data`.
pub fn run(options: &DataOptions) -> Result<()> {
    let folder = options.output.clone().unwrap_or_else(repo::demo);
    let messages = write(&folder, options.seed)?;
    if options.baselines {
        print_baselines(&messages);
    }
    Ok(())
}

/// Writes `train.csv` and `heldout.csv` into `folder`, prints one line for each, and returns their messages.
pub fn write(folder: &Path, seed: u64) -> Result<Messages> {
    let all = generate(seed)?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create the folder {}", folder.display()))?;
    for (name, messages) in [("train.csv", &all.train), ("heldout.csv", &all.held_out)] {
        let path = folder.join(name);
        let text = to_csv(messages);
        repo::write(&path, &text)?;
        let (lines, sum) = (messages.len(), checksum(text.as_bytes()));
        eprintln!("{}: {lines} messages, checksum {sum:016x}", repo::shown(&path));
    }
    Ok(all)
}

/// The name of a rule, and the function that returns its accuracy, 0 to 1.
type Rule = (&'static str, fn(&Baselines) -> f64);

/// Prints the accuracy of simple rules that were fitted to `train.csv`.
fn print_baselines(messages: &Messages) {
    let train = Baselines::measure(&messages.train, &messages.train);
    let held_out = Baselines::measure(&messages.train, &messages.held_out);
    let rules: [Rule; 4] = [
        ("largest class", |baselines| baselines.majority),
        ("one keyword a class", |baselines| baselines.keyword_per_class),
        ("most indicative token", |baselines| baselines.best_token),
        ("naive Bayes, all tokens", |baselines| baselines.naive_bayes),
    ];
    println!("\n{:<28}{:>8}{:>11}", "rule, fitted to train.csv", "train", "held out");
    for (name, accuracy) in rules {
        println!("{name:<28}{:>7.1}%{:>10.1}%", 100.0 * accuracy(&train), 100.0 * accuracy(&held_out));
    }
}
