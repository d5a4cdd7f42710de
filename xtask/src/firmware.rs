//! Builds the firmware, which is the separate workspace `firmware/`, for a board: the program of a device with its
//! console (command line) and the runtime, into whose flash models are written.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tern_boards::Board;

use crate::elf::Image;
use crate::process::{Command, cargo, run};
use crate::repo;

/// The environment variable with the public key that models must be signed with: 64 hexadecimal digits, or a file with
/// them.
pub const PUBLIC_KEY: &str = "TERN_PUBLIC_KEY";

/// The feature of firmware that runs only signed models.
pub const SIGNED: &str = "signed";
/// The public key of a test vector of RFC 8032, with which sizes are measured.
const TEST_KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

/// Builds the firmware without a key, and returns the path of its ELF file, [`Board::firmware`].
pub fn build(board: &Board) -> Result<PathBuf> {
    let mut command = command(board, &repo::firmware(), "build");
    command.env_remove(PUBLIC_KEY);
    build_with(board, command, &repo::root().join(board.firmware()))
}

/// Builds the firmware that runs only models signed with this key, and returns the path of its ELF file,
/// [`Board::signed_firmware`]. `public_key` is as in [`PUBLIC_KEY`]; a path is relative to the current folder.
pub fn build_signed(board: &Board, public_key: &OsStr) -> Result<PathBuf> {
    // The build script runs in another folder, so a path must be absolute.
    let key = fs::canonicalize(public_key).map_or_else(|_| public_key.to_owned(), PathBuf::into_os_string);
    let mut command = command(board, &repo::firmware(), "build");
    command.args(["--features", SIGNED]).env(PUBLIC_KEY, key);
    build_with(board, command, &repo::root().join(board.signed_firmware()))
}

/// Builds the firmware with a key if [`PUBLIC_KEY`] is set, and without one otherwise.
pub fn build_from_environment(board: &Board) -> Result<PathBuf> {
    match env::var_os(PUBLIC_KEY).filter(|key| !key.is_empty()) {
        Some(key) => build_signed(board, &key),
        None => build(board),
    }
}

/// Runs the build and copies the program to `elf`.
///
/// Boards with the same compiler target, and firmware with and without a key, share the place where cargo puts the
/// program. A lock prevents another build from replacing the program before it is copied.
fn build_with(board: &Board, mut build: Command, elf: &Path) -> Result<PathBuf> {
    let folder = elf.parent().context("the ELF file is in a folder")?;
    fs::create_dir_all(folder)?;
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;
    // The folder is an argument, which overrides CARGO_TARGET_DIR and the user's cargo configuration.
    let target_folder = repo::firmware().join("target");
    run(build.arg("--target-dir").arg(&target_folder))?;
    let built = built(board, &target_folder);
    if !built.is_file() {
        bail!("the build succeeded, but {} is missing; is the binary still called `tern-firmware`?", built.display());
    }
    check_slot(board, &built)?;
    // An unchanged file is not replaced, since an emulator may be running it.
    if fs::read(elf).ok() != Some(fs::read(&built)?) {
        let new = elf.with_extension("tmp");
        fs::copy(&built, &new)?;
        fs::rename(&new, elf)?;
    }
    Ok(elf.to_owned())
}

/// Returns the command `cargo SUBCOMMAND` for the firmware of `board`, in the workspace at `folder`.
pub fn command(board: &Board, folder: &Path, subcommand: &str) -> Command {
    command_with(board, folder, subcommand, &[board.features.feature()])
}

/// Returns the same as [`command`], with these features of the console instead of those of the board, beside the
/// feature with the board's name.
fn command_with(board: &Board, folder: &Path, subcommand: &str, features: &[&str]) -> Command {
    let mut command = cargo(folder);
    let features = [&[board.name], features].concat().join(",");
    command.args([subcommand, "--profile", board.features.profile(), "--no-default-features"]);
    command.args(["--features", &features, "--target", board.target]);
    command
}

/// Builds the firmware with these features of the console, and returns its sizes.
pub fn size_with(board: &Board, features: &[&str]) -> Result<Image> {
    let target_folder = repo::firmware().join("target");
    let mut command = command_with(board, &repo::firmware(), "build", features);
    // An empty variable is the same as none.
    let key = if features.contains(&SIGNED) { TEST_KEY } else { "" };
    run(command.env(PUBLIC_KEY, key).arg("--quiet").arg("--target-dir").arg(&target_folder))?;
    Image::read(&built(board, &target_folder))
}

/// Returns the features of the console, each with its purpose, which is the comment above it in firmware/Cargo.toml.
pub fn features() -> Result<Vec<(String, String)>> {
    let manifest = repo::read(&repo::firmware().join("Cargo.toml"))?;
    let full = manifest.lines().find_map(|line| line.strip_prefix("full = [")?.strip_suffix(']'));
    let full = full.context("firmware/Cargo.toml: expected a line `full = [\"…\", …]`")?;
    let mut features = Vec::new();
    for name in full.split(", ").map(|quoted| quoted.trim_matches('"')).chain([SIGNED]) {
        let (before, _) = manifest
            .split_once(&format!("\n{name} = ["))
            .with_context(|| format!("firmware/Cargo.toml: no feature {name}"))?;
        // The lines of the comment, from the last to the first.
        let mut comment: Vec<_> = before.lines().rev().map_while(|line| line.strip_prefix("# ")).collect();
        comment.reverse();
        features.push((name.to_owned(), comment.join(" ")));
    }
    Ok(features)
}

/// Returns the path at which cargo puts the program below a target folder.
pub fn built(board: &Board, target_folder: &Path) -> PathBuf {
    target_folder.join(board.target).join(board.features.profile()).join("tern-firmware")
}

/// Checks that the table of boards and the board's memory map agree about the first model slot.
fn check_slot(board: &Board, elf: &Path) -> Result<()> {
    let image = Image::read(elf)?;
    let found = (image.symbol_value("__slot_a_start")?, image.distance("__slot_a_start", "__slot_a_end")?);
    let expected = (u64::from(board.slot.address), u64::from(board.slot.bytes));
    if found != expected {
        let ((address, bytes), (expected_address, expected_bytes)) = (found, expected);
        bail!(
            "the memory map of {} has its first slot at {address:#x}, {bytes} bytes; expected {expected_address:#x}, {expected_bytes} bytes, \
             as in boards/src/lib.rs",
            board.name
        );
    }
    Ok(())
}
