//! `cargo xtask python`: builds the wheel of the Python package, which is its installable file, installs it into the
//! environment for tests, and runs its tests.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::{Command, program, run, tee};
use crate::repo;
use crate::setup::packages::{self, PYTHON};
use crate::setup::programs::pip_install;
use crate::stage::{grouped, note};

/// Options of `cargo xtask python`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Also install PyTorch, which takes minutes and 5 GB, and run the tests that need it.
    #[arg(long)]
    pub torch: bool,
    /// Also install wandb, MLflow and trackio (1 GB), and run the README's callbacks for them.
    #[arg(long)]
    pub trackers: bool,
    /// Print the size of the wheel, without tests.
    #[arg(long)]
    pub wheel: bool,
}

/// Runs `cargo xtask python`: builds the release wheel, prints its path and size, and runs the tests on it.
pub fn run_python(options: &Options) -> Result<()> {
    packages::ensure(&PYTHON)?;
    ensure_requirements()?;
    let wheel = build("release")?;
    let bytes = wheel.metadata().with_context(|| wheel.display().to_string())?.len();
    println!("{}: {} bytes", repo::shown(&wheel), grouped(bytes));
    if options.wheel {
        return Ok(());
    }
    let mut packages = Vec::new();
    let mut test_options = Vec::new();
    if options.torch {
        packages.push("torch");
        test_options.push("--torch");
    }
    if options.trackers {
        packages.extend(["wandb", "mlflow", "trackio"]);
        test_options.push("--trackers");
    }
    if !packages.is_empty() {
        note("Python packages", &format!("installing {}", packages.join(", ")));
        pip_install(&environment(), &packages)?;
    }
    test(&wheel, &test_options, |_| {})
}

/// Builds the wheel with the profile `dev`, whose dependencies other tests compile too, and runs the tests on it. Each
/// line of their output is passed to `on_line`.
pub fn test_quickly(on_line: impl FnMut(&str)) -> Result<()> {
    ensure_requirements()?;
    test(&build("dev")?, &[], on_line)
}

/// Returns the folder of the Python environment for tests; `cargo xtask setup` installs packages into it, too.
fn environment() -> PathBuf {
    repo::root().join("target").join("python")
}

/// Returns the command for a program of the environment, in the folder of the package.
fn tool(name: &str) -> Command {
    let mut command = program(&environment().join("bin").join(name).to_string_lossy());
    command.current_dir(repo::root().join("python"));
    command
}

/// Installs the packages that the tests import, unless they are installed already: then the environment has a copy of
/// their list.
fn ensure_requirements() -> Result<()> {
    let list = repo::root().join("python").join("requirements-test.txt");
    let installed_list = environment().join("requirements-test.txt");
    let wanted = repo::read(&list)?;
    if repo::read(&installed_list).is_ok_and(|installed| installed == wanted) {
        note("Python packages", "found those for the tests of the Python package");
        return Ok(());
    }
    note("Python packages", "installing those for the tests of the Python package into target/python");
    // Compiling all modules would take longer than running the tests does.
    pip_install(&environment(), &["--no-compile", "-r", &list.to_string_lossy()])?;
    repo::write(&installed_list, wanted)
}

/// Builds the wheel with a profile of cargo into `target/wheels` and returns its path.
fn build(profile: &str) -> Result<PathBuf> {
    let folder = repo::root().join("target").join("wheels").join(profile);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    run(tool("maturin").args(["build", "--locked", "--quiet", "--profile", profile, "--out"]).arg(&folder))?;
    let files = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut wheels = files.flatten().map(|file| file.path());
    match (wheels.next(), wheels.next()) {
        (Some(wheel), None) => Ok(wheel),
        _ => bail!("{}: expected one wheel", repo::shown(&folder)),
    }
}

/// Installs the wheel and runs the tests. `options`: those for pytest. Each line of the output is passed to `on_line`.
fn test(wheel: &Path, options: &[&str], on_line: impl FnMut(&str)) -> Result<()> {
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--force-reinstall", "--no-deps"];
    run(tool("python").args(install).arg(wheel))?;
    // Not `python -m pytest`, which would import the package's sources in place of the wheel.
    tee(tool("pytest").args(options).env("PYTHONWARNINGS", "default"), on_line)
}
