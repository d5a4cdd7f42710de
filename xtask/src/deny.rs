//! `cargo xtask deny`: checks the dependencies of both workspaces against `deny.toml`.

use std::path::Path;

use anyhow::{Context, Result};

use crate::process::{Command, probe, program, run as run_command};
use crate::repo;
use crate::setup::programs;

/// Warnings about unused entries of deny.toml; an entry that one workspace does not use may be used by the other.
const UNUSED: [&str; 4] =
    ["license-exception-not-encountered", "unmatched-skip", "unmatched-skip-root", "unnecessary-skip"];
/// The database of advisories.
const DATABASE: &str = "https://github.com/RustSec/advisory-db";

/// Checks both workspaces. If the database of advisories cannot be reached, everything else is checked and the last
/// line says so.
pub fn run() -> Result<()> {
    let deny = programs::ensure_cargo_deny()?;
    let deny = deny.to_string_lossy();
    let has_advisories = probe(program("git").args(["ls-remote", "--exit-code", DATABASE, "HEAD"])).is_some();
    [repo::root(), repo::firmware()].iter().try_for_each(|folder| {
        run_command(&mut command(&deny, folder, has_advisories)).with_context(|| {
            let manifest = repo::shown(&folder.join("Cargo.toml"));
            format!("{manifest}: a dependency does not fulfil deny.toml; replace it, or allow it there with a reason")
        })
    })?;
    println!("{}", outcome(has_advisories));
    Ok(())
}

/// Returns the last line, which must show clearly if advisories were not checked.
fn outcome(has_advisories: bool) -> String {
    let done = "licences, versions and sources of all dependencies fulfil deny.toml";
    if has_advisories {
        format!("deny: {done}; no advisory concerns them")
    } else {
        format!("deny: {done}; ADVISORIES WERE LEFT OUT: {DATABASE} cannot be reached from here. Run this where it can")
    }
}

fn command(deny: &str, folder: &Path, has_advisories: bool) -> Command {
    let mut command = program(deny);
    command.arg("--manifest-path").arg(folder.join("Cargo.toml"));
    command.arg("--config").arg(repo::root().join("deny.toml")).arg("check").args(["--hide-inclusion-graph"]);
    for warning in UNUSED {
        command.args(["--allow", warning]);
    }
    command.args(["licenses", "bans", "sources"]).args(has_advisories.then_some("advisories"));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advisories_that_cannot_be_checked_are_named_in_the_last_line() {
        let arguments = |has_advisories| {
            let command = command("cargo-deny", &repo::firmware(), has_advisories);
            command.get_args().map(|argument| argument.to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(arguments(true).last().map(String::as_str), Some("advisories"));
        assert!(!arguments(false).contains(&"advisories".to_owned()));
        assert!(outcome(false).contains("ADVISORIES WERE LEFT OUT") && !outcome(true).contains("LEFT OUT"));
    }
}
