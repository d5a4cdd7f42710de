//! Builds the firmware, which is a workspace of its own, for a board.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tern_boards::Board;

use crate::elf::Image;
use crate::process::{Command, cargo, run};
use crate::repo;

/// Builds the release firmware; the path of its ELF file, [`Board::firmware`].
///
/// Boards share compiler targets, and with them the place where cargo leaves the program: a lock keeps it until it is
/// copied.
pub fn build(board: &Board) -> Result<PathBuf> {
    make(board, &mut command(board, &repo::firmware(), "build"), &repo::root().join(board.firmware()))
}

/// As [`build`], for models that are signed with the key whose public half this file holds; the path of its ELF file,
/// beside the other.
pub fn build_signed(board: &Board, public_key: &Path) -> Result<PathBuf> {
    let mut command = command(board, &repo::firmware(), "build");
    command.args(["--features", "signed"]).env("TERN_PUBLIC_KEY", public_key);
    let elf = repo::root().join(board.firmware());
    make(board, &mut command, &elf.with_file_name(format!("{}-signed.elf", board.name)))
}

/// Builds, and puts the program to `elf`.
fn make(board: &Board, build: &mut Command, elf: &Path) -> Result<PathBuf> {
    let folder = elf.parent().context("it lies in a folder")?;
    fs::create_dir_all(folder)?;
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;
    run(build)?;
    let built = built(board, &repo::firmware().join("target"));
    if !built.is_file() {
        bail!("the build went well, but {} is not there; is the binary still called `tern-firmware`?", built.display());
    }
    check(board, &built)?;
    // A build that changed nothing leaves the file alone: an emulator may be running it.
    if fs::read(elf).ok() != Some(fs::read(&built)?) {
        let new = elf.with_extension("tmp");
        fs::copy(&built, &new)?;
        fs::rename(&new, elf)?;
    }
    Ok(elf.to_owned())
}

/// `cargo SUBCOMMAND` for the release firmware of `board`, in the workspace at `folder`.
pub fn command(board: &Board, folder: &Path, subcommand: &str) -> Command {
    let mut command = cargo(folder);
    command.args([
        subcommand,
        "--release",
        "--no-default-features",
        "--features",
        board.name,
        "--target",
        board.target,
    ]);
    command
}

/// Where cargo leaves the program below a target folder.
pub fn built(board: &Board, target_folder: &Path) -> PathBuf {
    target_folder.join(board.target).join("release").join("tern-firmware")
}

/// Whether the table of boards says of the model's slot what the board's memory map does.
fn check(board: &Board, elf: &Path) -> Result<()> {
    let image = Image::read(elf)?;
    let found = (image.symbol("__slot_a_start")?, image.length("__slot_a_start", "__slot_a_end")?);
    let expected = (u64::from(board.slot.address), u64::from(board.slot.bytes));
    if found != expected {
        let ((address, bytes), (said, length)) = (found, expected);
        bail!(
            "the memory map of {} has its first slot at {address:#x}, {bytes} bytes; boards/src/lib.rs says {said:#x}, {length}",
            board.name
        );
    }
    Ok(())
}
