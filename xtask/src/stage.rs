//! Stages of a command: each has a name and a time, and a table at the end shows them all.

use std::time::{Duration, Instant};

use anyhow::{Error, Result};

/// Width of the names in a table, at least.
const TABLE_WIDTH: usize = 44;

/// What has run so far.
pub struct Stages {
    begun: Instant,
    done: Vec<Stage>,
}

struct Stage {
    name: String,
    time: Duration,
    failed: bool,
}

impl Default for Stages {
    fn default() -> Self {
        Stages { begun: Instant::now(), done: Vec::new() }
    }
}

impl Stages {
    /// Runs a stage that the rest depends on.
    pub fn run<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        eprintln!("\n== {name}");
        let begun = Instant::now();
        let result = work();
        self.done.push(Stage { name: name.to_owned(), time: begun.elapsed(), failed: result.is_err() });
        result
    }

    /// Runs a stage that the rest does not depend on: its failure is told now and counted.
    pub fn check(&mut self, name: &str, work: impl FnOnce() -> Result<()>) {
        if let Err(error) = self.run(name, work) {
            tell(&error);
        }
    }

    /// The names of the stages that failed.
    pub fn failed(&self) -> Vec<&str> {
        self.done.iter().filter(|stage| stage.failed).map(|stage| stage.name.as_str()).collect()
    }

    /// Time since the first stage, in seconds.
    pub fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// A line a stage, and the sum.
    pub fn table(&self) -> String {
        let width = self.done.iter().map(|stage| stage.name.len()).fold(TABLE_WIDTH, usize::max);
        let line = |name: &str, failed: bool, seconds: f64| {
            let verdict = if failed { "FAILED" } else { "ok" };
            format!("{name:<width$}{verdict:>8}{seconds:>9.1} s\n")
        };
        let mut table = String::new();
        for stage in &self.done {
            table.push_str(&line(&stage.name, stage.failed, stage.time.as_secs_f64()));
        }
        table + &line("all", !self.failed().is_empty(), self.seconds())
    }
}

fn tell(error: &Error) {
    eprintln!("error: {error:#}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    #[test]
    fn a_failed_check_is_counted_and_the_next_one_runs() {
        let mut stages = Stages::default();
        stages.check("first", || bail!("broken"));
        stages.check("second", || Ok(()));
        assert_eq!(stages.failed(), ["first"]);
        let table = stages.table();
        let verdicts: Vec<_> = table.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
        assert_eq!(verdicts, ["FAILED", "ok", "FAILED"]);
    }

    #[test]
    fn a_failed_stage_hands_its_error_on() {
        let mut stages = Stages::default();
        assert!(stages.run("first", || -> Result<()> { bail!("broken") }).is_err());
        assert_eq!(stages.run("second", || Ok(3)).unwrap(), 3);
    }
}
