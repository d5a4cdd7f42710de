//! `cargo xtask cuda`: compiles the training path for NVIDIA GPUs and, if there is a GPU, runs its tests, which compare
//! the results with the CPU's. With `--figures`, prints the registers of the CUDA kernels instead.
//!
//! The toolkit is NVIDIA's compiler `nvcc` with its headers and libraries.

use std::collections::{BTreeMap, BTreeSet};
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
/// The flag of nvcc, short for `--Ofast-compile=max`, that compiles candle's kernels about thirty times faster. It is
/// used only for kernels that will not run.
const FAST_COMPILE: &str = "-Ofc=max";

/// Finds or installs the toolkit, runs `cargo check` with the feature `cuda`, and runs the GPU tests if there is a GPU.
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
    let test = ["test", "-p", "tern-nn", "--test", "device", "--test", "kernels"];
    run(with_toolkit(cargo(&repo::root()).args(test).args(features).args(["--", "--nocapture"]), &toolkit))
}

/// The compute capabilities for which `nn/build.rs` compiles machine code.
const CAPABILITIES: [&str; 5] = ["75", "80", "86", "89", "90"];

/// Compiles the kernels for every compute capability that `nn/build.rs` supports, and prints a table of their
/// registers. Fails if a kernel spills registers to memory.
pub fn print_figures() -> Result<()> {
    let toolkit = toolkit()?;
    let folder = repo::root().join("target").join("cuda-figures");
    std::fs::create_dir_all(&folder)?;
    // The resources of each kernel, for each capability.
    let mut tables: Vec<BTreeMap<String, Usage>> = Vec::new();
    for capability in CAPABILITIES {
        note("nvcc", &format!("compiling for sm_{capability}"));
        let mut command = program(&toolkit.join("bin/nvcc").to_string_lossy());
        command.args(["-cubin", "-Xptxas", "-v", "-arch"]).arg(format!("sm_{capability}"));
        command.arg("-o").arg(folder.join("kernels.cubin")).arg(repo::root().join("nn/cuda/kernels.cu"));
        let output = command.output()?;
        let text = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            bail!("nvcc cannot compile nn/cuda/kernels.cu for sm_{capability}:\n{text}");
        }
        tables.push(usages(&text));
    }
    println!("| kernel | registers on {} |", CAPABILITIES.map(|capability| format!("sm_{capability}")).join(", "));
    println!("|---|---|");
    let kernels: BTreeSet<&String> = tables.iter().flat_map(BTreeMap::keys).collect();
    let mut spilling = Vec::new();
    for kernel in kernels {
        let usages: Vec<&Usage> = tables.iter().filter_map(|table| table.get(kernel)).collect();
        let registers: Vec<String> = usages.iter().map(|usage| usage.registers.to_string()).collect();
        println!("| `{kernel}` | {} |", registers.join(", "));
        if usages.iter().any(|usage| usage.spilled_bytes > 0) {
            spilling.push(kernel.as_str());
        }
    }
    if spilling.is_empty() {
        println!("\nNo kernel spills registers.");
        return Ok(());
    }
    bail!("these kernels spill registers to memory: {}", spilling.join(", "))
}

/// The resources of a kernel.
#[derive(Debug, Default, PartialEq)]
struct Usage {
    registers: usize,
    /// Bytes of registers that are stored to memory.
    spilled_bytes: usize,
}

/// Parses the messages of `ptxas -v`. Returns the resources of each kernel by its name.
fn usages(messages: &str) -> BTreeMap<String, Usage> {
    let mut usages: BTreeMap<String, Usage> = BTreeMap::new();
    // The kernel that the lines are about; the lines before the first kernel count for "".
    let mut kernel = String::new();
    for line in messages.lines() {
        if let Some((_, name)) = line.split_once("Compiling entry function '") {
            kernel = name.split('\'').next().unwrap_or_default().to_owned();
        }
        let usage = usages.entry(kernel.clone()).or_default();
        if let Some(registers) = number_before(line, " registers") {
            usage.registers = registers;
        }
        if let Some(bytes) = number_before(line, " bytes spill stores") {
            usage.spilled_bytes = bytes;
        }
    }
    usages.remove("");
    usages
}

/// Returns the number before `unit` in a line, as in `Used 27 registers`; `None` if there is none.
fn number_before(line: &str, unit: &str) -> Option<usize> {
    let (before, _) = line.split_once(unit)?;
    before.rsplit(' ').next()?.parse().ok()
}

/// Sets the environment in which a build finds the toolkit. If there is no GPU, the kernels are compiled for
/// [`COMPUTE_CAPABILITY`], unless `CUDA_COMPUTE_CAP` names another, and with [`FAST_COMPILE`], if `nvcc` has this flag.
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
        let nvcc_help = probe(Command::new(toolkit.join("bin/nvcc")).arg("--help")).unwrap_or_default();
        if nvcc_help.contains("--Ofast-compile") {
            command.env("NVCC_APPEND_FLAGS", FAST_COMPILE);
        }
    }
    command.env("CUDA_PATH", toolkit).env("CUDA_HOME", toolkit)
}

/// Sets the environment for a build of programs that run on another machine, whose GPU is Ampere or newer.
pub fn for_another_machine<'c>(command: &'c mut Command, toolkit: &Path) -> &'c mut Command {
    with_toolkit(command, toolkit).env("CUDA_COMPUTE_CAP", COMPUTE_CAPABILITY).env_remove("NVCC_APPEND_FLAGS")
}

/// Returns the folder of the toolkit: that of `CUDA_PATH`, that of `nvcc` on the PATH, or one that is installed from
/// PyPI into target/cuda.
pub fn toolkit() -> Result<PathBuf> {
    let named = std::env::var_os("CUDA_PATH").map(PathBuf::from).filter(|path| path.join("bin/nvcc").is_file());
    if let Some(toolkit) = named.or_else(on_path) {
        note("CUDA toolkit", &format!("found {}", toolkit.display()));
        return Ok(toolkit);
    }
    let environment = repo::root().join("target").join("cuda");
    if toolkit_in(&environment).is_none() {
        note("CUDA toolkit", "installing 1.2 GB from PyPI into target/cuda");
        pip_install(&environment, &[&WHEELS[..], &HEADERS].concat())?;
    }
    match toolkit_in(&environment) {
        Some(toolkit) => Ok(toolkit),
        None => bail!("the packages of PyPI contain no bin/nvcc below {}", repo::shown(&environment)),
    }
}

/// Returns the folder of the toolkit whose `nvcc` is on the PATH; `None` if there is none.
fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let nvcc = std::env::split_paths(&path).map(|folder| folder.join("nvcc")).find(|nvcc| nvcc.is_file())?;
    // `nvcc` can be a link; the program is at `bin/nvcc` in the toolkit.
    Some(nvcc.canonicalize().ok()?.parent()?.parent()?.to_owned())
}

/// Returns the folder of the toolkit in a Python environment, `lib/python3.*/site-packages/nvidia/cu13`; `None` if it
/// has no `nvcc`.
fn toolkit_in(environment: &Path) -> Option<PathBuf> {
    let pythons = std::fs::read_dir(environment.join("lib")).ok()?;
    let mut toolkits = pythons.flatten().map(|python| python.path().join("site-packages/nvidia/cu13"));
    toolkits.find(|toolkit| toolkit.join("bin/nvcc").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_and_spills_are_read_from_the_messages_of_the_assembler() {
        let messages = "ptxas info    : 0 bytes gmem\n\
            ptxas info    : Compiling entry function 'sgd' for 'sm_90'\n\
            ptxas info    : Function properties for sgd\n\
            \x20   0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n\
            ptxas info    : Used 27 registers, used 0 barriers\n\
            ptxas info    : Compiling entry function 'walk' for 'sm_90'\n\
            \x20   24 bytes stack frame, 44 bytes spill stores, 48 bytes spill loads\n\
            ptxas info    : Used 168 registers, used 1 barriers, 24 bytes cumulative stack size\n";
        let found = usages(messages);
        assert_eq!(found["sgd"], Usage { registers: 27, spilled_bytes: 0 });
        assert_eq!(found["walk"], Usage { registers: 168, spilled_bytes: 44 });
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn capabilities_are_those_of_the_build_script() {
        let script = std::fs::read_to_string(repo::root().join("nn/build.rs")).unwrap();
        let list = CAPABILITIES.map(|capability| format!("\"{capability}\"")).join(", ");
        assert!(script.contains(&format!("[{list}]")), "nn/build.rs does not compile for {list}");
    }
}
