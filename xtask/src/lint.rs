//! `cargo xtask lint`: formatting, clippy for every target, docs. All checks run, also after one has failed.

use std::path::Path;

use anyhow::{Result, bail};
use tern_boards::BOARDS;

use crate::bench::CORES;
use crate::process::{cargo, run};
use crate::setup::{self, Needs, RUNTIME_TARGETS};
use crate::stage::Stages;
use crate::{deny, firmware, imports, proof, repo, reproducible, size};

/// Runs all checks; fails where one failed, naming it.
fn checks(stages: &mut Stages) -> Result<()> {
    let (root, folder) = (repo::root(), repo::firmware());
    let host = setup::host()?;
    stages.check("imports", || imports::run(None, false));
    stages.check("format", || run(cargo(&root).args(["fmt", "--all", "--check"])));
    stages.check("format, firmware", || run(cargo(&folder).args(["fmt", "--all", "--check"])));
    stages.check("format, fuzz", || run(cargo(&repo::fuzz()).args(["fmt", "--all", "--check"])));
    clippy(stages, "clippy, fuzz", &repo::fuzz(), &["--no-default-features", "--all-targets"]);
    clippy(stages, "clippy", &root, &["--workspace", "--all-targets"]);
    for board in &BOARDS {
        let name = board.name;
        // The HALs of real chips take minutes to check a second time.
        if board.emulator.is_some() {
            stages.check(&format!("clippy, firmware, {name}"), || {
                run(firmware::command(board, &folder, "clippy").args(["--", "-D", "warnings"]))
            });
        }
        stages.check(&format!("build, firmware, {name}"), || firmware::build(board).map(drop));
    }
    clippy(stages, "clippy, firmware on the host", &folder, &["--lib", "--tests", "--target", &host]);
    clippy(stages, "clippy, board `host`", &folder, &["-p", "tern-host", "--all-targets", "--target", &host]);
    for target in CORES.map(|core| core.target) {
        let arguments = ["-p", "tern-bench", "--features", "steps", "--release", "--target", target];
        clippy(stages, &format!("clippy, bench, {target}"), &folder, &arguments);
        let with_defmt = ["-p", "tern-runtime", "--features", "defmt", "--target", target];
        clippy(stages, &format!("clippy, runtime, {target}, defmt"), &root, &with_defmt);
    }
    for target in RUNTIME_TARGETS {
        clippy(stages, &format!("clippy, runtime, {target}"), &root, &["-p", "tern-runtime", "--target", target]);
        stages.check(&format!("no panic, no allocator, {target}"), || proof::check(target));
    }
    stages.check("code size", size::check);
    // No other step builds it: 8 s where its dependencies are compiled, two minutes of one core where they are not.
    clippy(stages, "clippy, trainer with hub", &root, &["-p", "tern-trainer", "--lib", "--features", "hub"]);
    stages.check("dependencies", deny::run);
    stages.check("the same firmware twice", || reproducible::run(tern_boards::DEFAULT));
    stages.check("docs", || {
        run(cargo(&root).env("RUSTDOCFLAGS", "-D warnings").args(["doc", "--no-deps", "--workspace"]))
    });
    let failed = stages.failed();
    if !failed.is_empty() {
        bail!("{} of the checks failed: {}", failed.len(), failed.join("; "));
    }
    Ok(())
}

/// Sets up, runs all checks, prints their times.
pub fn run_lint() -> Result<()> {
    let mut stages = Stages::default();
    stages.run("set-up", || setup::run(Needs::Lint))?;
    let result = checks(&mut stages);
    print!("\n{}", stages.table());
    result
}

fn clippy(stages: &mut Stages, name: &str, folder: &Path, arguments: &[&str]) {
    stages.check(name, || run(cargo(folder).arg("clippy").args(arguments).args(["--", "-D", "warnings"])));
}
