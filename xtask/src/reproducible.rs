//! `cargo xtask reproducible`: two builds of the firmware, each from nothing and in a folder of its own, give the same ELF file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tern_boards::Board;

use crate::process::run as run_command;
use crate::{firmware, repo};

/// What the firmware is built of, from the root.
const SOURCES: [&str; 2] = ["firmware", "runtime"];

/// Builds twice and compares.
pub fn run(board: &Board) -> Result<()> {
    // Paths of unlike length: what depends on them does not come out the same by chance.
    let first = build(board, &folder("a"))?;
    let second = build(board, &folder("another-place"))?;
    let name = board.name;
    if first != second {
        let at = first.iter().zip(&second).position(|(a, b)| a != b).unwrap_or(first.len().min(second.len()));
        let (one, other) = (first.len(), second.len());
        bail!("two builds of {name} differ, at byte {at} of {one} and {other}: {}", folder("a").display());
    }
    println!("two builds of {name} in two folders: the same {} bytes", first.len());
    Ok(())
}

fn folder(name: &str) -> PathBuf {
    repo::root().join("target").join("reproducible").join(name)
}

/// Copies the sources to `folder`, which is emptied first, builds there, and reads the ELF file.
fn build(board: &Board, folder: &Path) -> Result<Vec<u8>> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    for source in SOURCES {
        copy(&repo::root().join(source), &folder.join(source)).with_context(|| format!("cannot copy {source}"))?;
    }
    // The runtime is a member of the root's workspace, and takes from it what all members share.
    let manifest = fs::read_to_string(repo::root().join("Cargo.toml"))?;
    fs::write(folder.join("Cargo.toml"), only_runtime(&manifest)?)?;
    let workspace = folder.join("firmware");
    run_command(
        firmware::command(board, &workspace, "build").arg("--locked").env("CARGO_TARGET_DIR", folder.join("target")),
    )?;
    let elf = firmware::built(board, &folder.join("target"));
    fs::read(&elf).with_context(|| elf.display().to_string())
}

/// The root's manifest with one member.
fn only_runtime(manifest: &str) -> Result<String> {
    let start = manifest.find("members = [").context("Cargo.toml: expected `members = [`")?;
    let end = start + manifest[start..].find(']').context("Cargo.toml: expected the end of the members")? + 1;
    Ok(format!("{}members = [\"runtime\"]{}", &manifest[..start], &manifest[end..]))
}

/// Copies a folder without what was built in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (name, path) = (entry.file_name(), entry.path());
        if name == "target" {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(name))?;
        } else {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_member_is_left() {
        let manifest = "[workspace]\nmembers = [\n  \"a\",\n  \"runtime\"]\nexclude = [\"firmware\"]\n";
        let expected = "[workspace]\nmembers = [\"runtime\"]\nexclude = [\"firmware\"]\n";
        assert_eq!(only_runtime(manifest).unwrap(), expected);
    }
}
