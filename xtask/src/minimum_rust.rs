//! Checks the runtime with the minimum Rust version that `Cargo.toml` states.
//!
//! Only the runtime is checked: other projects depend on it, and the check takes seconds. The programs need only
//! compile with the compiler that runs the checks.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::process::{self, probe, program};
use crate::repo;
use crate::setup::toolchain;

/// Checks the runtime with the stated version, which is installed if it is missing.
pub fn run() -> Result<()> {
    let manifest = fs::read_to_string(repo::root().join("Cargo.toml")).context("cannot read Cargo.toml")?;
    let version = stated_version(&manifest)?;
    let current = probe(program("rustc").arg("--version")).unwrap_or_default();
    if current.contains(&format!(" {version}.")) {
        println!("the compiler of all checks, {current}, is the minimum version");
        return Ok(());
    }
    if let Err(error) = toolchain::ensure_version(version) {
        let message = format!("Rust {version}, the minimum version, CANNOT BE INSTALLED HERE, so it is not checked");
        if std::env::var_os("CI").is_some() {
            bail!("{message}: {error:#}");
        }
        println!("{message}: {error:#}");
        return Ok(());
    }
    let mut command = process::cargo_of(version);
    command.args(["check", "-p", "tern-runtime", "--target-dir"]).arg(repo::root().join("target/minimum-rust"));
    process::run(&mut command).with_context(|| {
        format!(
            "tern-runtime does not compile with Rust {version}; write for it, or raise `rust-version` in Cargo.toml"
        )
    })?;
    println!("tern-runtime compiles with Rust {version}, the minimum version");
    Ok(())
}

/// Returns the `rust-version` of the workspace.
fn stated_version(manifest: &str) -> Result<&str> {
    let line = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \""));
    line.and_then(|rest| rest.strip_suffix('"')).context("Cargo.toml: expected a line `rust-version = \"1.90\"`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_badge_of_the_readme_has_the_minimum_version() {
        let manifest = repo::read(&repo::root().join("Cargo.toml")).unwrap();
        let version = stated_version(&manifest).unwrap();
        let readme = repo::read(&repo::root().join("README.md")).unwrap();
        assert!(readme.contains(&format!("badge/tern--runtime-Rust%20{version}-blue")), "Rust {version}");
    }

    #[test]
    fn all_workspaces_state_the_same_minimum_version() {
        let read = |path: &str| fs::read_to_string(repo::root().join(path)).unwrap();
        let root = read("Cargo.toml");
        let version = stated_version(&root).unwrap();
        for path in ["c", "fuzz", "firmware", "firmware/bench", "firmware/host", "firmware/proof"] {
            let manifest = read(&format!("{path}/Cargo.toml"));
            assert_eq!(stated_version(&manifest).unwrap(), version, "{path}/Cargo.toml");
        }
    }
}
