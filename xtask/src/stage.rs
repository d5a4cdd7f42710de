//! Stages of a command such as `demo`, `lint` or `test`: each has a name and a time; a table at the end lists all.
//! [`note`] prints the progress of the set-up, [`grouped`] formats numbers for tables.

use std::time::{Duration, Instant};

use anyhow::Result;

/// The minimum width of the names in the table.
const NAME_WIDTH: usize = 44;

/// The stages that have run.
pub struct Stages {
    start: Instant,
    finished: Vec<Stage>,
}

/// A stage that has run.
struct Stage {
    name: String,
    time: Duration,
    failed: bool,
}

impl Default for Stages {
    fn default() -> Self {
        Stages { start: Instant::now(), finished: Vec::new() }
    }
}

impl Stages {
    /// Runs a stage that the later stages depend on, and returns its result.
    pub fn run<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        eprintln!("\n== {name}");
        let start = Instant::now();
        let result = work();
        self.finished.push(Stage { name: name.to_owned(), time: start.elapsed(), failed: result.is_err() });
        result
    }

    /// Runs a stage that the later stages do not depend on; its error is printed and counted.
    pub fn check(&mut self, name: &str, work: impl FnOnce() -> Result<()>) {
        if let Err(error) = self.run(name, work) {
            eprintln!("error: {error:#}");
        }
    }

    /// Returns the names of the failed stages.
    pub fn failed(&self) -> Vec<&str> {
        self.finished.iter().filter(|stage| stage.failed).map(|stage| stage.name.as_str()).collect()
    }

    /// Returns the seconds since this list was created.
    pub fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// Returns one line for each stage, and a last line with the overall result and [`seconds`](Stages::seconds).
    pub fn table(&self) -> String {
        let width = self.finished.iter().map(|stage| stage.name.len()).fold(NAME_WIDTH, usize::max);
        let line = |name: &str, failed: bool, seconds: f64| {
            let verdict = if failed { "FAILED" } else { "ok" };
            format!("{name:<width$}{verdict:>8}{seconds:>9.1} s\n")
        };
        let mut table = String::new();
        for stage in &self.finished {
            table.push_str(&line(&stage.name, stage.failed, stage.time.as_secs_f64()));
        }
        table + &line("all", !self.failed().is_empty(), self.seconds())
    }
}

/// Formats a number with a comma between groups of three digits, as `12,345`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let digits_left = digits.len() - index;
        if index > 0 && digits_left.is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Prints one line about the set-up that a command does first. `topic`: the tool or component that the line is about,
/// such as "compiler targets".
pub fn note(topic: &str, message: &str) {
    eprintln!("set-up: {topic}: {message}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    #[test]
    fn after_a_failed_check_the_next_one_runs() {
        let mut stages = Stages::default();
        stages.check("first", || bail!("broken"));
        stages.check("second", || Ok(()));
        assert_eq!(stages.failed(), ["first"]);
        let table = stages.table();
        let verdicts: Vec<_> = table.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
        assert_eq!(verdicts, ["FAILED", "ok", "FAILED"]);
    }

    #[test]
    fn digits_are_grouped_by_three() {
        assert_eq!([0, 7, 999, 1000, 1_234_567].map(grouped), ["0", "7", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn the_error_of_a_stage_is_returned() {
        let mut stages = Stages::default();
        assert!(stages.run("first", || -> Result<()> { bail!("broken") }).is_err());
        assert_eq!(stages.run("second", || Ok(3)).unwrap(), 3);
    }
}
