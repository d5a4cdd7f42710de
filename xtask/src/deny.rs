//! `cargo xtask deny`: checks the dependencies of the workspaces of the root, firmware/ and c/ against `deny.toml`.

use std::path::Path;

use anyhow::{Context, Result};

use crate::process::{Command, probe, program, run as run_command};
use crate::repo;
use crate::setup::programs;

/// Warnings about unused entries of deny.toml; an entry that one workspace does not use may be used by another.
const UNUSED_ENTRIES: [&str; 4] =
    ["license-exception-not-encountered", "unmatched-skip", "unmatched-skip-root", "unnecessary-skip"];
/// The database of security advisories.
const DATABASE: &str = "https://github.com/RustSec/advisory-db";

/// Checks the three workspaces. If the database of advisories cannot be reached, everything else is checked, and the
/// last line reports that advisories were left out.
pub fn run() -> Result<()> {
    let deny = programs::ensure_cargo_deny()?;
    let deny = deny.to_string_lossy();
    let can_check_advisories = probe(program("git").args(["ls-remote", "--exit-code", DATABASE, "HEAD"])).is_some();
    for folder in [repo::root(), repo::firmware(), repo::c()] {
        run_command(&mut command(&deny, &folder, can_check_advisories)).with_context(|| {
            let manifest = repo::shown(&folder.join("Cargo.toml"));
            format!(
                "{manifest}: a dependency does not fulfil deny.toml; replace it, or allow it in deny.toml with a reason"
            )
        })?;
    }
    println!("{}", outcome(can_check_advisories));
    Ok(())
}

/// Returns the line to print last, which must show clearly if advisories were not checked.
fn outcome(can_check_advisories: bool) -> String {
    let done = "licences, versions and sources of all dependencies fulfil deny.toml";
    if can_check_advisories {
        format!("deny: {done}; no advisory concerns them")
    } else {
        format!(
            "deny: {done}; ADVISORIES WERE LEFT OUT: {DATABASE} cannot be reached from here. Run `cargo xtask deny` where it can be reached"
        )
    }
}

/// Returns the command that checks the workspace in `folder`.
fn command(deny: &str, folder: &Path, can_check_advisories: bool) -> Command {
    let mut command = program(deny);
    command.arg("--manifest-path").arg(folder.join("Cargo.toml"));
    command.arg("--config").arg(repo::root().join("deny.toml")).arg("check").args(["--hide-inclusion-graph"]);
    for warning in UNUSED_ENTRIES {
        command.args(["--allow", warning]);
    }
    command.args(["licenses", "bans", "sources"]);
    if can_check_advisories {
        command.arg("advisories");
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_line_says_that_advisories_were_not_checked() {
        let arguments = |can_check_advisories| {
            let command = command("cargo-deny", &repo::firmware(), can_check_advisories);
            command.get_args().map(|argument| argument.to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(arguments(true).last().map(String::as_str), Some("advisories"));
        assert!(!arguments(false).contains(&"advisories".to_owned()));
        assert!(outcome(false).contains("ADVISORIES WERE LEFT OUT") && !outcome(true).contains("LEFT OUT"));
    }
}
