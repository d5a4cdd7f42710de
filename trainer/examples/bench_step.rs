//! A worker of `cargo xtask bench train`: trains by a recipe, an epoch each time it is told to.
//!
//! Says `ready` once the training has seen an epoch. Then every line on stdin makes it train for one more, and it
//! answers with `{"seconds": …, "tokens": …}`. What is measured is [`train::run`] itself, from the shuffling of the
//! texts to the optimizer's last step; only the validation after an epoch is left out.

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
    let mut clock = Clock { stop: &stop, start: Instant::now(), tokens: 0, elapsed: Duration::ZERO, ready: false };
    train::run(&recipe, &problem, &mut clock, &stop)?;
    Ok(())
}

struct Clock<'a> {
    stop: &'a AtomicBool,
    start: Instant,
    tokens: usize,
    elapsed: Duration,
    ready: bool,
}

impl Callback for Clock<'_> {
    fn on_batch(&mut self, progress: &BatchProgress) {
        self.tokens += progress.tokens;
        self.elapsed = self.start.elapsed();
    }

    fn on_epoch(&mut self, _: &EpochFigures, _: bool) {
        if self.ready {
            println!("{}", serde_json::json!({ "seconds": self.elapsed.as_secs_f64(), "tokens": self.tokens }));
        } else {
            println!("ready");
            self.ready = true;
        }
        // Nothing is lost where nobody listens: the end of stdin ends the training as well.
        let _ = std::io::stdout().flush();
        let mut line = String::new();
        if std::io::stdin().read_line(&mut line).unwrap_or(0) == 0 {
            self.stop.store(true, Ordering::Relaxed);
        }
        self.tokens = 0;
        self.start = Instant::now();
    }
}
