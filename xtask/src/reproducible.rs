//! `cargo xtask reproducible`: builds the firmware in two target folders and compares the ELF files.
//!
//! Both builds are of this checkout. Checkouts in different folders give different bytes: cargo derives the name of a
//! crate outside of the workspace, such as the runtime, from its path, and the compiler orders functions by name.

use std::fs;

use anyhow::{Context, Result, bail};
use tern_boards::Board;

use crate::process::run as run_command;
use crate::{firmware, repo};

/// Runs `cargo xtask reproducible`: compares the firmware of the usual target folder with firmware that is built from
/// scratch in another folder.
pub fn run(board: &Board) -> Result<()> {
    let first = fs::read(firmware::build(board)?)?;
    let second = build_from_scratch(board)?;
    let name = board.name;
    if first != second {
        // If one file is the beginning of the other, they differ at its end.
        let end_of_shorter = first.len().min(second.len());
        let position = first.iter().zip(&second).position(|(a, b)| a != b).unwrap_or(end_of_shorter);
        bail!(
            "two builds of {name} differ at byte {position} of {} and {}; compare firmware/target with target/reproducible",
            first.len(),
            second.len()
        );
    }
    println!("two builds of {name} give the same {} bytes", first.len());
    Ok(())
}

/// Builds into an empty target folder and reads the ELF file. The path of the folder has another length than the usual
/// one, so a path that the compiler writes into the program would make the files differ.
fn build_from_scratch(board: &Board) -> Result<Vec<u8>> {
    let folder = repo::root().join("target").join("reproducible").join("another-place");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    run_command(firmware::command(board, &repo::firmware(), "build").arg("--locked").env("CARGO_TARGET_DIR", &folder))?;
    let elf = firmware::built(board, &folder);
    fs::read(&elf).with_context(|| elf.display().to_string())
}
