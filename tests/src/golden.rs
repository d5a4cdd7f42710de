//! Golden files: what a test made once, was looked at, and must make again.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// `tests/tests/golden/NAME`.
pub fn golden_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Compares `made` with the golden file `name`, byte for byte; with `TERN_BLESS` set, writes it instead.
///
/// # Panics
///
/// Where they differ: says at which byte, and how to make the file again.
pub fn assert_golden(name: &str, made: &[u8]) {
    let path = golden_path(name);
    if env::var_os("TERN_BLESS").is_some() {
        let folder = path.parent().expect("a golden file lies in a folder");
        fs::create_dir_all(folder).and_then(|()| fs::write(&path, made)).expect("the golden file can be written");
        return;
    }
    let again = "look at what changed, then `TERN_BLESS=1 cargo test -p tern-tests` makes it again";
    let golden = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; {again}", path.display()));
    if golden == made {
        return;
    }
    let at = golden.iter().zip(made).take_while(|(a, b)| a == b).count();
    let (found, expected) = (excerpt(made, at), excerpt(&golden, at));
    panic!(
        "{} has {} bytes, the test made {}; they differ first at byte {at}: found {found:?}, expected {expected:?}; {again}",
        path.display(),
        golden.len(),
        made.len(),
    );
}

/// Some bytes around `at`, as text where they are text.
fn excerpt(bytes: &[u8], at: usize) -> String {
    let end = bytes.len().min(at + 40);
    String::from_utf8_lossy(&bytes[at.saturating_sub(20).min(end)..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_stays_inside() {
        assert_eq!(excerpt(b"", 0), "");
        assert_eq!(excerpt(b"abc", 3), "abc");
        assert_eq!(excerpt(&[b'x'; 100], 50).len(), 60);
    }
}
