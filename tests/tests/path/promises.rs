//! Each claim in `docs/threat-model.md` and `docs/claims.md` names tests and commands that exist.

use std::path::Path;

use tern_tests::root;

/// Appends all Rust sources below `folder` to `all`, except in target folders.
fn sources(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() && !entry.ends_with("target") {
            sources(&entry, all);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            *all += &std::fs::read_to_string(&entry).unwrap();
        }
    }
}

/// Returns the rows of all tables with this heading in a page.
fn rows<'a>(page: &'a str, heading: &str) -> Vec<&'a str> {
    let head = format!("{heading}\n|---|---|\n");
    let tables = page.split(&head).skip(1);
    tables.flat_map(|table| table.lines().take_while(|line| line.starts_with('|'))).collect()
}

/// Checks that the last column of each row names at least one test or command, and that all of them exist.
fn check(page: &str, heading: &str, least: usize) {
    let page = std::fs::read_to_string(root().join("docs").join(page)).unwrap();
    let (mut code, mut commands) = (String::new(), String::new());
    for folder in
        ["firmware/src", "format", "fuzz/tests", "messages", "nn", "runtime", "tests/tests", "trainer", "xtask"]
    {
        let folder = root().join(folder);
        if folder.is_dir() {
            sources(&folder, &mut code);
        }
    }
    sources(&root().join("xtask/src"), &mut commands);
    let rows = rows(&page, heading);
    assert!(rows.len() >= least, "{rows:?}");
    for row in rows {
        let tests = row.rsplit('|').nth(1).unwrap();
        let names: Vec<_> = tests.split('`').skip(1).step_by(2).filter(|name| !name.starts_with("--")).collect();
        assert!(!names.is_empty(), "no test or command in {row}");
        for name in names {
            if let Some(command) = name.strip_prefix("cargo xtask ") {
                // Each word is a variant of an enum of the command line.
                for word in command.split(' ') {
                    let variant = format!("\n    {}{}", word[..1].to_uppercase(), &word[1..]);
                    assert!(commands.contains(&variant), "`{name}` does not exist; it is named in {row}");
                }
            } else if !name.starts_with("tern ") {
                // A function with the attribute `#[test]`, also inside a macro.
                let attributes = |offset: usize| {
                    code[..offset].trim_end().lines().rev().take_while(|line| line.trim().starts_with("#["))
                };
                let is_test = |offset: usize| attributes(offset).any(|line| line.trim() == "#[test]");
                let head = format!("fn {name}(");
                let places: Vec<usize> = code.match_indices(&head).map(|(offset, _)| offset).collect();
                assert!(!places.is_empty(), "`{name}` does not exist; it is named in {row}");
                assert!(places.into_iter().any(is_test), "`{name}` is not a test");
            }
        }
    }
}

#[test]
fn every_promise_of_the_threat_model_names_tests_that_exist() {
    check("threat-model.md", "| promise | tests |", 10);
}

#[test]
fn every_claim_of_the_runtime_names_tests_and_commands_that_exist() {
    check("claims.md", "| claim | shown by |", 25);
}
