//! `cargo xtask reproducible`: two builds of the firmware, each from nothing, give the same ELF file.
//!
//! Both are builds of this checkout. One elsewhere gives other bytes: cargo names a crate by the path of its folder where that is
//! outside of the workspace, as the runtime's is, and the compiler puts functions in the order of their names.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use tern_boards::Board;

use crate::process::run as run_command;
use crate::{firmware, repo};

/// Builds twice and compares.
pub fn run(board: &Board) -> Result<()> {
    // Paths of unlike length: what depends on them does not come out the same by chance.
    let (first, second) = (build(board, "a")?, build(board, "another-place")?);
    let name = board.name;
    if first != second {
        let at = first.iter().zip(&second).position(|(a, b)| a != b).unwrap_or(first.len().min(second.len()));
        let (one, other) = (first.len(), second.len());
        bail!("two builds of {name} differ, at byte {at} of {one} and {other}; both are below target/reproducible");
    }
    println!("two builds of {name} from nothing: the same {} bytes", first.len());
    Ok(())
}

/// Builds into a folder of its own, which is emptied first, and reads the ELF file.
fn build(board: &Board, name: &str) -> Result<Vec<u8>> {
    let folder: PathBuf = repo::root().join("target").join("reproducible").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    run_command(firmware::command(board, &repo::firmware(), "build").arg("--locked").env("CARGO_TARGET_DIR", &folder))?;
    let elf = firmware::built(board, &folder);
    fs::read(&elf).with_context(|| elf.display().to_string())
}
