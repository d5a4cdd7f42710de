//! Where the emulator's firmware lies.

use std::path::{Path, PathBuf};

use tern_boards::Board;

use super::OpenError;

/// The firmware that TERN_FIRMWARE names.
pub(super) fn in_environment() -> Option<PathBuf> {
    std::env::var_os("TERN_FIRMWARE").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The firmware named, or else the board's that was built in `from` or a folder above.
pub(super) fn find(named: Option<PathBuf>, board: &Board, from: &Path) -> Result<PathBuf, OpenError> {
    if let Some(path) = named {
        return match std::fs::metadata(&path) {
            Ok(_) => Ok(path),
            Err(error) => Err(OpenError::File { path, what: "firmware", error }),
        };
    }
    let wanted = board.firmware();
    let built = from.ancestors().map(|folder| folder.join(&wanted)).find(|path| path.is_file());
    built.ok_or_else(|| OpenError::NoFirmware { wanted: wanted.into(), board: board.name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_folder_above() {
        let root = tempfile::tempdir().unwrap();
        let board = tern_boards::DEFAULT;
        let (elf, deep) = (root.path().join(board.firmware()), root.path().join("a/b"));
        std::fs::create_dir_all(&deep).unwrap();
        let error = find(None, board, &deep).unwrap_err().to_string();
        assert!(error.contains("`cargo xtask firmware --board mps2-an386` builds it"), "{error}");
        std::fs::create_dir_all(elf.parent().unwrap()).unwrap();
        std::fs::write(&elf, "").unwrap();
        assert_eq!(find(None, board, &deep).unwrap(), elf);
        let error = find(Some("nowhere.elf".into()), board, &deep).unwrap_err().to_string();
        assert!(error.starts_with("nowhere.elf: "), "{error}");
    }
}
