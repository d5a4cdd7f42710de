//! `cargo xtask cuda`: compiles the training path for NVIDIA GPUs and, if there is a GPU, compares its gradients with
//! the CPU's.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::process::{Command, cargo, probe, program, run};
use crate::repo;
use crate::setup::programs::pip_install;
use crate::stage::note;

/// The parts of the CUDA toolkit on PyPI that compiling needs, in the newest version that the crate `cudarc` supports.
const WHEELS: [&str; 6] = [
    "nvidia-cuda-nvcc==13.0.*",
    "nvidia-cuda-runtime==13.0.*",
    "nvidia-cuda-cccl==13.0.*",
    "nvidia-cuda-crt==13.0.*",
    "nvidia-nvvm==13.0.*",
    "nvidia-cuda-nvrtc==13.0.*",
];
/// Packages of which only the headers are needed.
const HEADERS: [&str; 2] = ["nvidia-curand", "nvidia-cublas"];
/// The compute capability to compile for without a GPU: Ampere, which newer GPUs support too.
const COMPUTE_CAPABILITY: &str = "80";
/// The flag of nvcc that compiles candle's kernels some thirty times faster, for kernels that will not run.
const FAST_COMPILE: &str = "-Ofc=max";

/// Finds or installs the toolkit, checks every target with the feature `cuda`, and runs the GPU tests if there is a
/// GPU.
pub fn run_cuda() -> Result<()> {
    let toolkit = toolkit()?;
    let features = ["--features", "cuda"];
    run(with_toolkit(
        cargo(&repo::root()).args(["check", "-p", "tern-trainer", "--all-targets"]).args(features),
        &toolkit,
    ))?;
    let Some(gpu) = probe(program("nvidia-smi").args(["--query-gpu=name", "--format=csv,noheader"])) else {
        println!("the feature `cuda` compiles; `nvidia-smi` finds no GPU, so the GPU tests were not run");
        return Ok(());
    };
    println!("GPU: {gpu}");
    let test = ["test", "-p", "tern-nn", "--test", "device"];
    run(with_toolkit(cargo(&repo::root()).args(test).args(features).args(["--", "--nocapture"]), &toolkit))
}

/// Lets a command find the toolkit. Without a GPU the kernels are compiled for [`COMPUTE_CAPABILITY`], and fast.
fn with_toolkit<'c>(command: &'c mut Command, toolkit: &Path) -> &'c mut Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(toolkit.join("bin")).chain(std::env::split_paths(&path));
    if let Ok(path) = std::env::join_paths(folders) {
        command.env("PATH", path);
    }
    if probe(&mut Command::new("nvidia-smi")).is_none() {
        if std::env::var_os("CUDA_COMPUTE_CAP").is_none() {
            command.env("CUDA_COMPUTE_CAP", COMPUTE_CAPABILITY);
        }
        if probe(Command::new(toolkit.join("bin/nvcc")).arg("--help"))
            .is_some_and(|help| help.contains("--Ofast-compile"))
        {
            command.env("NVCC_APPEND_FLAGS", FAST_COMPILE);
        }
    }
    command.env("CUDA_PATH", toolkit).env("CUDA_HOME", toolkit)
}

/// Returns the toolkit of `CUDA_PATH`, of `nvcc` on the PATH, or one installed from PyPI into target/cuda.
fn toolkit() -> Result<PathBuf> {
    let named = std::env::var_os("CUDA_PATH").map(PathBuf::from).filter(|path| path.join("bin/nvcc").is_file());
    if let Some(toolkit) = named.or_else(on_path) {
        note("CUDA toolkit", &format!("found {}", toolkit.display()));
        return Ok(toolkit);
    }
    let environment = repo::root().join("target").join("cuda");
    if find(&environment).is_none() {
        note("CUDA toolkit", "installing 1.2 GB from PyPI into target/cuda");
        pip_install(&environment, &[&WHEELS[..], &HEADERS].concat())?;
    }
    match find(&environment) {
        Some(toolkit) => Ok(toolkit),
        None => bail!("the packages of PyPI contain no bin/nvcc below {}", repo::shown(&environment)),
    }
}

fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let nvcc = std::env::split_paths(&path).map(|folder| folder.join("nvcc")).find(|nvcc| nvcc.is_file())?;
    Some(nvcc.canonicalize().ok()?.parent()?.parent()?.to_owned())
}

/// Returns the toolkit in a Python environment, `lib/python3.*/site-packages/nvidia/cu13`.
fn find(environment: &Path) -> Option<PathBuf> {
    let pythons = std::fs::read_dir(environment.join("lib")).ok()?;
    let toolkits = pythons.flatten().map(|python| python.path().join("site-packages/nvidia/cu13"));
    toolkits.into_iter().find(|toolkit| toolkit.join("bin/nvcc").is_file())
}
