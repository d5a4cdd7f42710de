//! Child processes: each is announced by the line that one would type, and its failure names that line.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ExitStatus, Stdio};

pub use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::repo;

/// The cargo that runs us, to be run in `folder`.
pub fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// `program`, to be run at the root of the repository.
pub fn program(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(repo::root()).stdin(Stdio::null());
    command
}

/// Runs `command` with our own output.
pub fn run(command: &mut Command) -> Result<()> {
    announce(command);
    let status = command.status().with_context(|| cannot_start(command))?;
    succeeded(command, status)
}

/// Runs `command` and returns what it writes to stdout; its stderr is ours.
pub fn capture(command: &mut Command) -> Result<String> {
    announce(command);
    let output = command.stderr(Stdio::inherit()).output().with_context(|| cannot_start(command))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        print!("{text}");
    }
    succeeded(command, output.status)?;
    Ok(text)
}

/// Runs `command`; its stdout is passed on line by line and shown to `on_line`.
pub fn tee(command: &mut Command, mut on_line: impl FnMut(&str)) -> Result<()> {
    announce(command);
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| cannot_start(command))?;
    let stdout = child.stdout.take().context("a piped child has no stdout")?;
    let mut lines = BufReader::new(stdout);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        print!("{text}");
        std::io::stdout().flush()?;
        on_line(text.trim_end());
        line.clear();
    }
    let status = child.wait()?;
    succeeded(command, status)
}

/// As [`capture`], without printing the command.
pub fn capture_quietly(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output().with_context(|| cannot_start(command))?;
    succeeded(command, output.status)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The trimmed stdout of `command`, which prints nothing; `None` if it is missing or fails.
pub fn probe(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// The line that one would type to run `command` at the root of the repository.
pub fn line(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy();
    let mut line = String::new();
    if let Some(folder) = command.get_current_dir().filter(|folder| **folder != repo::root()) {
        line.push_str(&format!("cd {} && ", repo::shown(folder)));
    }
    for (key, value) in command.get_envs() {
        let value = value.unwrap_or_default().to_string_lossy();
        line.push_str(&format!("{}={} ", key.to_string_lossy(), quoted(&value)));
    }
    line.push_str(&name);
    for argument in command.get_args() {
        let argument = repo::shown(Path::new(argument));
        line.push_str(&format!(" {}", quoted(&argument)));
    }
    line
}

fn quoted(word: &str) -> String {
    if word.contains(char::is_whitespace) || word.is_empty() { format!("\"{word}\"") } else { word.to_owned() }
}

fn announce(command: &Command) {
    // What we wrote to stdout must not come after what the child writes.
    let _ = std::io::stdout().flush();
    eprintln!("$ {}", line(command));
}

fn cannot_start(command: &Command) -> String {
    format!("`{}` does not start; is it installed and on the PATH?", command.get_program().to_string_lossy())
}

fn succeeded(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` failed ({status}); its own lines above say why", line(command));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_can_be_typed() {
        let mut command = cargo(&repo::firmware());
        command.env("RUSTDOCFLAGS", "-D warnings").args(["doc", "a b"]).arg(repo::demo());
        assert_eq!(line(&command), "cd firmware && RUSTDOCFLAGS=\"-D warnings\" cargo doc \"a b\" target/demo");
    }

    #[test]
    fn failures_name_the_line() {
        let error = run(program("cargo").arg("no-such-command").stderr(Stdio::null())).unwrap_err();
        assert!(error.to_string().starts_with("`cargo no-such-command` failed"), "{error}");
        let error = run(&mut program("no-such-program")).unwrap_err();
        assert!(error.to_string().contains("`no-such-program` does not start"), "{error}");
    }

    #[test]
    fn tee_shows_every_line() {
        let mut lines = Vec::new();
        tee(program("cargo").arg("--version"), |line| lines.push(line.to_owned())).unwrap();
        assert!(lines.len() == 1 && lines[0].starts_with("cargo "), "{lines:?}");
    }
}
