//! The programs under test, each built once a test process, and the emulator.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use tern_boards::Board;

/// The root of the repository.
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// The `tern` command of this build, to be run at the root of the repository with no stdin.
pub fn tern() -> Command {
    static TERN: OnceLock<PathBuf> = OnceLock::new();
    let path = TERN.get_or_init(|| {
        build(&root(), &["--package", "tern-trainer", "--bin", "tern"]);
        // A test runs as TARGET/PROFILE/deps/NAME.
        let exe = std::env::current_exe().expect("a test knows its own path");
        let folder = exe.ancestors().nth(2).expect("a test lies in a target folder");
        built(folder.join(format!("tern{}", std::env::consts::EXE_SUFFIX)))
    });
    let mut command = Command::new(path);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// The release firmware's ELF file, of the board that commands mean where none is named.
pub fn firmware() -> &'static Path {
    static FIRMWARE: OnceLock<PathBuf> = OnceLock::new();
    FIRMWARE.get_or_init(|| firmware_of(tern_boards::DEFAULT))
}

/// The release firmware's ELF file, of this board.
///
/// # Panics
///
/// Where it cannot be built.
pub fn firmware_of(board: &Board) -> PathBuf {
    xtask::firmware::build(board).unwrap_or_else(|error| panic!("is `cargo xtask setup` done? {error:#}"))
}

/// The release firmware that takes signed models only, and the private key of what it takes. The key is made once and kept: another one would be
/// another firmware.
///
/// # Panics
///
/// Where they cannot be made.
pub fn signed_firmware() -> &'static (PathBuf, PathBuf) {
    static SIGNED: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    SIGNED.get_or_init(|| {
        let folder = root().join("target/path-tests-key");
        let (private, public) = (folder.join("tern.key"), folder.join("tern.pub"));
        if !public.is_file() {
            std::fs::create_dir_all(&folder).expect("a folder can be made below target/");
            let (status, _, log) = text_of(tern().args(["key", "new", "-o"]).arg(&private));
            assert_eq!(status, Some(0), "{log}");
        }
        let elf = xtask::firmware::build_signed(tern_boards::DEFAULT, &public);
        (elf.unwrap_or_else(|error| panic!("is `cargo xtask setup` done? {error:#}")), private)
    })
}

/// QEMU for the board `mps2-an386`, with no display, no monitor and no stdin; serial ports are the caller's.
pub fn emulator() -> Command {
    let mut command = Command::new("qemu-system-arm");
    command.args(["-M", "mps2-an386", "-display", "none", "-monitor", "none"]).stdin(Stdio::null());
    command
}

/// Runs `command`: its exit status (`None` where a signal ended it), what it wrote to stdout, and to stderr.
///
/// # Panics
///
/// Where it does not start.
pub fn text_of(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code(), text(stdout), text(stderr))
}

fn build(folder: &Path, arguments: &[&str]) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.current_dir(folder).arg("build").args(arguments).stdin(Stdio::null());
    let (status, _, log) = text_of(&mut command);
    assert_eq!(status, Some(0), "{command:?} failed; is `cargo xtask setup` done?\n{log}");
}

fn built(path: PathBuf) -> PathBuf {
    assert!(path.is_file(), "the build went well, but {} is not there", path.display());
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(root().join("Cargo.toml").is_file() && root().join("firmware/Cargo.toml").is_file());
    }
}
