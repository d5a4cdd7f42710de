//! Golden files: tables, a device file and its logits, which tests generate and compare with the committed ones.

use std::{format, fs};

/// Compares `made` with the committed file at `path`, below this package; `TERN_BLESS=1 cargo test -p tern-runtime`
/// writes it again.
pub(crate) fn assert_golden(path: &str, made: &[u8]) {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("TERN_BLESS").is_some() {
        fs::write(&path, made).unwrap();
    }
    let committed = fs::read(&path).unwrap_or_default();
    assert!(committed == made, "{path} is out of date; TERN_BLESS=1 cargo test -p tern-runtime makes it again");
}
