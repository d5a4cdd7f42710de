//! `cargo xtask lint`: checks formatting, clippy for every target, comments, imports, docs, dependencies and code size.

use std::path::Path;

use anyhow::{Result, bail};
use tern_boards::BOARDS;

use crate::cores::{CORES, CORTEX_M4, RV32IMAC};
use crate::package::PackageOptions;
use crate::process::{cargo, run};
use crate::setup::{self, Purpose, RUNTIME_TARGETS, toolchain};
use crate::stage::Stages;
use crate::{
    book, c_library, comments, deny, firmware, imports, minimum_rust, package, proof, repo, reproducible, size,
    workflows,
};

/// Runs `cargo xtask lint`. All checks run, even after one has failed.
pub fn run_lint() -> Result<()> {
    let mut stages = Stages::default();
    stages.run("set-up", || setup::run(Purpose::Lint))?;
    let result = checks(&mut stages);
    print!("\n{}", stages.table());
    result
}

/// Runs all checks after the set-up. Fails at the end if one has failed.
fn checks(stages: &mut Stages) -> Result<()> {
    let (root, firmware_folder, fuzz) = (repo::root(), repo::firmware(), repo::fuzz());
    let host = toolchain::host()?;
    stages.check("comments", comments::run);
    stages.check("imports", || {
        let (other_repository, as_json) = (None, false);
        imports::run(other_repository, as_json)
    });
    for (name, folder) in
        [("format", &root), ("format, firmware", &firmware_folder), ("format, fuzz", &fuzz), ("format, c", &repo::c())]
    {
        stages.check(name, || run(cargo(folder).args(["fmt", "--all", "--check"])));
    }
    clippy(stages, "clippy, c", &repo::c(), &["--all-targets"]);
    stages.check("no panic in the library for C", c_library::check_no_panic);
    clippy(stages, "clippy, fuzz", &fuzz, &["--no-default-features", "--all-targets"]);
    clippy(stages, "clippy", &root, &["--workspace", "--all-targets", "--features", repo::EXTRA_FEATURES]);
    for board in BOARDS {
        let name = board.name;
        // Clippy checks emulated boards only: for real chips it would compile the vendors' crates once more, which
        // takes minutes. Their build below still shows the compiler's warnings.
        if board.emulator.is_some() {
            stages.check(&format!("clippy, firmware, {name}"), || {
                run(firmware::command(board, &firmware_folder, "clippy").args(["--", "-D", "warnings"]))
            });
        }
        stages.check(&format!("build, firmware, {name}"), || firmware::build(board).map(drop));
    }
    // One command checks both packages: with two commands cargo would choose the runtime's features for each package
    // by itself and compile the runtime twice.
    let packages = ["-p", "tern-firmware", "-p", "tern-host", "--lib", "--tests", "--target", &host];
    clippy(stages, "clippy, firmware and board `host`", &firmware_folder, &packages);
    // One core of each architecture is enough: all code that is specific to one core is in the runtime, which is
    // checked for every target below.
    for target in [CORTEX_M4.target, RV32IMAC.target] {
        let arguments = ["-p", "tern-bench", "--features", "steps", "--release", "--target", target];
        clippy(stages, &format!("clippy, bench, {target}"), &firmware_folder, &arguments);
    }
    for target in RUNTIME_TARGETS {
        let mut arguments = vec!["-p", "tern-runtime", "--target", target];
        if CORES.iter().any(|core| core.target == target) {
            // The feature `defmt` only adds code, so one pass checks the runtime with and without it.
            arguments.extend(["--features", "defmt"]);
        }
        clippy(stages, &format!("clippy, runtime, {target}"), &root, &arguments);
        stages.check(&format!("no panic, no allocator, {target}"), || proof::check(target));
    }
    for core in CORES.iter().filter(|core| !core.feature.is_empty()) {
        let arguments = ["-p", "tern-runtime", "--target", core.target, "--features", core.feature];
        clippy(stages, &format!("clippy, runtime, {}", core.feature), &root, &arguments);
    }
    stages.check("each feature of the runtime", each_feature);
    stages.check("code size", size::check);
    stages.check("minimum Rust version", minimum_rust::run);
    stages.check("packages", || package::run(&PackageOptions::default()));
    stages.check("dependencies", deny::run);
    stages.check("reproducible firmware", || reproducible::run(tern_boards::DEFAULT));
    stages.check("docs", || {
        run(cargo(&root).env("RUSTDOCFLAGS", "-D warnings").args(["doc", "--no-deps", "--workspace"]))
    });
    stages.check("book", book::run);
    stages.check("workflows", workflows::run);
    let failed = stages.failed();
    if !failed.is_empty() {
        bail!("{} of the checks failed: {}", failed.len(), failed.join("; "));
    }
    Ok(())
}

/// Runs clippy with these arguments for cargo in the workspace at `folder`; a warning is an error.
fn clippy(stages: &mut Stages, name: &str, folder: &Path, arguments: &[&str]) {
    stages.check(name, || run(cargo(folder).arg("clippy").args(arguments).args(["--", "-D", "warnings"])));
}

/// Checks the runtime with each of its features, together with `interleaved4`, since a build needs at least one
/// recurrent layer. `paired16` is checked without `interleaved4`: it is a packing of LSTM layers, too. Prints a line
/// for each feature.
fn each_feature() -> Result<()> {
    let mut all_features = size::default_features()?;
    all_features.extend(["defmt", "write", "unpacked", "testing"].map(str::to_owned));
    for feature in all_features {
        let features = if feature == "paired16" { feature } else { format!("interleaved4,{feature}") };
        println!("tern-runtime with {features}");
        let arguments = ["clippy", "--quiet", "-p", "tern-runtime", "--no-default-features", "--features", &features];
        // Unlike RUSTFLAGS, arguments after `--` do not make cargo compile the dependencies again.
        run(cargo(&repo::root()).args(arguments).args(["--", "-D", "warnings"]))?;
    }
    Ok(())
}
