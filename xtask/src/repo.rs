//! Where things lie in the repository.

use std::path::{Path, PathBuf};

/// The compiler target of the demo's and the tests' firmware: a Cortex-M4 with floating point.
pub const FIRMWARE_TARGET: &str = "thumbv7em-none-eabihf";

/// The root of the repository.
pub fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// The firmware's workspace.
pub fn firmware() -> PathBuf {
    root().join("firmware")
}

/// The fuzzers' workspace.
pub fn fuzz() -> PathBuf {
    root().join("fuzz")
}

/// What the demo makes.
pub fn demo() -> PathBuf {
    root().join("target").join("demo")
}

/// `path` as seen from the root, for messages.
pub fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
