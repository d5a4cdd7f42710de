//! Finds the firmware for an emulated board.

use std::path::{Path, PathBuf};

use tern_boards::Board;

use super::transport::OpenError;

/// The folder with the source code that this program was built from. It may no longer exist.
const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Returns the ELF file of a board's firmware: the `named` one, else the one in the environment variable TERN_FIRMWARE,
/// else the one that `cargo xtask firmware` built in the current folder, a folder above, or the folder that this
/// program was built from.
pub(super) fn find(named: Option<PathBuf>, board: &Board) -> Result<PathBuf, OpenError> {
    let variable = std::env::var_os("TERN_FIRMWARE").filter(|path| !path.is_empty()).map(PathBuf::from);
    let here = std::env::current_dir().unwrap_or_default();
    find_in(named.or(variable), board, &here, Path::new(CHECKOUT))
}

/// Finds the firmware from the folder `here`, with the source code in the folder `checkout`.
fn find_in(named: Option<PathBuf>, board: &Board, here: &Path, checkout: &Path) -> Result<PathBuf, OpenError> {
    if let Some(path) = named {
        return match std::fs::metadata(&path) {
            Ok(_) => Ok(path),
            Err(error) => Err(OpenError::File { path, kind: "firmware", error }),
        };
    }
    let relative_path = board.firmware();
    let built =
        here.ancestors().chain([checkout]).map(|folder| folder.join(&relative_path)).find(|path| path.is_file());
    built.ok_or_else(|| {
        let build = format!("cargo xtask firmware --board {}", board.name);
        let command = match checkout.canonicalize() {
            Ok(checkout) if !here.starts_with(&checkout) => format!("(cd {} && {build})", checkout.display()),
            Ok(_) => build,
            Err(_) => format!("{build}    # in a checkout of Tern"),
        };
        OpenError::NoFirmware { board: board.name, command }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_firmware_is_found_in_a_folder_above_and_in_the_checkout() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let board = tern_boards::DEFAULT;
        let (checkout, elsewhere) = (root.join("checkout"), root.join("elsewhere"));
        let inside = checkout.join("a/b");
        for folder in [&inside, &elsewhere] {
            std::fs::create_dir_all(folder).unwrap();
        }
        let error = find_in(None, board, &elsewhere, &checkout).unwrap_err().to_string();
        let command = format!("(cd {} && cargo xtask firmware --board mps2-an386)", checkout.display());
        assert!(error.contains(&command), "{error}");
        let error = find_in(None, board, &inside, &checkout).unwrap_err().to_string();
        assert!(error.contains("builds it:\n    cargo xtask firmware --board mps2-an386\n"), "{error}");

        let elf = checkout.join(board.firmware());
        std::fs::create_dir_all(elf.parent().unwrap()).unwrap();
        std::fs::write(&elf, "").unwrap();
        for here in [&inside, &elsewhere] {
            assert_eq!(find_in(None, board, here, &checkout).unwrap(), elf);
        }
        let error = find_in(Some("nowhere.elf".into()), board, &inside, &checkout).unwrap_err().to_string();
        assert!(error.starts_with("nowhere.elf: "), "{error}");
    }
}
