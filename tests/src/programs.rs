//! The programs under test, each built once in each test process, and helpers to run programs.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use tern_boards::Board;

/// Returns the root of the repository.
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// Returns the command `tern` of this build, with the root of the repository as working directory and without stdin.
/// Panics if `tern` cannot be built.
pub fn tern() -> Command {
    static TERN: OnceLock<PathBuf> = OnceLock::new();
    let path = TERN.get_or_init(|| {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // `--workspace` gives the dependencies the features that they have in the tests, so they are not compiled
        // again.
        stdout_of(command.current_dir(root()).args(["build", "--quiet", "--workspace", "--bin", "tern"]));
        // A test runs as TARGET/PROFILE/deps/NAME.
        let exe = std::env::current_exe().expect("the path of a test process is known");
        let folder = exe.ancestors().nth(2).expect("a test is in a target folder");
        folder.join(format!("tern{}", std::env::consts::EXE_SUFFIX))
    });
    let mut command = Command::new(path);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// Returns the ELF file of the release firmware for the default board. Panics if the firmware cannot be built.
pub fn firmware() -> &'static Path {
    static FIRMWARE: OnceLock<PathBuf> = OnceLock::new();
    FIRMWARE.get_or_init(|| firmware_of(tern_boards::DEFAULT))
}

/// Returns the ELF file of the release firmware for this board. Panics if the firmware cannot be built.
pub fn firmware_of(board: &Board) -> PathBuf {
    xtask::firmware::build(board)
        .unwrap_or_else(|error| panic!("`cargo xtask setup` installs what the build needs: {error:#}"))
}

/// Returns the ELF file of the release firmware that accepts only signed models, and the file of the private key.
///
/// The key is created once and reused by later runs, because a new key would require a new build of the firmware.
/// Panics if key or firmware cannot be created.
pub fn signed_firmware() -> &'static (PathBuf, PathBuf) {
    static SIGNED: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    SIGNED.get_or_init(|| {
        let folder = root().join("target/path-tests-key");
        let (private, public) = (folder.join("tern.key"), folder.join("tern.pub"));
        if !public.is_file() {
            std::fs::create_dir_all(&folder).expect("a folder can be created below target/");
            stdout_of(tern().args(["key", "new", "-o"]).arg(&private));
        }
        let elf = xtask::firmware::build_signed(tern_boards::DEFAULT, public.as_os_str());
        (elf.unwrap_or_else(|error| panic!("`cargo xtask setup` installs what the build needs: {error:#}")), private)
    })
}

/// Runs `tern console FILE --qemu` with these options and input lines, and returns its stdout. Panics if the command
/// does not start or fails.
pub fn console_session(file: &Path, options: &[&str], lines: &str) -> String {
    let mut command = tern();
    command.arg("console").arg(file).arg("--qemu").arg("--firmware").arg(firmware()).args(options);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("`tern` starts");
    child.stdin.take().expect("stdin is a pipe").write_all(lines.as_bytes()).expect("`tern` reads its input");
    let (status, stdout, stderr) = texts(child.wait_with_output().expect("`tern` ends"));
    assert_eq!(status, Some(0), "{stdout}\n{stderr}");
    stdout
}

/// Returns the text of a log that the release firmware for the default board has written.
pub fn decoded_log(log: &Path) -> String {
    let log = File::open(log).expect("the firmware writes a log");
    text_of(Command::new("defmt-print").arg("-e").arg(firmware()).stdin(log)).1
}

/// Runs `command` and returns its exit status (`None` after a signal), stdout and stderr. Panics if the command does
/// not start.
pub fn text_of(command: &mut Command) -> (Option<i32>, String, String) {
    texts(command.output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}")))
}

/// Returns the exit status, stdout and stderr of a process.
fn texts(Output { status, stdout, stderr }: Output) -> (Option<i32>, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code(), text(stdout), text(stderr))
}

/// Runs a command that must succeed, and returns its stdout. Panics with stderr if the exit status is not 0.
#[track_caller]
pub fn stdout_of(command: &mut Command) -> String {
    let (status, stdout, stderr) = text_of(command);
    assert_eq!(status, Some(0), "{command:?}\n{stdout}\n{stderr}");
    stdout
}

/// Runs a command that must fail with this exit status and print nothing to stdout, and returns its stderr. Panics with
/// all output if the command ends in another way.
#[track_caller]
pub fn error_of(command: &mut Command, expected_status: i32) -> String {
    let (status, stdout, stderr) = text_of(command);
    assert_eq!((status, stdout.as_str()), (Some(expected_status), ""), "{command:?}\n{stderr}");
    stderr
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_contains_both_workspaces() {
        assert!(root().join("Cargo.toml").is_file() && root().join("firmware/Cargo.toml").is_file());
    }
}
