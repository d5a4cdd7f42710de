//! A file that an emulated board's flash is kept in.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::OpenError;

/// Sees that the file is there: erased flash where it was not.
pub(super) fn ensure(path: &Path, bytes: u32) -> Result<(), OpenError> {
    match fs::metadata(path) {
        Ok(file) if file.len() == u64::from(bytes) => Ok(()),
        Ok(file) => Err(OpenError::FlashLength { path: path.to_owned(), found: file.len(), expected: bytes.into() }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            erased(path, bytes).map_err(|error| OpenError::File { path: path.to_owned(), what: "flash", error })
        }
        Err(error) => Err(OpenError::File { path: path.to_owned(), what: "flash", error }),
    }
}

fn erased(path: &Path, bytes: u32) -> std::io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".tmp");
    let mut file = fs::File::create(&new)?;
    let piece = [0xff; 64 * 1024];
    let mut left = bytes as usize;
    while left > 0 {
        let now = left.min(piece.len());
        file.write_all(&piece[..now])?;
        left -= now;
    }
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erased_flash_is_made_and_kept_and_another_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flash");
        ensure(&path, 70_000).unwrap();
        assert_eq!(fs::read(&path).unwrap(), vec![0xff; 70_000]);
        fs::write(&path, vec![7; 70_000]).unwrap();
        ensure(&path, 70_000).unwrap();
        assert_eq!(fs::read(&path).unwrap()[0], 7);
        let error = ensure(&path, 70_001).unwrap_err().to_string();
        assert!(error.contains("70000 bytes, expected the flash of an emulated board, 70001"), "{error}");
    }
}
