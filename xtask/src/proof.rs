//! What is shown by linking: nothing in the runtime can panic, and nothing allocates.
//!
//! `firmware/proof` calls every public function. Its panic handler calls a function that is defined nowhere, so an image in which a panic
//! can be reached is not linked, and without an allocator the compiler refuses one that allocates.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::{self, Command, cargo, line};
use crate::repo;
use crate::setup::{self, Needs, RUNTIME_TARGETS};

/// What only a panic needs: `firmware/proof/src/bare.rs`.
const PANIC: &str = "a_panic_path_remains";
/// What the compiler says where the allocator is missing.
const NO_ALLOCATOR: &str = "no global memory allocator found";

fn folder() -> PathBuf {
    repo::firmware().join("target").join("proof")
}

fn build(target: &str, feature: &str) -> Command {
    let mut command = cargo(&repo::firmware());
    command.args(["build", "--quiet", "--release", "-p", "tern-proof", "--bin", "everything", "--target", target]);
    command.args(["--features", feature, "--target-dir"]).arg(folder());
    command
}

/// Sets up, links the runtime for every target, and sees that the check can fail.
pub fn run() -> Result<()> {
    setup::run(Needs::Lint)?;
    RUNTIME_TARGETS.iter().try_for_each(|target| check(target))?;
    can_fail()?;
    println!("no panic, no allocator: {}", RUNTIME_TARGETS.join(", "));
    Ok(())
}

/// Links the whole runtime for one target.
pub fn check(target: &str) -> Result<()> {
    process::run(&mut build(target, "everything"))
        .with_context(|| format!("the runtime panics or allocates on {target}; an undefined `{PANIC}` is a panic"))?;
    if is_imported(&folder().join(target).join("release").join("everything.wasm"))? {
        bail!("the runtime can panic on {target}: the module imports `{PANIC}`");
    }
    Ok(())
}

/// WebAssembly's linker takes what is defined nowhere for an import.
fn is_imported(module: &Path) -> Result<bool> {
    if !module.is_file() {
        return Ok(false);
    }
    let bytes = std::fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    // As the import section has it: each name after its length.
    let import = [&[3], &b"env"[..], &[PANIC.len() as u8], PANIC.as_bytes()].concat();
    Ok(bytes.windows(import.len()).any(|window| window == import))
}

/// Puts a panic in, then an allocation: [`check`] must find both.
pub fn can_fail() -> Result<()> {
    for target in [repo::FIRMWARE_TARGET, "riscv32imc-unknown-none-elf"] {
        must_fail(target, "panics", PANIC)?;
        must_fail(target, "allocates", NO_ALLOCATOR)?;
    }
    let wasm = "wasm32-unknown-unknown";
    must_fail(wasm, "allocates", NO_ALLOCATOR)?;
    process::run(&mut build(wasm, "panics"))?;
    if !is_imported(&folder().join(wasm).join("release").join("everything.wasm"))? {
        bail!("a panic was put in for {wasm} and is not found");
    }
    Ok(())
}

fn must_fail(target: &str, feature: &str, because: &str) -> Result<()> {
    let mut command = build(target, feature);
    let line = line(&command);
    eprintln!("$ {line}     (must fail)");
    let output = command.output().with_context(|| format!("`{line}` does not start"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    if output.status.success() || !text.contains(because) {
        bail!("`{line}` should fail with `{because}`; it ends with {}:\n{text}", output.status);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Files of the runtime that no device has.
    const OF_HOSTS: [&str; 4] = ["testing", "unpacked", "write", "tests"];

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let of_hosts = OF_HOSTS.iter().any(|name| path.file_stem().unwrap() == *name);
            match path.is_dir() {
                _ if of_hosts => {}
                true => sources(&path, found),
                false => found.extend(path.extension().is_some_and(|kind| kind == "rs").then_some(path)),
            }
        }
    }

    /// The names of `pub fn`s in a source.
    fn functions(source: &str) -> Vec<&str> {
        let public = source.lines().filter_map(|line| {
            let line = line.trim_start();
            ["pub fn ", "pub const fn "].iter().find_map(|start| line.strip_prefix(start))
        });
        public.filter_map(|rest| rest.split(['(', '<']).next()).collect()
    }

    #[test]
    fn public_functions_are_found() {
        let source = "fn a() {}\npub fn b(x: u8) {}\n    pub const fn c<T>() {}\npub(crate) fn d() {}\n";
        assert_eq!(functions(source), ["b", "c"]);
    }

    #[test]
    fn no_public_function_is_left_out() {
        let proof = fs::read_to_string(repo::firmware().join("proof/src/everything.rs")).unwrap();
        let called = |name: &str| [".", "::"].iter().any(|before| proof.contains(&format!("{before}{name}(")));
        let (mut files, mut left_out, mut count) = (Vec::new(), Vec::new(), 0);
        sources(&repo::root().join("runtime/src"), &mut files);
        for file in &files {
            let source = fs::read_to_string(file).unwrap();
            // Dtypes are of the header's scanner, which is private.
            let of_device = functions(&source).into_iter().filter(|_| !file.ends_with("scanner.rs"));
            for name in of_device {
                count += 1;
                if !called(name) {
                    left_out.push(format!("{}: {name}", repo::shown(file)));
                }
            }
        }
        assert!(count > 60, "only {count} public functions were found");
        assert_eq!(left_out, [""; 0], "firmware/proof/src/everything.rs should call these");
    }
}
