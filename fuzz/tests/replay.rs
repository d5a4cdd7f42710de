//! Runs every target on its committed corpus, on stable Rust and in every run of the tests, so that a fault that the
//! fuzzer has found once does not return unnoticed.

use std::fs;
use std::path::Path;

#[test]
fn the_corpus_is_replayed() {
    for (name, target) in tern_fuzz::TARGETS {
        // `load` and `loader` both read device files.
        let corpus = if name == "load" { "loader" } else { name };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(corpus);
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
