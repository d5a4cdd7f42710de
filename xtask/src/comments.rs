//! `cargo xtask comments`: checks the form of comments in all Rust files.
//!
//! A comment is at most 120 columns wide. A documentation comment begins with a capital letter, a digit or a mark such
//! as that of a code span, and not with one of the words `FORBIDDEN`, such as "What": they usually begin a clause that
//! is neither a sentence nor a noun phrase.

use anyhow::{Context, Result, bail};

use crate::imports::tracked_sources;
use crate::repo;

/// The greatest width of a line with a comment.
const COLUMNS: usize = 120;

/// Beginnings of documentation comments that are neither sentences nor noun phrases.
const FORBIDDEN: [&str; 7] = ["What ", "Of ", "Whether ", "Who ", "All that ", "Where there ", "How "];

/// Checks all Rust files.
pub fn run() -> Result<()> {
    let mut faults = Vec::new();
    for path in tracked_sources(&repo::root())?.iter().filter(|path| path.ends_with(".rs")) {
        let text = std::fs::read_to_string(repo::root().join(path)).with_context(|| format!("cannot read {path}"))?;
        faults.extend(faults_of(&text).into_iter().map(|(line, fault)| format!("{path}:{line}: {fault}")));
    }
    if !faults.is_empty() {
        bail!("{}\n{} comments to rewrite; CONTRIBUTING.md describes their form", faults.join("\n"), faults.len());
    }
    Ok(())
}

/// Returns the line number and a description of each fault in a source file.
fn faults_of(text: &str) -> Vec<(usize, String)> {
    let mut faults = Vec::new();
    let mut previous_comment = "";
    for (number, line) in (1..).zip(text.lines()) {
        let trimmed = line.trim_start();
        let is_comment = trimmed.starts_with("//");
        let width = line.chars().count();
        if is_comment && width > COLUMNS {
            faults.push((number, format!("{width} columns, at most {COLUMNS}")));
        }
        for marker in ["///", "//!"] {
            let is_first_line = trimmed.starts_with(marker) && !previous_comment.starts_with(marker);
            if is_first_line && let Some(fault) = fault_of_beginning(trimmed.trim_start_matches(marker).trim()) {
                faults.push((number, fault));
            }
        }
        previous_comment = if is_comment { trimmed } else { "" };
    }
    faults
}

/// Returns a description of the fault in the first line of a documentation comment, if there is one. `doc`: the line
/// without its marker.
fn fault_of_beginning(doc: &str) -> Option<String> {
    if let Some(word) = FORBIDDEN.iter().find(|word| doc.starts_with(**word)) {
        return Some(format!("begins with `{}`: write a sentence or a noun phrase", word.trim()));
    }
    let is_allowed = |first: char| first.is_uppercase() || first.is_ascii_digit() || "`[<(*\"".contains(first);
    if doc.starts_with(is_allowed) {
        return None;
    }
    Some("begins with neither a capital letter nor a code span".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_and_a_long_line_are_faults() {
        let long = format!("    // {}\n", "x".repeat(COLUMNS));
        let found = |text: &str| faults_of(text).into_iter().map(|(line, _)| line).collect::<Vec<_>>();
        assert_eq!(found("/// What is sent.\n/// Of no interest.\nfn a() {}\n\n    /// of two\nfn b() {}\n"), [1, 5]);
        assert_eq!(found(&long), [1]);
        // Four slashes begin a plain comment.
        let faultless = "//! `cargo`\n//!\n//! of this\n/// A name.\n/// What follows is a second line.\n//// x\n";
        assert!(found(faultless).is_empty());
    }
}
