//! `cargo xtask gpu`: builds an archive that tests and measures the training on a machine with a GPU. That machine
//! needs neither a network nor a toolchain.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::bench::train::plan::{Network, SMALL_LSTM};
use crate::bench::train::{PYTORCH, texts};
use crate::process::{Command, capture, cargo, program, run};
use crate::stage::note;
use crate::{cuda, data, repo};

/// The script that runs the tests and the benchmarks of the archive.
const SCRIPT: &str = include_str!("run.sh");
/// Hidden sizes that the script measures.
const HIDDEN: [usize; 3] = [64, 128, 256];
/// Batch sizes that the script measures with each hidden size.
const BATCHES: [usize; 3] = [32, 256, 1_024];
/// Number of texts that the script measures with.
const TEXTS: usize = 4_096;
/// Largest number of tokens of a text.
const MAX_LENGTH: usize = 400;
/// The beginnings of the names of the CUDA libraries that the programs load.
const LIBRARIES: [&str; 5] = ["libcublas.so", "libcublasLt.so", "libcudart.so", "libcurand.so", "libnvrtc"];

/// Runs `cargo xtask gpu`: builds the programs and writes the archive.
pub fn build() -> Result<()> {
    let toolkit = cuda::toolkit()?;
    let folder = repo::root().join("target").join("gpu");
    let archive = folder.join("tern-gpu");
    if archive.exists() {
        fs::remove_dir_all(&archive)?;
    }
    for name in ["bin", "lib", "data", "bench"] {
        fs::create_dir_all(archive.join(name))?;
    }
    let libraries = link_libraries(&folder.join("link"), &toolkit)?;
    for (name, path) in programs(&toolkit, &folder.join("link"))? {
        fs::copy(&path, archive.join("bin").join(name)).with_context(|| path.display().to_string())?;
    }
    for library in libraries {
        let name = library.file_name().context("a library has a name")?;
        fs::copy(&library, archive.join("lib").join(name))?;
    }
    data::write(&archive.join("data"), tern_messages::SEED)?;
    write_bench(&archive.join("bench"))?;
    let script = archive.join("run.sh");
    repo::write(&script, SCRIPT)?;
    run(program("chmod").arg("+x").arg(&script))?;
    let packed = folder.join("tern-gpu.tar.gz");
    note("archive", &format!("packing {}", repo::shown(&packed)));
    run(program("tar").arg("czf").arg(&packed).arg("-C").arg(&folder).arg("tern-gpu"))?;
    println!("{}: copy it to a machine with a GPU and run tern-gpu/run.sh", repo::shown(&packed));
    Ok(())
}

/// Writes the texts, the recipes and the worker of PyTorch.
fn write_bench(folder: &Path) -> Result<()> {
    texts::write_tables(folder, &texts::lengths_like_reviews(TEXTS, MAX_LENGTH))?;
    for hidden in HIDDEN {
        for batch in BATCHES {
            let network = Network { hidden, batch, device: "cuda", ..SMALL_LSTM };
            repo::write(&folder.join(format!("h{hidden}-b{batch}.toml")), texts::recipe(&network))?;
        }
    }
    repo::write(&folder.join("pytorch.py"), PYTORCH)
}

/// Makes a folder in which the linker finds the libraries of the toolkit by their plain names, such as `libcublas.so`,
/// and returns the paths of the libraries in the toolkit.
///
/// The driver's library, `libcuda.so`, is not part of a toolkit. The programs are linked with an empty library of this
/// name.
fn link_libraries(folder: &Path, toolkit: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(folder)?;
    let mut libraries = Vec::new();
    for subfolder in ["lib64", "lib"] {
        // A toolkit has one of the two.
        let Ok(entries) = fs::read_dir(toolkit.join(subfolder)) else { continue };
        for entry in entries.flatten() {
            let file_name = entry.file_name().to_string_lossy().into_owned();
            // Only names with a version, such as `libcublas.so.13.1`, which becomes `libcublas.so`.
            let Some((name, _version)) = file_name.split_once(".so.") else { continue };
            if !LIBRARIES.iter().any(|library| file_name.starts_with(library)) {
                continue;
            }
            libraries.push(entry.path());
            let plain = folder.join(format!("{name}.so"));
            if plain.exists() {
                fs::remove_file(&plain)?;
            }
            fs::copy(entry.path(), plain)?;
        }
    }
    if libraries.is_empty() {
        bail!("{} has no libraries, expected libcublas.so and others in lib or lib64", toolkit.display());
    }
    let empty = folder.join("empty.c");
    repo::write(&empty, "")?;
    let driver = folder.join("libcuda.so");
    let arguments = ["-shared", "-Wl,-soname,libcuda.so.1", "-o"];
    run(program("cc").args(arguments).arg(&driver).arg(&empty))?;
    Ok(libraries)
}

/// Builds the programs of the archive and returns their names and paths. `link`: the folder of [`link_libraries`].
fn programs(toolkit: &Path, link: &Path) -> Result<Vec<(&'static str, PathBuf)>> {
    // The empty `libcuda.so` defines none of the driver's functions.
    let flags = format!("-L{} -Clink-arg=-Wl,--unresolved-symbols=ignore-all", link.display());
    let target = repo::root().join("target").join("gpu").join("build");
    let build = |arguments: &[&str]| -> Command {
        let mut command = cargo(&repo::root());
        command.args(arguments).args(["--release", "--features", "cuda", "--message-format=json-render-diagnostics"]);
        cuda::for_another_machine(&mut command, toolkit).env("RUSTFLAGS", &flags).env("CARGO_TARGET_DIR", &target);
        command
    };
    let mut found = Vec::new();
    let tests = ["test", "--no-run", "-p", "tern-nn", "--test", "kernels", "--test", "device"];
    let commands = ["build", "-p", "tern-trainer", "--bin", "tern", "--example", "bench_step"];
    for (arguments, names) in [(&tests[..], ["kernels", "device"]), (&commands[..], ["tern", "bench_step"])] {
        let messages = capture(&mut build(arguments))?;
        for name in names {
            found.push((name, executable(&messages, name).with_context(|| format!("cargo built no {name}"))?));
        }
    }
    Ok(found)
}

/// Returns the path of the program of a target, from cargo's messages.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    for line in messages.lines() {
        // Lines that are not JSON are skipped, as are messages about libraries, which have no `executable`.
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        if message["target"]["name"] == name
            && let Some(path) = message["executable"].as_str()
        {
            return Some(PathBuf::from(path));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_the_messages_of_cargo() {
        let messages = "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"tern\"},\"executable\":null}\n\
            {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"tern\"},\"executable\":\"/x/tern\"}\nnote\n";
        assert_eq!(executable(messages, "tern"), Some(PathBuf::from("/x/tern")));
        assert_eq!(executable(messages, "kernels"), None);
    }

    #[test]
    fn the_script_measures_every_recipe_and_is_valid() {
        let folder = repo::root().join("target").join("tmp").join("gpu-bench");
        fs::create_dir_all(&folder).unwrap();
        write_bench(&folder).unwrap();
        let recipe = fs::read_to_string(folder.join("h128-b1024.toml")).unwrap();
        assert!(recipe.contains("device = \"cuda\"") && recipe.contains("batch_size = 1024"), "{recipe}");
        assert!(SCRIPT.contains("bench/h*-b*.toml"));
        run(program("bash").args(["-n", "-c", SCRIPT])).unwrap();
    }
}
