//! `cargo xtask dist`: makes the archive with which `tern` runs without a checkout: the command, its completions and
//! manual pages, the firmware of the emulated boards, and some models of the repository.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tern_boards::{BOARDS, Board};

use crate::process::{capture_quietly, probe, program, run as run_command, run_quietly};
use crate::setup::toolchain;
use crate::tern::Tern;
use crate::{firmware, package, repo};

/// The shells with completions, and the file of each below the archive's folder.
const COMPLETIONS: [(&str, &str); 4] = [
    ("bash", "share/bash-completion/completions/tern"),
    ("zsh", "share/zsh/site-functions/_tern"),
    ("fish", "share/fish/vendor_completions.d/tern.fish"),
    ("powershell", "share/tern/tern.ps1"),
];

/// The models in the archive.
const MODELS: [&str; 4] = ["building", "clinc150", "sms_spam", "snips"];

/// The documents in the archive.
const DOCUMENTS: [&str; 5] = ["README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE-APACHE", "LICENSE-MIT"];

/// Writes `target/dist/tern-VERSION-TARGET.tar.gz` and prints its path and size. `unpacked`: writes only the folder
/// that would be packed.
pub fn run(unpacked: bool) -> Result<()> {
    let manifest = repo::read(&repo::root().join("Cargo.toml"))?;
    let name = format!("tern-{}-{}", package::version(&manifest)?, toolchain::host()?);
    let dist = repo::root().join("target").join("dist");
    let folder = dist.join(&name);
    if folder.is_dir() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    add_tern(&folder)?;
    let emulated: Vec<&Board> = BOARDS.iter().filter(|board| board.emulator.is_some()).collect();
    let targets: Vec<&str> = emulated.iter().map(|board| board.target).collect();
    toolchain::ensure_targets(&targets)?;
    for board in emulated {
        strip(&firmware::build(board)?, &with_parent(&folder, &board.installed_firmware())?)?;
    }
    for model in MODELS {
        let device_file = format!("{model}.safetensors");
        let to = with_parent(&folder, &format!("share/tern/models/{device_file}"))?;
        copy(&repo::root().join("models").join(model).join(device_file), &to)?;
    }
    for document in DOCUMENTS {
        copy(&repo::root().join(document), &with_parent(&folder, &format!("share/doc/tern/{document}"))?)?;
    }
    if unpacked {
        println!("{}", repo::shown(&folder));
        return Ok(());
    }
    // An interrupted command leaves no incomplete archive.
    let archive = dist.join(format!("{name}.tar.gz"));
    let incomplete = archive.with_extension("tmp");
    run_quietly(program("tar").arg("-czf").arg(&incomplete).arg("-C").arg(&dist).arg(&name), false)?;
    fs::rename(&incomplete, &archive).with_context(|| format!("cannot write {}", archive.display()))?;
    println!("{}: {} KB", repo::shown(&archive), fs::metadata(&archive)?.len().div_ceil(1000));
    Ok(())
}

/// Builds `tern` with the feature `hub`, and puts it, its completions and its manual pages into `folder`.
fn add_tern(folder: &Path) -> Result<()> {
    let tern = Tern::build_with(&["--features", "hub"])?;
    copy(tern.path(), &with_parent(folder, &format!("bin/tern{}", std::env::consts::EXE_SUFFIX))?)?;
    for (shell, path) in COMPLETIONS {
        let script = capture_quietly(tern.command().args(["completions", shell]), false)?;
        repo::write(&with_parent(folder, path)?, script)?;
    }
    run_command(tern.command().arg("man").arg(folder.join("share/man/man1")))
}

/// Returns the path of a file of the archive and creates the folder that it is in. `path`: the path below `folder`.
fn with_parent(folder: &Path, path: &str) -> Result<PathBuf> {
    let file = folder.join(path);
    let parent = file.parent().context("a file of the archive is in a folder")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    Ok(file)
}

/// Copies a file; an error names both paths.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

/// Copies the program of a device without its debug information, which is most of the file. The symbols, which
/// `defmt-print` needs, remain.
fn strip(elf: &Path, to: &Path) -> Result<()> {
    let sysroot = probe(program("rustc").args(["--print", "sysroot"])).context("`rustc --print sysroot` fails")?;
    let tools = Path::new(&sysroot).join("lib/rustlib").join(toolchain::host()?).join("bin");
    let objcopy = tools.join(format!("rust-objcopy{}", std::env::consts::EXE_SUFFIX));
    ensure!(objcopy.is_file(), "{} is missing; install Rust 1.90 or newer by rustup", objcopy.display());
    // This `rust-objcopy` is for the compiler's own use: it does not find the compiler's libraries by itself.
    let libraries = Path::new(&sysroot).join("lib");
    let mut command = program(&objcopy.to_string_lossy());
    command.env("LD_LIBRARY_PATH", &libraries).env("DYLD_FALLBACK_LIBRARY_PATH", &libraries);
    run_quietly(command.arg("--strip-debug").args([elf, to]), false)
}
