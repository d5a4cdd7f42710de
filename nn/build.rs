//! Compiles the CUDA kernels of `cuda/kernels.cu` to `kernels.fatbin` in `OUT_DIR`, with the feature `cuda` only.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The compute capabilities of the GPUs that get machine code: Turing, Ampere (A100, then RTX 30), Ada, Hopper. The
/// driver of a newer GPU compiles the intermediate code for Hopper at start-up.
const CAPABILITIES: [&str; 5] = ["75", "80", "86", "89", "90"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    println!("cargo::rerun-if-changed=cuda");
    for variable in ["CUDA_PATH", "CUDA_HOME", "NVCC_APPEND_FLAGS", "PATH"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let out = std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let mut command = Command::new(nvcc());
    // The file holds the code for all GPUs.
    command.arg("-fatbin").arg("-o").arg(Path::new(&out).join("kernels.fatbin")).arg("cuda/kernels.cu");
    for capability in CAPABILITIES {
        command.arg(format!("-gencode=arch=compute_{capability},code=sm_{capability}"));
    }
    // With `code=compute_…`, the file also holds the intermediate code (PTX) that newer GPUs compile.
    let newest = CAPABILITIES[CAPABILITIES.len() - 1];
    command.arg(format!("-gencode=arch=compute_{newest},code=compute_{newest}"));
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{command:?} ended with {status}"),
        Err(error) => panic!(
            "{}: {error}; the feature `cuda` needs the CUDA toolkit: set CUDA_PATH to it, or run `cargo xtask cuda`, \
             which installs it from PyPI",
            command.get_program().to_string_lossy()
        ),
    }
}

/// The compiler of the toolkit that CUDA_PATH or CUDA_HOME names, or the one on the PATH.
fn nvcc() -> PathBuf {
    let named = ["CUDA_PATH", "CUDA_HOME"].into_iter().filter_map(std::env::var_os);
    let mut compilers = named.map(|toolkit| Path::new(&toolkit).join("bin").join("nvcc"));
    compilers.find(|compiler| compiler.is_file()).unwrap_or_else(|| PathBuf::from("nvcc"))
}
