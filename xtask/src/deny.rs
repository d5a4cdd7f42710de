//! `cargo xtask deny`: what dependencies must be, by `deny.toml`, in both workspaces.

use std::path::Path;

use anyhow::{Context, Result};

use crate::process::{Command, probe, program, run as run_command};
use crate::repo;
use crate::setup::cargo_deny;

/// Warnings that an entry of deny.toml has no use in one of the workspaces: it may have one in the other.
const UNUSED: [&str; 4] =
    ["license-exception-not-encountered", "unmatched-skip", "unmatched-skip-root", "unnecessary-skip"];
/// Where advisories come from.
const DATABASE: &str = "https://github.com/RustSec/advisory-db";

/// Checks both workspaces. Where the database of advisories cannot be had, it says so and checks all else.
pub fn run() -> Result<()> {
    let deny = cargo_deny::ensure()?;
    let deny = deny.to_string_lossy();
    let has_advisories = probe(program("git").args(["ls-remote", "--exit-code", DATABASE, "HEAD"])).is_some();
    [repo::root(), repo::firmware()].iter().try_for_each(|folder| {
        run_command(&mut command(&deny, folder, has_advisories)).with_context(|| {
            let manifest = repo::shown(&folder.join("Cargo.toml"));
            format!(
                "{manifest}: a dependency is not what deny.toml asks for; use another, or say there why it may stay"
            )
        })
    })?;
    println!("{}", outcome(has_advisories));
    Ok(())
}

/// What was looked at, in the last line: what was left out must not be overlooked.
fn outcome(has_advisories: bool) -> String {
    let done = "licences, versions and sources of all dependencies are what deny.toml asks for";
    if has_advisories {
        format!("deny: {done}, and no advisory is about one of them")
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
    fn what_is_left_out_is_said_and_not_asked_for() {
        let arguments = |has_advisories| {
            let command = command("cargo-deny", &repo::firmware(), has_advisories);
            command.get_args().map(|argument| argument.to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(arguments(true).last().map(String::as_str), Some("advisories"));
        assert!(!arguments(false).contains(&"advisories".to_owned()));
        assert!(outcome(false).contains("ADVISORIES WERE LEFT OUT") && !outcome(true).contains("LEFT OUT"));
    }
}
