//! `include/tern.h` is generated from the source of the library. `TERN_BLESS=1 cargo test` writes it again.

use std::path::Path;

#[test]
fn the_header_declares_the_functions_of_the_library() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).unwrap();
    let bindings = cbindgen::generate_with_config(folder, config).unwrap();
    let mut made = Vec::new();
    bindings.write(&mut made);
    // What Rust calls safety are preconditions, which stand at the end of each comment.
    let made = String::from_utf8(made).unwrap().replace(" * # Safety\n", "");
    let path = folder.join("include/tern.h");
    if std::env::var_os("TERN_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "include/tern.h is not current: run `TERN_BLESS=1 cargo test` in c/");
}
