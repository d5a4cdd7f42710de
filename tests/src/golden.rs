//! Golden files: the expected output of a test, stored in `tests/tests/golden/`.

use std::{env, fs};

use crate::programs::root;

/// Compares `output` with the golden file `tests/tests/golden/NAME`, byte for byte. If `TERN_BLESS` is set, writes the
/// file instead. Panics at the first line that differs, with its number and the command that writes the file again.
pub fn assert_golden(name: &str, output: &str) {
    let path = root().join("tests/tests/golden").join(name);
    if env::var_os("TERN_BLESS").is_some() {
        fs::write(&path, output).expect("the golden file can be written");
        return;
    }
    let hint = "if the change is intended, `TERN_BLESS=1 cargo test -p tern-tests` writes the file again";
    let golden = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}; {hint}", path.display()));
    for (number, (found, expected)) in (1..).zip(output.split('\n').zip(golden.split('\n'))) {
        assert_eq!(found, expected, "{}:{number}; {hint}", path.display());
    }
    assert_eq!(output.len(), golden.len(), "{}: other number of lines in {output}; {hint}", path.display());
}
