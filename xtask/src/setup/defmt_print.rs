//! `defmt-print`, which makes the firmware's log readable. Only tests read the log.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::say;
use crate::process::{cargo, probe, program, run};
use crate::repo;

const TOOL: &str = "defmt-print";

/// Sees that `defmt-print` is there.
pub fn ensure() -> Result<()> {
    if let Some(version) = version() {
        say("log reader", &format!("{version} is there"));
        return Ok(());
    }
    say("log reader", &format!("building {TOOL}, some minutes, once"));
    run(cargo(&repo::root()).args(["install", "--locked", TOOL]))?;
    version().with_context(|| {
        format!("{TOOL} was installed but does not start; put cargo's bin folder on the PATH ({})", bin().display())
    })?;
    Ok(())
}

fn version() -> Option<String> {
    let text = probe(program(TOOL).arg("--version"))?;
    Some(text.lines().next().unwrap_or(TOOL).to_owned())
}

/// Where `cargo install` puts programs.
fn bin() -> PathBuf {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    home.unwrap_or_else(|| PathBuf::from("~/.cargo")).join("bin")
}
