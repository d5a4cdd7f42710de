//! Golden files: committed tables, a device file and its logits. Tests generate them again and compare.

use std::{format, fs};

/// Compares `generated` with the committed file at `path`, relative to this package, and panics if they differ.
/// `TERN_BLESS=1 cargo test -p tern-runtime` overwrites the file first.
pub(crate) fn assert_golden(path: &str, generated: &[u8]) {
    let file = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("TERN_BLESS").is_some() {
        fs::write(&file, generated).unwrap();
    }
    let committed = fs::read(&file).unwrap_or_default();
    assert!(committed == generated, "{file} is out of date; TERN_BLESS=1 cargo test -p tern-runtime regenerates it");
}
