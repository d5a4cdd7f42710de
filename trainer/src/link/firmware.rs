//! Where the emulator's firmware lies.

use std::path::{Path, PathBuf};

use super::OpenError;

/// From the repository's root.
const BUILT: &str = "firmware/target/thumbv7em-none-eabihf/release/tern-firmware";

/// The firmware that TERN_FIRMWARE names.
pub(super) fn in_environment() -> Option<PathBuf> {
    std::env::var_os("TERN_FIRMWARE").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The firmware named, or else the one built in `from` or a folder above.
pub(super) fn find(named: Option<PathBuf>, from: &Path) -> Result<PathBuf, OpenError> {
    if let Some(path) = named {
        return match std::fs::metadata(&path) {
            Ok(_) => Ok(path),
            Err(error) => Err(OpenError::File { path, what: "firmware", error }),
        };
    }
    let built = from.ancestors().map(|folder| folder.join(BUILT)).find(|path| path.is_file());
    built.ok_or_else(|| OpenError::NoFirmware { wanted: BUILT.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_folder_above() {
        let root = tempfile::tempdir().unwrap();
        let (elf, deep) = (root.path().join(BUILT), root.path().join("a/b"));
        std::fs::create_dir_all(&deep).unwrap();
        let error = find(None, &deep).unwrap_err().to_string();
        assert!(error.contains("cargo xtask firmware"), "{error}");
        std::fs::create_dir_all(elf.parent().unwrap()).unwrap();
        std::fs::write(&elf, "").unwrap();
        assert_eq!(find(None, &deep).unwrap(), elf);
        let error = find(Some("nowhere.elf".into()), &deep).unwrap_err().to_string();
        assert!(error.starts_with("nowhere.elf: "), "{error}");
    }
}
