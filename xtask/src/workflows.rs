//! `cargo xtask workflows`: checks the workflows of GitHub Actions, which run on GitHub only.

use anyhow::Result;

use crate::process::{program, run as run_command};
use crate::setup::programs;

/// Runs actionlint on all files in `.github/workflows`.
pub fn run() -> Result<()> {
    let actionlint = programs::ensure_actionlint()?;
    run_command(program(&actionlint.to_string_lossy()).arg("-no-color"))?;
    println!("workflows: actionlint finds no fault; they run on GitHub only");
    Ok(())
}
