//! Installs compiler targets, components and toolchains by rustup.
//!
//! The targets in `rust-toolchain.toml` would not be enough: rustup does not install them if `RUSTUP_AUTO_INSTALL=0`.

use std::path::Path;

use anyhow::{Context, Result};

use crate::process::{cargo, probe, program, run};
use crate::repo;
use crate::stage::note;

/// Adds the targets for which the compiler has no standard library.
pub fn ensure_targets(targets: &[&str]) -> Result<()> {
    let missing: Vec<_> = targets.iter().copied().filter(|target| !has_target(target)).collect();
    if missing.is_empty() {
        note("compiler targets", &format!("found {}", targets.join(", ")));
        return Ok(());
    }
    note("compiler targets", &format!("adding {}", missing.join(", ")));
    rustup("target", &missing)
}

/// Adds `cargo fmt` and `cargo clippy` if they are missing.
pub fn ensure_components() -> Result<()> {
    let mut missing = Vec::new();
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if probe(cargo(&repo::root()).args([subcommand, "--version"])).is_none() {
            missing.push(component);
        }
    }
    if missing.is_empty() {
        note("compiler components", "found rustfmt, clippy");
        return Ok(());
    }
    note("compiler components", &format!("adding {}", missing.join(", ")));
    rustup("component", &missing)
}

/// Returns true if the library folder of the target exists, whether rustup or a package manager installed it.
fn has_target(target: &str) -> bool {
    probe(program("rustc").args(["--print", "target-libdir", "--target", target]))
        .is_some_and(|folder| Path::new(&folder).is_dir())
}

/// Runs `rustup KIND add NAMES`. `kind`: `target` or `component`.
fn rustup(kind: &str, names: &[&str]) -> Result<()> {
    run(program("rustup").args([kind, "add"]).args(names)).with_context(|| {
        let names = names.join(" ");
        format!(
            "cannot add {names}; with rustup (https://rustup.rs) and a network, type `rustup {kind} add {names}`; \
             without rustup, install them as your compiler's documentation describes"
        )
    })
}

/// Installs this version of Rust beside the others; fails without rustup or without a network.
pub fn ensure_version(version: &str) -> Result<()> {
    let installed = || probe(program("rustup").args(["run", version, "rustc", "--version"])).is_some();
    if !installed() {
        note("compiler", &format!("installing Rust {version}"));
        run(program("rustup").args(["toolchain", "install", version, "--profile", "minimal", "--no-self-update"]))?;
    }
    note("compiler", &format!("found Rust {version}"));
    Ok(())
}

/// Returns the target that the compiler itself runs on.
pub fn host() -> Result<String> {
    let version = probe(program("rustc").arg("-vV")).context("`rustc -vV` fails; is Rust installed?")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` has no line `host: …`")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_of_the_host_exists() {
        assert!(has_target(&host().unwrap()));
        assert!(!has_target("no-such-target"));
    }
}
