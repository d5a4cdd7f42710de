//! Runs child processes. Prints each command as one would type it, and names it in errors. A function that returns a
//! `Result` fails if the command cannot be started or ends with another status than 0.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ExitStatus, Stdio};

pub use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::repo;

/// Returns the command for the cargo that runs this program, in `folder`.
pub fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// Returns the command `cargo +TOOLCHAIN` at the root of the repository, which runs the cargo of that toolchain and not
/// the one that runs this program.
pub fn cargo_of(toolchain: &str) -> Command {
    let mut command = program("cargo");
    command.arg(format!("+{toolchain}")).env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
    command
}

/// Returns the command for `program`, at the root of the repository.
pub fn program(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(repo::root()).stdin(Stdio::null());
    command
}

/// Prints and runs `command`; its output goes to the terminal.
pub fn run(command: &mut Command) -> Result<()> {
    run_quietly(command, true)
}

/// Runs `command` as [`run`] does, but prints the command only if `verbose` is true.
pub fn run_quietly(command: &mut Command, verbose: bool) -> Result<()> {
    announce(command, verbose);
    let status = command.status().with_context(|| cannot_start(command))?;
    check(command, status)
}

/// Prints and runs `command` and returns its stdout; its stderr goes to the terminal, as does its stdout if it fails.
pub fn capture(command: &mut Command) -> Result<String> {
    capture_quietly(command, true)
}

/// Runs `command` as [`capture`] does, but prints the command only if `verbose` is true.
pub fn capture_quietly(command: &mut Command, verbose: bool) -> Result<String> {
    announce(command, verbose);
    let output = command.stderr(Stdio::inherit()).output().with_context(|| cannot_start(command))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        print!("{text}");
    }
    check(command, output.status)?;
    Ok(text)
}

/// Prints and runs `command`; each line of its stdout is printed and passed to `on_line`.
pub fn tee(command: &mut Command, mut on_line: impl FnMut(&str)) -> Result<()> {
    announce(command, true);
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| cannot_start(command))?;
    let stdout = child.stdout.take().context("a child with a piped stdout has one")?;
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
    check(command, status)
}

/// Runs `command` silently and returns its trimmed stdout; `None` if it does not start or fails.
pub fn probe(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    if !output.status.success() {
        return None;
    }
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Returns the line that one would type at the root of the repository to run `command`. A variable that is removed from
/// the environment is shown as empty.
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

/// Returns a word as one types it in a shell, in quotation marks if it is empty or has a space.
fn quoted(word: &str) -> String {
    if word.contains(char::is_whitespace) || word.is_empty() { format!("\"{word}\"") } else { word.to_owned() }
}

/// Prints the command if `verbose` is true, and flushes stdout, since our own output must come before the output of the
/// child.
fn announce(command: &Command, verbose: bool) {
    let _ = std::io::stdout().flush();
    if verbose {
        eprintln!("$ {}", line(command));
    }
}

/// Returns the error for a command whose program cannot be started.
fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`; is it installed and on the PATH?", command.get_program().to_string_lossy())
}

/// Fails unless the exit status is 0.
fn check(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` failed ({status}); its output above gives the reason", line(command));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = cargo(&repo::firmware());
        command.env("RUSTDOCFLAGS", "-D warnings").args(["doc", "a b"]).arg(repo::demo());
        assert_eq!(line(&command), "cd firmware && RUSTDOCFLAGS=\"-D warnings\" cargo doc \"a b\" target/demo");
    }

    #[test]
    fn an_error_names_the_command() {
        let error = run(program("cargo").arg("no-such-command").stderr(Stdio::null())).unwrap_err();
        assert!(error.to_string().starts_with("`cargo no-such-command` failed"), "{error}");
        let error = run(&mut program("no-such-program")).unwrap_err();
        assert!(error.to_string().contains("cannot start `no-such-program`"), "{error}");
    }

    #[test]
    fn tee_passes_on_every_line() {
        let mut lines = Vec::new();
        tee(program("cargo").arg("--version"), |line| lines.push(line.to_owned())).unwrap();
        assert!(lines.len() == 1 && lines[0].starts_with("cargo "), "{lines:?}");
    }
}
