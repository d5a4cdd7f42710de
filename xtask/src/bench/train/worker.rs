//! A child process that trains one pass over the texts on request.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{Command, line};

/// A process that prints `ready` and then answers each line with `{"seconds": …, "tokens": …}`. Dropping it ends the
/// process.
pub struct Worker {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// The command line, for errors.
    name: String,
}

impl Worker {
    /// Starts the process and waits until it is ready.
    pub fn start(command: &mut Command) -> Result<Self> {
        let name = line(command);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{name}`"))?;
        let stdin = child.stdin.take().context("a piped child has no stdin")?;
        let stdout = BufReader::new(child.stdout.take().context("a piped child has no stdout")?);
        let mut worker = Worker { child, stdin, stdout, name };
        let first_line = worker.read_line()?;
        if first_line != "ready" {
            bail!("`{}` printed `{first_line}`, expected `ready`", worker.name);
        }
        Ok(worker)
    }

    /// Trains one pass over the texts and returns the seconds for each token.
    pub fn turn(&mut self) -> Result<f64> {
        writeln!(self.stdin, "go").with_context(|| format!("`{}` has ended", self.name))?;
        let answer = self.read_line()?;
        seconds_per_token(&answer).with_context(|| format!("`{}` printed `{answer}`", self.name))
    }

    /// Reads a line of the output and trims it.
    fn read_line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            bail!("`{}` ended early; its output above gives the reason", self.name);
        }
        Ok(line.trim().to_owned())
    }
}

/// Parses the answer of a worker, `{"seconds": …, "tokens": …}`.
fn seconds_per_token(answer: &str) -> Result<f64> {
    let answer: Value = serde_json::from_str(answer)?;
    let number = |key: &str| answer[key].as_f64().filter(|number| *number > 0.0).with_context(|| format!("no `{key}`"));
    Ok(number("seconds")? / number("tokens")?)
}

impl Drop for Worker {
    fn drop(&mut self) {
        // A process that cannot be stopped changes no figure.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_gives_seconds_per_token() {
        assert_eq!(seconds_per_token("{\"seconds\": 2.0, \"tokens\": 100}").unwrap(), 0.02);
        for bad in ["{\"seconds\": 2.0}", "{\"seconds\": 0, \"tokens\": 1}", "ready"] {
            assert!(seconds_per_token(bad).is_err(), "{bad}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_worker_that_ends_is_named_in_the_error() {
        let error = Worker::start(&mut Command::new("true")).err().unwrap().to_string();
        assert!(error.starts_with("`true` ended early"), "{error}");
    }
}
