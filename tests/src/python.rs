//! Python, for the libraries that other people read our files with.

use std::path::PathBuf;
use std::process::Command;

use crate::programs::root;

/// A Python with these packages of PyPI, which are called the same when imported, in an environment of our own below `target/`, or why
/// there is none.
///
/// # Errors
///
/// What failed, in words: there is no Python, or no network.
pub fn python(name: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let environment = root().join(format!("target/python-{name}"));
    let python = environment.join("bin/python");
    let runs = |command: &mut Command| match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("{command:?}: {error}")),
    };
    let imports = format!("import {}", packages.join(", "));
    let import = |python: &PathBuf| runs(Command::new(python).args(["-c", &imports]));
    if import(&python).is_ok() {
        return Ok(python);
    }
    runs(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
    runs(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages))?;
    import(&python).map(|()| python)
}
