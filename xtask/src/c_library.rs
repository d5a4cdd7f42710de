//! The library for C: `cargo xtask c` builds it as a static library, `cargo xtask lint` checks that it cannot panic,
//! and `cargo xtask web` builds it for WebAssembly.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use object::read::archive::ArchiveFile;
use object::{Object, ObjectSection};
use serde_json::json;

use crate::process::{self, Command, capture_quietly, cargo};
use crate::repo;
use crate::setup::toolchain;

/// The embedded targets that the library is built for; [`run`] adds this computer's target.
pub const TARGETS: [&str; 8] = [
    "thumbv6m-none-eabi",
    "thumbv7m-none-eabi",
    "thumbv7em-none-eabi",
    "thumbv7em-none-eabihf",
    "thumbv8m.main-none-eabi",
    "thumbv8m.main-none-eabihf",
    "riscv32imc-unknown-none-elf",
    "riscv32imac-unknown-none-elf",
];

/// The target of the library in WebAssembly.
pub const WASM: &str = "wasm32-unknown-unknown";

/// The folders of the Arduino library, with the compiler target whose library is in each. Arduino looks for the folder
/// `PROCESSOR/FPU-ABI`, then for `PROCESSOR`.
const ARDUINO: [(&str, &str); 10] = [
    ("cortex-m0plus", "thumbv6m-none-eabi"),
    ("cortex-m3", "thumbv7m-none-eabi"),
    ("cortex-m4", "thumbv7em-none-eabi"),
    ("cortex-m4/fpv4-sp-d16-softfp", "thumbv7em-none-eabi"),
    ("cortex-m4/fpv4-sp-d16-hard", "thumbv7em-none-eabihf"),
    ("cortex-m7/fpv5-d16-softfp", "thumbv7em-none-eabi"),
    ("cortex-m33", "thumbv8m.main-none-eabi"),
    ("cortex-m33/fpv5-sp-d16-hard", "thumbv8m.main-none-eabihf"),
    ("esp32c3", "riscv32imc-unknown-none-elf"),
    ("esp32c6", "riscv32imac-unknown-none-elf"),
];

/// Builds the library for all targets and for this computer into `target/c/TARGET/libtern.a`, with the header in
/// `target/c/include` and a library for Arduino in `target/c/arduino`, and prints the sizes of its code and constants.
pub fn run(as_json: bool) -> Result<()> {
    toolchain::ensure_targets(&TARGETS)?;
    let host = toolchain::host()?;
    let folder = repo::root().join("target").join("c");
    let include = folder.join("include");
    fs::create_dir_all(&include).with_context(|| format!("cannot create {}", include.display()))?;
    repo::write(&include.join("tern.h"), repo::read(&repo::c().join("include").join("tern.h"))?)?;
    if !as_json {
        println!("{:<32}{:>10}{:>12}{:>12}", "target", "code", "constants", "archive");
    }
    for target in TARGETS.into_iter().chain([host.as_str()]) {
        let archive = build(target)?;
        let bytes = fs::read(&archive).with_context(|| format!("cannot read {}", archive.display()))?;
        let (code, constants) = sizes(&bytes).with_context(|| archive.display().to_string())?;
        let target_folder = folder.join(target);
        fs::create_dir_all(&target_folder).with_context(|| format!("cannot create {}", target_folder.display()))?;
        repo::write(&target_folder.join("libtern.a"), &bytes)?;
        if as_json {
            println!("{}", json!({"target": target, "code": code, "constants": constants, "archive": bytes.len()}));
        } else {
            println!("{target:<32}{code:>10}{constants:>12}{:>12}", bytes.len());
        }
    }
    write_arduino_library(&folder)?;
    if !as_json {
        println!("wrote the libraries to {}", repo::shown(&folder));
    }
    Ok(())
}

/// Writes the library for Arduino from the header and the libraries in `folder`, in which the library for each target
/// is already.
fn write_arduino_library(folder: &Path) -> Result<()> {
    let library = folder.join("arduino").join("Tern");
    let copy = |from: PathBuf, to: PathBuf| -> Result<()> {
        let parent = to.parent().unwrap_or(&library);
        fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        Ok(())
    };
    let source = repo::c().join("arduino");
    for name in ["library.properties", "examples/Classify/Classify.ino"] {
        copy(source.join(name), library.join(name))?;
    }
    copy(folder.join("include").join("tern.h"), library.join("src").join("tern.h"))?;
    for (processor, target) in ARDUINO {
        copy(folder.join(target).join("libtern.a"), library.join("src").join(processor).join("libtern.a"))?;
    }
    Ok(())
}

/// The command that builds the static library for a target.
fn staticlib_command(target: &str, features: &str) -> Command {
    rustc_command("staticlib", target, features)
}

/// The cargo command that builds the library as `crate_type` (`staticlib` or `cdylib`) for a target.
fn rustc_command(crate_type: &str, target: &str, features: &str) -> Command {
    let mut command = cargo(&repo::c());
    command.args(["rustc", "--quiet", "--release", "--lib", "--crate-type", crate_type, "--target", target]);
    command.args(["--features", features, "--target-dir"]).arg(repo::c().join("target"));
    command
}

/// Builds the library for a target and returns its path.
fn build(target: &str) -> Result<PathBuf> {
    process::run(&mut staticlib_command(target, "panic-handler"))?;
    Ok(repo::c().join("target").join(target).join("release").join("libtern.a"))
}

/// Builds the library in WebAssembly and returns its bytes.
pub fn build_wasm() -> Result<Vec<u8>> {
    process::run(&mut rustc_command("cdylib", WASM, "panic-handler"))?;
    let path = repo::c().join("target").join(WASM).join("release").join("tern.wasm");
    fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// The sizes of code and constants, in bytes, of the archive's objects whose names begin with `tern`. A program takes
/// less: the linker leaves out functions that the program does not call.
fn sizes(archive: &[u8]) -> Result<(u64, u64)> {
    let (mut code, mut constants) = (0, 0);
    for member in ArchiveFile::parse(archive)?.members() {
        let member = member?;
        if !member.name().starts_with(b"tern") {
            continue;
        }
        let file = object::File::parse(member.data(archive)?)?;
        for section in file.sections() {
            let name = section.name()?;
            let is_in = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
            if is_in(&[".text"]) {
                code += section.size();
            } else if is_in(&[".rodata", ".srodata", ".data.rel.ro"]) {
                constants += section.size();
            }
        }
    }
    if code == 0 {
        bail!("no object file in the archive has code; expected one whose name begins with `tern`");
    }
    Ok((code, constants))
}

/// Checks that no function of the library can panic. The panic handler calls `tern_could_panic`. If nothing can panic,
/// the optimiser drops the handler, so this name must be absent from the library. As a control, a build with the
/// feature `panics`, which contains a panic, must contain the name.
pub fn check_no_panic() -> Result<()> {
    const CALLED_BY_HANDLER: &str = "tern_could_panic";
    let host = toolchain::host()?;
    for (features, can_panic) in [("panic-handler", false), ("panic-handler,panics", true)] {
        capture_quietly(&mut staticlib_command(&host, features), false)?;
        let archive = repo::c().join("target").join(&host).join("release").join("libtern.a");
        let bytes = fs::read(&archive).with_context(|| format!("cannot read {}", archive.display()))?;
        let needle = CALLED_BY_HANDLER.as_bytes();
        let is_found = bytes.windows(needle.len()).any(|window| window == needle);
        if is_found && !can_panic {
            bail!(
                "the C library (features {features}) can panic: it contains `{CALLED_BY_HANDLER}`, expected no panic; look \
                 for an index, an unwrap or a division in the last change"
            );
        }
        if can_panic && !is_found {
            bail!(
                "the check does not detect a panic: the C library (features {features}) contains one, but not \
                 `{CALLED_BY_HANDLER}`; compare c/src/panic.rs with this check"
            );
        }
    }
    Ok(())
}
