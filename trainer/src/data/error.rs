//! Why labelled texts cannot be read.

use super::quoted;
use std::path::{Path, PathBuf};

/// Why a table, or what stands for one, cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file cannot be opened or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// There is nothing in the file.
    #[error("{}: the file is empty, expected a header line such as `text,label` and a row for each example", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// There is no such column.
    #[error("{}: no column {wanted:?}; {place} has the columns {}{} Choose one with --{option}{}", path.display(), quoted(found),
        nearest(wanted, found).map_or_else(|| ".".to_owned(), |name| format!(": did you mean {name:?}?")),
        if *one_column { ", or name the separator with --delimiter" } else { "" })]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The column looked for.
        wanted: String,
        /// Where the columns are named: "line 1".
        place: String,
        /// The columns found.
        found: Vec<String>,
        /// The option that names this column.
        option: &'static str,
        /// Whether the separator is probably the wrong one.
        one_column: bool,
    },
    /// Text and label are the same column.
    #[error("column {name:?} is named for both texts and labels, expected two columns")]
    SameColumn {
        /// The column.
        name: String,
    },
    /// A row has more or fewer fields than the header.
    #[error("{}: line {line} has {found} fields, expected {expected} as in the header; a field with the separator, a quotation mark or a line break in it must stand in quotation marks", path.display())]
    Fields {
        /// The file.
        path: PathBuf,
        /// Where the row begins.
        line: u64,
        /// Its fields.
        found: u64,
        /// The header's fields.
        expected: u64,
    },
    /// A quotation mark opens a field and none closes it.
    #[error("{}: line {line}: the quotation mark that opens field {field} is never closed, expected another one before the end of the file; \
        close the field, or write a mark that belongs to the text as two in a quoted field: \"he said \"\"no\"\"\"", path.display())]
    Unclosed {
        /// The file.
        path: PathBuf,
        /// Line of the opening mark.
        line: u64,
        /// Number of the field in its row, from 1.
        field: usize,
    },
    /// A quoted field goes on after its closing mark.
    #[error("{}: line {line}: {found:?} follows the closing quotation mark of field {field} (opened in line {opened}), expected the separator or \
        the end of the line; write a mark that belongs to the text as two: \"he said \"\"no\"\"\"", path.display())]
    AfterQuote {
        /// The file.
        path: PathBuf,
        /// Line of the closing mark.
        line: u64,
        /// Line of the opening mark.
        opened: u64,
        /// Number of the field in its row, from 1.
        field: usize,
        /// What stands there.
        found: char,
    },
    /// A field has a value that it may not have.
    #[error("{}: line {line}: {found}, expected {expected}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Where the row begins.
        line: u64,
        /// What is there.
        found: String,
        /// What may be.
        expected: &'static str,
    },
    /// A row has no label.
    #[error("{}: line {line}: the label is empty, expected a name in column {column:?}; fill it in or delete the row", path.display())]
    EmptyLabel {
        /// The file.
        path: PathBuf,
        /// Where the row begins.
        line: u64,
        /// The column of labels.
        column: String,
    },
    /// The file is not UTF-8.
    #[error("{}: line {line}, byte {column} of the line: 0x{byte:02x} is not UTF-8, expected a UTF-8 file{}; convert it: `iconv -f {} -t utf-8`", path.display(),
        guess.as_ref().map_or_else(String::new, |(name, word)| format!(" (as {name} it reads {word:?})")),
        guess.as_ref().map_or("latin1", |(name, _)| *name))]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// Position in the line, from 1.
        column: usize,
        /// The first byte that is wrong.
        byte: u8,
        /// What the file may be instead, and what the word then says.
        guess: Option<(&'static str, String)>,
    },
    /// The file is in two or four bytes a character.
    #[error("{}: {sign}: the file is {encoding}, expected UTF-8; convert it: `iconv -f {encoding} -t utf-8`", path.display())]
    Utf16 {
        /// The file.
        path: PathBuf,
        /// By what it is known.
        sign: &'static str,
        /// Its encoding.
        encoding: &'static str,
    },
    /// There is a NUL byte in the file.
    #[error("{}: line {line}, byte {column} of the line: a NUL byte, expected text; the file is binary or damaged", path.display())]
    Nul {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// Position in the line, from 1.
        column: usize,
    },
    /// There is a header and nothing else.
    #[error("{}: there is no row after the header, expected a row for each example", path.display())]
    NoRows {
        /// The file.
        path: PathBuf,
    },
    /// A line is not a JSON object with a text and a label.
    #[error("{}: line {line}: {found}, expected a JSON object such as {}", path.display(), r#"{"text": "free prize", "label": "spam"}"#)]
    Json {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// What is there.
        found: String,
    },
    /// A directory has no texts in it.
    #[error("{}: {found}, expected a file, or a folder for each label with one .txt file a text: {}/LABEL/*.txt{}", path.display(), path.display(),
        hint.as_ref().map_or_else(String::new, |hint| format!("; did you mean {}?", hint.display())))]
    Folder {
        /// The directory.
        path: PathBuf,
        /// What is there.
        found: String,
        /// A folder in it that has what was looked for.
        hint: Option<PathBuf>,
    },
    /// A Parquet file is wrong.
    #[error("{}: {found}, expected {expected}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is there.
        found: String,
        /// What should be.
        expected: &'static str,
    },
    /// This program was built without what the source needs.
    #[error("{}: this `tern` was built without the feature `hub`, which reads {what}; build it with `cargo install --path trainer --features hub`, \
        or convert the data to CSV or JSONL", path.display())]
    Feature {
        /// The source.
        path: PathBuf,
        /// What the feature reads.
        what: &'static str,
    },
    /// A data set of the Hugging Face hub cannot be had.
    #[error("{name}: {problem}")]
    Hub {
        /// The data set as it was named.
        name: String,
        /// What is wrong and what to do.
        problem: String,
    },
}

impl TableError {
    /// An error of the system about `path`.
    pub(super) fn io(path: &Path) -> impl Fn(std::io::Error) -> TableError {
        move |source| TableError::Io { path: path.to_owned(), source }
    }
}

/// The name that `wanted` may be a misspelling of.
fn nearest<'a>(wanted: &str, names: &'a [String]) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&wanted, &name.to_lowercase());
    names.iter().map(|name| (distance(name), name.as_str())).min().filter(|(far, _)| *far <= 2).map(|(_, name)| name)
}
