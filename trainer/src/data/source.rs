//! The kinds of sources of labelled texts.

use super::folder;
use super::lines::FAST_TEXT_LABEL;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The kind of a source of labelled texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A CSV or TSV file.
    Table,
    /// A file with a JSON object on each line.
    JsonLines,
    /// A file with a text on each line, after `__label__NAME`.
    FastText,
    /// A Parquet file.
    Parquet,
    /// A directory with a folder for each label.
    Folder,
    /// A data set of the Hugging Face hub: `hf:owner/name`.
    Hub,
}

impl Source {
    /// Determines the kind of `path` by the first of these that decides: the prefix `hf:`, a directory, the first bytes
    /// of a Parquet file, the ending of the name, the first bytes of the other formats. A file that cannot be read is
    /// judged by its name.
    pub fn of(path: &Path) -> Self {
        if is_hub(path) {
            return Source::Hub;
        }
        if path.is_dir() {
            return Source::Folder;
        }
        let start = first_bytes(path);
        if start.starts_with(b"PAR1") {
            return Source::Parquet;
        }
        let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
        match ending.as_ref().and_then(|ending| ending.to_str()) {
            Some("jsonl" | "ndjson" | "json") => Source::JsonLines,
            Some("parquet") => Source::Parquet,
            _ if start.trim_ascii_start().starts_with(FAST_TEXT_LABEL.as_bytes()) => Source::FastText,
            _ if start.trim_ascii_start().starts_with(b"{\"") => Source::JsonLines,
            _ => Source::Table,
        }
    }
}

/// Returns the first 256 bytes of a file, without a byte-order mark; empty if the file cannot be read.
fn first_bytes(path: &Path) -> Vec<u8> {
    let mut start = Vec::new();
    if let Ok(file) = File::open(path) {
        // An error is reported when the whole file is read.
        let _ = file.take(256).read_to_end(&mut start);
    }
    if start.starts_with(b"\xef\xbb\xbf") {
        start.drain(..3);
    }
    start
}

/// Returns true if `path` names a data set of the Hugging Face hub, `hf:owner/name`.
pub fn is_hub(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.starts_with("hf:"))
}

/// Returns true if `path` is a `.txt` file without labels: text for a language model.
pub fn is_plain_text(path: &Path) -> bool {
    let is_text = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("txt")) && path.is_file();
    // `Source::of` finds the labels of fastText and of JSON, and takes every other text file for a table.
    is_text && Source::of(path) == Source::Table
}

/// The place of a row in its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Index of the row in the result of [`read`](super::read).
    pub row: usize,
    /// The first line of the row: [`Row::line`](super::Row::line).
    pub line: u64,
}

impl Place {
    /// Formats the place for messages: the path, and the line or in a Parquet file the row, both from 1. If `path` is a
    /// folder of texts, this is the path of the text's file.
    pub fn show(self, path: &Path) -> String {
        match (Source::of(path), self.line) {
            (Source::Folder, _) => folder::file(path, self.row).unwrap_or(path.to_owned()).display().to_string(),
            // The line is not known.
            (_, 0) => format!("{}: row {}", path.display(), self.row + 1),
            (Source::Parquet, row) => format!("{}: row {row}", path.display()),
            (_, line) => format!("{}: line {line}", path.display()),
        }
    }
}
