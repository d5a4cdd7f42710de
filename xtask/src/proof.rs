//! `cargo xtask proof`: shows by linking that the runtime neither panics nor allocates.
//!
//! The image (program) in `firmware/proof` calls every public function. Its panic handler calls a function that is
//! defined nowhere, so the linker rejects the image if a panic can be reached; for WebAssembly, whose linker makes such
//! a function an import, the imports are searched. There is no allocator, so the compiler rejects an image that
//! allocates.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::process::{self, Command, cargo, line};
use crate::repo;
use crate::setup::{self, Purpose, RUNTIME_TARGETS};

/// The undefined symbol that the panic handler in `firmware/proof/src/bare.rs` calls.
const PANIC: &str = "a_panic_path_remains";
/// The error of the compiler if there is no allocator.
const NO_ALLOCATOR: &str = "no global memory allocator found";

/// Returns the folder in which cargo puts the images.
fn target_folder() -> PathBuf {
    repo::firmware().join("target")
}

/// Returns the command that builds the image `everything` for a target. `feature`: "everything" to call every public
/// function, "panics" or "allocates" for an image that the proof must reject.
fn build(target: &str, feature: &str) -> Command {
    let mut command = cargo(&repo::firmware());
    command.args(["build", "--quiet", "--release", "-p", "tern-proof", "--bin", "everything", "--target", target]);
    command.args(["--features", feature, "--target-dir"]).arg(target_folder());
    command
}

/// Runs `cargo xtask proof`: links the runtime for every target, and checks that an image with a panic or an allocation
/// is rejected.
pub fn run() -> Result<()> {
    setup::run(Purpose::Lint)?;
    for target in RUNTIME_TARGETS {
        check(target)?;
    }
    can_fail()?;
    println!("no panic, no allocator: {}", RUNTIME_TARGETS.join(", "));
    Ok(())
}

/// Links every public function of the runtime for one target.
pub fn check(target: &str) -> Result<()> {
    process::run(&mut build(target, "everything"))
        .with_context(|| format!("the runtime panics or allocates on {target}; an undefined `{PANIC}` is a panic"))?;
    if imports_panic(target)? {
        bail!("the runtime can panic on {target}: the module imports `{PANIC}`");
    }
    Ok(())
}

/// Returns true if the image of a target is a WebAssembly module that imports [`PANIC`]. The linker of WebAssembly does
/// not reject undefined symbols but makes them imports.
fn imports_panic(target: &str) -> Result<bool> {
    let module = target_folder().join(target).join("release/everything.wasm");
    // Only targets of WebAssembly have such a file; the linkers of the others reject a panic.
    if !module.is_file() {
        return Ok(false);
    }
    let bytes = std::fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
    // An import is the name of a module, `env`, and the name of a symbol, each after its length in one byte.
    let import = [&[3], &b"env"[..], &[PANIC.len() as u8], PANIC.as_bytes()].concat();
    Ok(bytes.windows(import.len()).any(|window| window == import))
}

/// Checks that the proof rejects an image with a panic, and one with an allocation.
pub fn can_fail() -> Result<()> {
    for target in [repo::FIRMWARE_TARGET, "riscv32imc-unknown-none-elf"] {
        must_fail(target, "panics", PANIC)?;
        must_fail(target, "allocates", NO_ALLOCATOR)?;
    }
    let wasm = "wasm32-unknown-unknown";
    must_fail(wasm, "allocates", NO_ALLOCATOR)?;
    process::run(&mut build(wasm, "panics"))?;
    if !imports_panic(wasm)? {
        bail!("an image with a panic for {wasm} passes the check");
    }
    Ok(())
}

/// Checks that a build fails with an error that contains `because`.
fn must_fail(target: &str, feature: &str, because: &str) -> Result<()> {
    let mut command = build(target, feature);
    let line = line(&command);
    eprintln!("$ {line}     (must fail)");
    let output = command.output().with_context(|| format!("`{line}` cannot be started"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    if output.status.success() || !text.contains(because) {
        bail!("`{line}` must fail with `{because}`; it ended with {}:\n{text}", output.status);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imports::tracked_sources;
    use syn::{ImplItem, Item, Type, Visibility};

    /// Files of the runtime with code for hosts or tests, or whose public functions are of private types.
    const NOT_ON_DEVICES: [&str; 6] = ["testing", "unpacked", "write", "dtype", "tests", "scanner"];

    /// The source files of the runtime, except [`NOT_ON_DEVICES`].
    fn sources() -> Vec<String> {
        let is_on_device = |path: &String| {
            path.starts_with("runtime/src/") && !path.split(['/', '.']).any(|part| NOT_ON_DEVICES.contains(&part))
        };
        tracked_sources(&repo::root()).unwrap().into_iter().filter(is_on_device).collect()
    }

    /// Returns the public functions of a source file, as `Type::name` or `name`.
    fn public_functions(source: &str) -> Vec<String> {
        let is_public = |visibility: &Visibility| matches!(visibility, Visibility::Public(_));
        let mut found = Vec::new();
        for item in syn::parse_file(source).unwrap().items {
            match item {
                Item::Fn(item) if is_public(&item.vis) => found.push(item.sig.ident.to_string()),
                Item::Impl(block) if block.trait_.is_none() => {
                    let Type::Path(self_type) = &*block.self_ty else { continue };
                    let type_name = &self_type.path.segments.last().unwrap().ident;
                    for item in &block.items {
                        if let ImplItem::Fn(function) = item
                            && is_public(&function.vis)
                        {
                            found.push(format!("{type_name}::{}", function.sig.ident));
                        }
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// Returns true if `code` calls `path`: as `Type::name(…)`, or as `type.name(…)` on a variable named after the
    /// type.
    fn is_called(code: &str, path: &str) -> bool {
        let Some((type_name, name)) = path.split_once("::") else { return code.contains(&format!("::{path}(")) };
        // `TextReader` becomes `text_reader`.
        let mut variable = String::new();
        for (index, letter) in type_name.char_indices() {
            if index > 0 && letter.is_uppercase() {
                variable.push('_');
            }
            variable.extend(letter.to_lowercase());
        }
        let has_call = |call: String| {
            // The name must be whole: `context_reader.c(` is not a call on `reader`.
            let is_whole =
                |start: usize| !code[..start].ends_with(|before: char| before.is_alphanumeric() || before == '_');
            code.match_indices(call.as_str()).any(|(start, _)| is_whole(start))
        };
        has_call(format!("{path}(")) || has_call(format!("{variable}.{name}("))
    }

    #[test]
    fn a_call_counts_only_for_the_type_that_it_names() {
        let source = "fn a() {}\npub fn b(x: u8) {}\nimpl<'a> TextReader<'a> { pub const fn c() {} fn d() {} }\n";
        assert_eq!(public_functions(source), ["b", "TextReader::c"]);
        let code = "x::b(1); text_reader.c(); other.e(); context_reader.f()";
        let called = ["b", "TextReader::c", "Session::e", "TextReader::f"].map(|path| is_called(code, path));
        assert_eq!(called, [true, true, false, false]);
    }

    #[test]
    fn no_public_function_is_left_out() {
        let proof = repo::read(&repo::firmware().join("proof/src/everything.rs")).unwrap();
        let (mut left_out, mut count) = (Vec::new(), 0);
        for file in sources() {
            for path in public_functions(&repo::read(&repo::root().join(&file)).unwrap()) {
                count += 1;
                if !is_called(&proof, &path) {
                    left_out.push(format!("{file}: {path}"));
                }
            }
        }
        assert!(count > 60, "only {count} public functions were found");
        assert_eq!(left_out, [""; 0], "firmware/proof/src/everything.rs must call these");
    }
}
