//! Build script: chooses the linker script with the memory map of the emulated machine, and passes it to the linker.

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let linker_script = match env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("arm") if env::var_os("CARGO_FEATURE_CORTEX_M55_HELIUM").is_some() => "an547.x",
        Ok("arm") if env::var("TARGET").is_ok_and(|target| target.starts_with("thumbv8m.main")) => "an505.x",
        Ok("arm") => "mps2.x",
        Ok("riscv32") => "virt.x",
        // A build for a computer needs none; `src/main.rs` rejects it with a message.
        _ => return Ok(()),
    };
    println!("cargo::rerun-if-changed={linker_script}");
    println!("cargo::rerun-if-changed=sections.x");
    // `sections.x` is included by each of the scripts.
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    for file in [linker_script, "sections.x"] {
        fs::copy(file, out.join(file))?;
    }
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg-bins=-T{linker_script}");
    // Without this, the linker would align sections to pages.
    println!("cargo::rustc-link-arg-bins=--nmagic");
    Ok(())
}
