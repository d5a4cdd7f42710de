//! Golden files: the expected output of a test, stored in `tests/tests/golden/`.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// Returns the path `tests/tests/golden/NAME`.
pub fn golden_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Compares `output` with the golden file `name`, byte for byte; with `TERN_BLESS` set, writes the file instead.
///
/// # Panics
///
/// Panics at the first difference, with its place and the command that writes the file again.
pub fn assert_golden(name: &str, output: &[u8]) {
    let path = golden_path(name);
    if env::var_os("TERN_BLESS").is_some() {
        fs::write(&path, output).expect("the golden file can be written");
        return;
    }
    let again = "if the change is intended, `TERN_BLESS=1 cargo test -p tern-tests` writes the file again";
    let golden = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; {again}", path.display()));
    if golden == output {
        return;
    }
    let at = golden.iter().zip(output).take_while(|(a, b)| a == b).count();
    let (found, expected) = (excerpt(output, at), excerpt(&golden, at));
    panic!("{}: byte {at}: found {found:?}, expected {expected:?}; {again}", path.display());
}

/// Returns the bytes around `at` as text.
fn excerpt(bytes: &[u8], at: usize) -> String {
    let end = bytes.len().min(at + 40);
    String::from_utf8_lossy(&bytes[at.saturating_sub(20).min(end)..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_stays_within_the_bytes() {
        assert_eq!(excerpt(b"", 0), "");
        assert_eq!(excerpt(b"abc", 3), "abc");
        assert_eq!(excerpt(&[b'x'; 100], 50).len(), 60);
    }
}
