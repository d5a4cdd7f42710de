//! What `docs/threat-model.md` promises, each line by tests that are there.

use std::path::Path;

use tern_tests::root;

/// All Rust sources below `folder`, but for what cargo makes.
fn sources(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() && !entry.ends_with("target") {
            sources(&entry, all);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            *all += &std::fs::read_to_string(&entry).unwrap();
        }
    }
}

#[test]
fn every_promise_of_the_threat_model_names_tests_that_exist() {
    let page = std::fs::read_to_string(root().join("docs/threat-model.md")).unwrap();
    let (_, promises) = page.split_once("| promise | tests |\n|---|---|\n").expect("the page has its table");
    let mut code = String::new();
    for folder in ["firmware/src", "runtime", "tests/tests", "trainer"] {
        sources(&root().join(folder), &mut code);
    }
    let rows: Vec<_> = promises.lines().take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() >= 10, "{rows:?}");
    for row in rows {
        let tests = row.rsplit('|').nth(1).unwrap();
        let names: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test for {row}");
        for name in names {
            // A test, or a case that a macro makes one of: its function, and the word for it not far before.
            let at =
                code.find(&format!("fn {name}(")).unwrap_or_else(|| panic!("`{name}` does not exist; it holds {row}"));
            assert!(code[..at].trim_end().ends_with("#[test]"), "`{name}` is no test");
        }
    }
}
