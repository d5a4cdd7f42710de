//! `cargo xtask miri`: tests of the runtime in an interpreter that sees undefined behaviour.

use std::process::Stdio;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::process::{Command, probe, program, run};
use crate::repo;

/// Tests that reach every `unsafe` that a host compiles: the kernels by themselves, and the steps of every cell. Loading files would take hours.
const TESTS: [&str; 2] = ["kernel::", "unpacked::"];

/// What is missing where it does not start.
const INSTALL: &str = "rustup toolchain install nightly --profile minimal --component miri --component rust-src";

/// Runs them on the nightly compiler.
///
/// # Errors
///
/// Where there is no Miri, and where it sees something.
pub fn run_miri() -> Result<()> {
    if probe(cargo().args(["miri", "--version"])).is_none() {
        bail!("`cargo +nightly miri` does not start; type `{INSTALL}`");
    }
    let start = Instant::now();
    let mut command = cargo();
    command.args(["miri", "test", "-p", "tern-runtime", "--lib", "--"]).args(TESTS);
    // Without this Miri runs no step on AVX2: it has no `cpuid` to look at.
    command.env("RUSTFLAGS", "-Ctarget-feature=+avx2");
    // A folder of its own: other flags make other programs of all dependencies.
    command.env("CARGO_TARGET_DIR", repo::root().join("target").join("miri"));
    run(&mut command)?;
    println!("Miri saw nothing in {} ({:.0} s)", TESTS.join(", "), start.elapsed().as_secs_f64());
    Ok(())
}

fn cargo() -> Command {
    // Not the compiler that runs us: `cargo +nightly`, as one types it.
    let mut command = program("cargo");
    command.arg("+nightly").env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").stdin(Stdio::null());
    command
}
