//! Helpers that the tests of C programs and of build systems share.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of this package.
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns true if a program is installed. Panics if it is missing and `CI` is set.
pub fn has(program: &str) -> bool {
    let is_there = Command::new(program).arg("--version").output().is_ok();
    assert!(is_there || std::env::var_os("CI").is_none(), "{program} is missing");
    if !is_there {
        eprintln!("skipped: {program} is missing");
    }
    is_there
}

/// Builds the library for a target, or for this computer if `target` is `None`, and returns its path.
pub fn library(target: Option<&str>) -> PathBuf {
    let target_folder = folder().join("target");
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(folder()).args(["rustc", "--quiet", "--release", "--lib", "--crate-type", "staticlib"]);
    command.args(["--features", "panic-handler"]);
    command.args(target.iter().flat_map(|target| ["--target", target])).arg("--target-dir").arg(&target_folder);
    assert!(command.status().unwrap().success(), "{command:?}");
    target.map_or(target_folder.clone(), |target| target_folder.join(target)).join("release/libtern.a")
}
