//! Paths in the repository, and functions that read and write files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The features of the trainer that are off by default and that every computer can build.
pub const EXTRA_FEATURES: &str = "tern-trainer/hub,tern-trainer/mpi";

/// The compiler target of the firmware in the demo and the tests: a Cortex-M4 with a floating-point unit.
pub const FIRMWARE_TARGET: &str = "thumbv7em-none-eabihf";

/// Reads a text file; an error names its path.
pub fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes a file; an error names its path.
pub fn write(path: &Path, contents: impl AsRef<[u8]>) -> Result<()> {
    fs::write(path, contents).with_context(|| format!("cannot write {}", path.display()))
}

/// Returns the root of the repository.
pub fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// Returns the workspace of the firmware.
pub fn firmware() -> PathBuf {
    root().join("firmware")
}

/// Returns the workspace of the library for C.
pub fn c() -> PathBuf {
    root().join("c")
}

/// Returns the workspace of the fuzz targets.
pub fn fuzz() -> PathBuf {
    root().join("fuzz")
}

/// Returns the folder of the demo's files.
pub fn demo() -> PathBuf {
    root().join("target").join("demo")
}

/// Returns `path` relative to the root, for messages.
pub fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
