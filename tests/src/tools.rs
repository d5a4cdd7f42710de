//! Programs that only some tests need: Python with packages of PyPI, and Chromium.
//!
//! `cargo xtask setup` installs them. A test whose program is missing fails if `CI` is set and is skipped otherwise.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use xtask::setup::programs;

use crate::programs::stdout_of;

/// Reports that a test cannot run because of `reason`. Panics if `CI` is set, because every test must run there.
pub fn skip(reason: &str) {
    let hint = "`cargo xtask setup` installs what tests need";
    assert!(std::env::var_os("CI").is_none(), "{reason}; under CI no test may be skipped; {hint}");
    eprintln!("skipped: {reason}; {hint}");
}

/// Runs a Python program, which may import the packages of [`programs::ensure_python_packages`], and returns its
/// stdout; `None` if the calling test is to be skipped. Panics if the program fails.
#[track_caller]
pub fn python(script: &str, arguments: &[&Path]) -> Option<String> {
    static INSTALLED: OnceLock<Result<(), String>> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| programs::ensure_python_packages().map_err(|error| format!("{error:#}")));
    match installed {
        Ok(()) => {
            let mut command = Command::new(programs::python());
            // The library huggingface_hub must not use the network.
            Some(stdout_of(command.args(["-c", script]).args(arguments).env("HF_HUB_OFFLINE", "1")))
        }
        Err(error) => {
            skip(error);
            None
        }
    }
}

/// Returns the path or name of a Chromium that starts: `TERN_CHROMIUM` or one of the usual names. Returns `None` if
/// there is none and the calling test is to be skipped.
pub fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("TERN_CHROMIUM").map(PathBuf::from);
    let usual = ["chromium", "chromium-browser", "google-chrome"].map(PathBuf::from);
    let starts = |program: &PathBuf| {
        let version = Command::new(program).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output();
        version.is_ok_and(|output| output.status.success())
    };
    let found = named.into_iter().chain(usual).find(starts);
    if found.is_none() {
        skip("no Chromium starts");
    }
    found
}
