//! Build script: passes the memory map of the machine that the image is for to the linker.

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let script = match env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("arm") if env::var_os("CARGO_FEATURE_CORTEX_M55_HELIUM").is_some() => "an547.x",
        Ok("arm") if env::var("TARGET").is_ok_and(|target| target.starts_with("thumbv8m.main")) => "an505.x",
        Ok("arm") => "mps2.x",
        Ok("riscv32") => "virt.x",
        _ => return Ok(()),
    };
    println!("cargo::rerun-if-changed={script}");
    println!("cargo::rerun-if-changed=sections.x");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    for file in [script, "sections.x"] {
        fs::copy(file, out.join(file))?;
    }
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg-bins=-T{script}");
    println!("cargo::rustc-link-arg-bins=--nmagic");
    Ok(())
}
