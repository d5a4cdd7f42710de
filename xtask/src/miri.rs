//! `cargo xtask miri`: runs tests of the runtime in Miri, an interpreter that detects undefined behaviour.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::process::{cargo_of, probe, run};
use crate::repo;

/// Filters of the tests to run: `kernel::` for the dot products and the n-gram table, `unpacked::` for the steps of
/// every cell with a host's vector instructions. They reach every `unsafe` block that runs on a host, except the
/// detection of AVX2. Tests that load files would take hours, so they have the attribute `cfg_attr(miri, ignore)`.
const TESTS: [&str; 2] = ["kernel::", "unpacked::"];

/// The command that installs Miri.
const INSTALL: &str = "rustup toolchain install nightly --profile minimal --component miri --component rust-src";

/// Runs the tests on the nightly compiler.
///
/// # Errors
///
/// Fails if Miri is not installed or finds undefined behaviour.
pub fn run_miri() -> Result<()> {
    if probe(cargo_of("nightly").args(["miri", "--version"])).is_none() {
        bail!("cannot start `cargo +nightly miri`; type `{INSTALL}`");
    }
    let start = Instant::now();
    let mut command = cargo_of("nightly");
    command.args(["miri", "test", "-p", "tern-runtime", "--lib", "--"]).args(TESTS);
    // Miri does not support `cpuid`, so the runtime would not detect AVX2 without this flag.
    command.env("RUSTFLAGS", "-Ctarget-feature=+avx2");
    // The flag changes how all dependencies are compiled, so this build has its own target folder.
    command.env("CARGO_TARGET_DIR", repo::root().join("target").join("miri"));
    run(&mut command)?;
    println!("Miri found no undefined behaviour in {} ({:.0} s)", TESTS.join(", "), start.elapsed().as_secs_f64());
    Ok(())
}
