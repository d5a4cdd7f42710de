//! A worker of `cargo xtask bench train`, which compares the speed of trainings: trains with Tern by the recipe that
//! its argument names (a TOML file with the data and the settings).
//!
//! It prints `ready` after a first epoch. For every line on stdin it then trains another epoch and prints
//! `{"seconds": …, "tokens": …}`. The seconds are counted in [`train::run`], from the shuffling of the texts to the
//! last step of the optimizer, without the validation.

use anyhow::{Context, Result};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tern_trainer::recipe::Recipe;
use tern_trainer::train::{self, BatchProgress, Callback, EpochFigures, Problem};

fn main() -> Result<()> {
    let path = std::env::args_os().nth(1).context("expected a recipe on the command line")?;
    let mut recipe = Recipe::read(Path::new(&path))?;
    let data = train::prepare(&mut recipe)?;
    let problem = Problem::of_texts(&recipe, &data);
    let stop = AtomicBool::new(false);
    let mut clock = Clock { stop: &stop, start: Instant::now(), tokens: 0, elapsed: Duration::ZERO, is_ready: false };
    train::run(&recipe, &problem, &mut clock, &stop)?;
    Ok(())
}

/// The callback that measures each epoch and waits for a line before the next one.
struct Clock<'a> {
    /// Set to true when stdin ends, which ends the training.
    stop: &'a AtomicBool,
    /// The start of the running epoch.
    start: Instant,
    /// The number of tokens of the epoch's batches so far.
    tokens: usize,
    /// The time from `start` to the end of the latest batch.
    elapsed: Duration,
    /// True once the first epoch has ended, which is not measured.
    is_ready: bool,
}

impl Callback for Clock<'_> {
    fn on_batch(&mut self, progress: &BatchProgress) {
        self.tokens += progress.tokens;
        self.elapsed = self.start.elapsed();
    }

    fn on_epoch(&mut self, _figures: &EpochFigures, _is_best: bool) {
        if self.is_ready {
            println!("{}", serde_json::json!({ "seconds": self.elapsed.as_secs_f64(), "tokens": self.tokens }));
        } else {
            println!("ready");
            self.is_ready = true;
        }
        // An error means that the reader of our output has ended. Then stdin has ended, too, which stops the training.
        let _ = std::io::stdout().flush();
        let mut line = String::new();
        if std::io::stdin().read_line(&mut line).unwrap_or(0) == 0 {
            self.stop.store(true, Ordering::Relaxed);
        }
        self.tokens = 0;
        self.start = Instant::now();
    }
}
