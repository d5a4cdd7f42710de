//! The committed corpus through every target: what once was found stays found, on stable Rust and in every run of the
//! tests.

use std::fs;
use std::path::Path;

#[test]
fn the_corpus_is_replayed() {
    for (name, target) in tern_fuzz::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let mut count = 0;
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            target(&fs::read(&path).unwrap());
            count += 1;
        }
        assert!(count >= 20, "only {count} files for {name}");
    }
}
