//! The search for the firmware of a board that QEMU emulates.

use std::path::{Path, PathBuf};

use tern_boards::Board;

use super::transport::OpenError;

/// The folder with the source code that this program was built from. It may no longer exist.
const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The folders in which firmware is searched for that neither an option nor TERN_FIRMWARE names.
struct Places<'a> {
    /// The current folder. This folder or one above it may be a checkout.
    here: &'a Path,
    /// The folder of the program `tern`; `None` if it is unknown. An archive of `cargo xtask dist` has the firmware
    /// beside this folder.
    program: Option<&'a Path>,
    /// The checkout that this program was built from.
    checkout: &'a Path,
}

/// Returns the ELF file of a board's firmware: the `named` one, else the one in the environment variable TERN_FIRMWARE,
/// else the one that `cargo xtask firmware` built in the current folder or a folder above, else the one that was
/// installed with this program, else the one in the folder that this program was built from.
pub(super) fn find(named: Option<PathBuf>, board: &Board) -> Result<PathBuf, OpenError> {
    let variable = std::env::var_os("TERN_FIRMWARE").filter(|path| !path.is_empty()).map(PathBuf::from);
    let here = std::env::current_dir().unwrap_or_default();
    // A symbolic link to the program, such as one in /usr/local/bin, is resolved to the folder that it was unpacked in.
    let program = std::env::current_exe().and_then(|program| program.canonicalize()).ok();
    let program = program.as_deref().and_then(Path::parent);
    find_in(named.or(variable), board, &Places { here: &here, program, checkout: Path::new(CHECKOUT) })
}

/// Finds the firmware in the given places, in the order of [`find`]. `named`: the ELF file that the user named.
fn find_in(named: Option<PathBuf>, board: &Board, places: &Places<'_>) -> Result<PathBuf, OpenError> {
    if let Some(path) = named {
        return match std::fs::metadata(&path) {
            Ok(_) => Ok(path),
            Err(error) => Err(OpenError::File { path, kind: "firmware", error }),
        };
    }
    let Places { here, program, checkout } = places;
    let relative_path = board.firmware();
    let above = here.ancestors().map(|folder| folder.join(&relative_path));
    let installed = program.and_then(Path::parent).map(|prefix| prefix.join(board.installed_firmware()));
    let found = above.chain(installed).chain([checkout.join(&relative_path)]).find(|path| path.is_file());
    found.ok_or_else(|| {
        let build = format!("cargo xtask firmware --board {}", board.name);
        // A `tern` from crates.io was built in a folder that is not a checkout.
        let is_checkout = |folder: &PathBuf| folder.join("firmware/Cargo.toml").is_file();
        let command = match checkout.canonicalize().ok().filter(is_checkout) {
            Some(checkout) if !here.starts_with(&checkout) => format!("(cd {} && {build})", checkout.display()),
            Some(_) => build,
            None => format!("{build}    # in a checkout of Tern"),
        };
        OpenError::NoFirmware { board: board.name, command }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_firmware_is_found_in_a_folder_above_beside_the_program_and_in_the_checkout() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let board = tern_boards::DEFAULT;
        let (checkout, elsewhere, program) = (root.join("checkout"), root.join("elsewhere"), root.join("opt/bin"));
        let inside = checkout.join("a/b");
        for folder in [&inside, &elsewhere, &program] {
            std::fs::create_dir_all(folder).unwrap();
        }
        let find = |here: &Path| find_in(None, board, &Places { here, program: Some(&program), checkout: &checkout });
        let error = find(&elsewhere).unwrap_err().to_string();
        assert!(error.contains("cargo xtask firmware --board mps2-an386    # in a checkout of Tern\n"), "{error}");
        let write = |path: PathBuf| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            path
        };
        write(checkout.join("firmware/Cargo.toml"));
        let error = find(&elsewhere).unwrap_err().to_string();
        let command = format!("(cd {} && cargo xtask firmware --board mps2-an386)", checkout.display());
        assert!(error.contains(&command), "{error}");
        let error = find(&inside).unwrap_err().to_string();
        assert!(error.contains("builds it:\n    cargo xtask firmware --board mps2-an386\n"), "{error}");

        let built = write(checkout.join(board.firmware()));
        for here in [&inside, &elsewhere] {
            assert_eq!(find(here).unwrap(), built);
        }
        let installed = write(root.join("opt").join(board.installed_firmware()));
        assert_eq!((find(&inside).unwrap(), find(&elsewhere).unwrap()), (built, installed));
        let places = Places { here: &inside, program: None, checkout: &checkout };
        let error = find_in(Some("nowhere.elf".into()), board, &places).unwrap_err().to_string();
        assert!(error.starts_with("nowhere.elf: "), "{error}");
    }
}
