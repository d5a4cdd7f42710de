//! Compiler targets and components, by rustup.
//!
//! `rust-toolchain.toml` could name them, but rustup does not install them by itself where `RUSTUP_AUTO_INSTALL=0`.

use std::path::Path;

use anyhow::{Context, Result};

use super::say;
use crate::process::{cargo, probe, program, run};
use crate::repo;

/// Sees that the compiler has a core library for each of `targets`.
pub fn ensure_targets(targets: &[&str]) -> Result<()> {
    let missing: Vec<_> = targets.iter().copied().filter(|target| !has_target(target)).collect();
    if missing.is_empty() {
        say("compiler targets", &format!("{} are there", targets.join(", ")));
        return Ok(());
    }
    say("compiler targets", &format!("adding {}", missing.join(", ")));
    rustup("target", &missing)
}

/// Sees that `cargo fmt` and `cargo clippy` are there.
pub fn ensure_components() -> Result<()> {
    let present = |component: &&str| {
        let subcommand = if *component == "rustfmt" { "fmt" } else { component };
        probe(cargo(&repo::root()).args([subcommand, "--version"])).is_some()
    };
    let missing: Vec<_> = ["rustfmt", "clippy"].into_iter().filter(|component| !present(component)).collect();
    if missing.is_empty() {
        say("compiler components", "rustfmt, clippy are there");
        return Ok(());
    }
    say("compiler components", &format!("adding {}", missing.join(", ")));
    rustup("component", &missing)
}

/// A target is there when its library folder is, whoever installed it.
fn has_target(target: &str) -> bool {
    probe(program("rustc").args(["--print", "target-libdir", "--target", target]))
        .is_some_and(|folder| Path::new(&folder).is_dir())
}

fn rustup(kind: &str, names: &[&str]) -> Result<()> {
    run(program("rustup").args([kind, "add"]).args(names)).with_context(|| {
        let names = names.join(" ");
        format!(
            "{names} could not be added; with rustup (https://rustup.rs) and a network, type `rustup {kind} add \
             {names}`; with another compiler, install its {kind}s by its own means"
        )
    })
}

/// The target that the compiler itself runs on.
pub fn host() -> Result<String> {
    let version = probe(program("rustc").arg("-vV")).context("`rustc -vV` fails; is Rust installed?")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` has no line `host: …`")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_a_target_that_is_there() {
        assert!(has_target(&host().unwrap()));
        assert!(!has_target("no-such-target"));
    }
}
