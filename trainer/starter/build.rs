//! Build script: passes the memory map `memory.x` to the linker, and the number of scratch words that the model needs
//! to the program.

use std::path::PathBuf;
use std::{env, fs};

/// The model that the firmware contains, a device file.
const MODEL: &str = "model.safetensors";

fn main() {
    println!("cargo::rerun-if-changed=memory.x");
    println!("cargo::rerun-if-changed={MODEL}");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::copy("memory.x", out.join("memory.x")).expect("memory.x can be copied");
    println!("cargo::rustc-link-search={}", out.display());

    let Ok(file) = fs::read(MODEL) else {
        println!(
            "cargo::error=firmware/{MODEL} is missing; in the folder above: tern train recipe.toml -o model && tern export model -o firmware/{MODEL}"
        );
        return;
    };
    // `Model::from_bytes` needs an address that is a multiple of 8, as that of a `u64` is.
    let mut words = vec![0u64; file.len().div_ceil(8)];
    let aligned = &mut bytemuck::cast_slice_mut(&mut words)[..file.len()];
    aligned.copy_from_slice(&file);
    match tern_runtime::Model::from_bytes(aligned) {
        Ok(model) => println!("cargo::rustc-env=SCRATCH_WORDS={}", model.scratch_len()),
        Err(error) => println!("cargo::error=firmware/{MODEL}: {error}"),
    }
}
