//! The errors of reading tables, texts and sequences.

use super::quoted;
use std::path::{Path, PathBuf};

/// Why a table, a folder of texts or a data set cannot be read. Lines and columns count from 1.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file cannot be opened or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is empty.
    #[error("{}: the file is empty, expected a header line such as `text,label` and a row for each example", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The table has no column of this name.
    #[error("{}: no column {wanted:?}; {place} has the columns {}{} Choose one with {option}{hint}", path.display(), quoted(found),
        nearest(wanted, found).map_or_else(|| ".".to_owned(), |name| format!(": did you mean {name:?}?")))]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The missing column.
        wanted: String,
        /// The place of the names, such as "line 1".
        place: Box<str>,
        /// The columns found.
        found: Vec<String>,
        /// The option or the recipe key that names this column.
        option: &'static str,
        /// Further advice, or empty.
        hint: Box<str>,
    },
    /// The text column and the label column are the same.
    #[error("column {name:?} is named for both texts and labels, expected two columns")]
    SameColumn {
        /// The column.
        name: String,
    },
    /// Two columns have the same name.
    #[error("{}: line 1: columns {first} and {second} are both named {name:?}, expected different names; rename one of them", path.display())]
    DuplicateColumn {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
        /// Number of the first column.
        first: usize,
        /// Number of the second column.
        second: usize,
    },
    /// A row has more or fewer fields than the header.
    #[error("{}: line {line} has {found} fields, expected {expected} as in the first line; a field with the separator, a quotation mark or a \
        line break in it needs quotation marks around it", path.display())]
    Fields {
        /// The file.
        path: PathBuf,
        /// First line of the row.
        line: u64,
        /// Number of fields in the row.
        found: u64,
        /// Number of fields in the header.
        expected: u64,
    },
    /// A quotation mark opens a field and none closes it.
    #[error("{}: line {line}: the quotation mark that opens field {field} is never closed, expected another one before the end of the file; \
        close the field, or read quotation marks as ordinary characters with --no-quoting", path.display())]
    Unclosed {
        /// The file.
        path: PathBuf,
        /// Line of the opening mark.
        line: u64,
        /// Number of the field in its row.
        field: usize,
    },
    /// Text follows the closing mark of a quoted field.
    #[error("{}: line {line}: {found:?} follows the closing quotation mark of field {field} (opened in line {opened}), expected the separator or \
        the end of the line; write a mark inside a quoted field as two, \"he said \"\"no\"\"\", or read marks as ordinary characters with \
        --no-quoting", path.display())]
    AfterQuote {
        /// The file.
        path: PathBuf,
        /// Line of the closing mark.
        line: u64,
        /// Line of the opening mark.
        opened: u64,
        /// Number of the field in its row.
        field: usize,
        /// The character after the closing mark.
        found: char,
    },
    /// A row has no label.
    #[error("{}: line {line}: the label is empty, expected a name in column {column:?}; fill it in or delete the row", path.display())]
    EmptyLabel {
        /// The file.
        path: PathBuf,
        /// First line of the row.
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
        /// Line of the first wrong byte.
        line: u64,
        /// Position of the byte in its line.
        column: usize,
        /// The byte.
        byte: u8,
        /// The probable encoding, and the word around the byte in it.
        guess: Option<(&'static str, String)>,
    },
    /// The file has two or four bytes a character.
    #[error("{}: {sign}: the file is {encoding}, expected UTF-8; convert it: `iconv -f {encoding} -t utf-8`", path.display())]
    Utf16 {
        /// The file.
        path: PathBuf,
        /// The sign by which the encoding was recognised.
        sign: &'static str,
        /// The encoding.
        encoding: &'static str,
    },
    /// The file is binary and of a known format.
    #[error("{}: the file is {format}, whatever its name ends in, expected UTF-8 text; {advice}", path.display())]
    Binary {
        /// The file.
        path: PathBuf,
        /// The format.
        format: &'static str,
        /// Advice for making a text file of it.
        advice: &'static str,
    },
    /// The file has a NUL byte.
    #[error("{}: line {line}, byte {column} of the line: a NUL byte, expected text; the file is binary or damaged", path.display())]
    Nul {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// Position in the line.
        column: usize,
    },
    /// A text or a label has a NUL character, which no table can hold.
    #[error("{}: {place}: a NUL character (\\u0000) in the {part}, expected text; delete it", path.display())]
    NulInRow {
        /// The file.
        path: PathBuf,
        /// The line or row, such as "line 4".
        place: Box<str>,
        /// "text" or "label".
        part: &'static str,
    },
    /// The table has a header and no rows.
    #[error("{}: no row after the header, expected a row for each example", path.display())]
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
        /// The content that was found.
        found: String,
    },
    /// A line is not in the format of fastText.
    #[error("{}: line {line}: {found}, expected one label before the text, such as `__label__spam free prize`", path.display())]
    FastText {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The content that was found.
        found: &'static str,
    },
    /// A directory has no texts in it.
    #[error("{}: {found}, expected a file, or a folder for each label with one .txt file a text: {}/LABEL/*.txt{}", path.display(), path.display(),
        hint.as_ref().map_or_else(String::new, |hint| format!("; did you mean {}?", hint.display())))]
    Folder {
        /// The directory.
        path: PathBuf,
        /// The content that was found.
        found: String,
        /// A folder below it that has such folders.
        hint: Option<PathBuf>,
    },
    /// A Parquet file cannot be read.
    #[error("{}: {found}, expected {expected}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The content that was found.
        found: String,
        /// The content that was expected.
        expected: &'static str,
    },
    /// This program was built without the feature that reads the source.
    #[error("{}: this `tern` was built without the feature `hub`, which reads {what}; build it with `cargo install --locked --path trainer --features hub`, \
        or convert the data to CSV or JSONL", path.display())]
    Feature {
        /// The source.
        path: PathBuf,
        /// The kind of sources that the feature reads.
        what: &'static str,
    },
    /// A data set of the Hugging Face hub cannot be fetched.
    #[error("{name}: {problem}")]
    Hub {
        /// The name of the data set as given.
        name: String,
        /// The problem, and advice.
        problem: String,
    },
}

impl TableError {
    /// Returns a function that wraps a system error about `path`.
    pub(super) fn io(path: &Path) -> impl Fn(std::io::Error) -> TableError {
        move |source| TableError::Io { path: path.to_owned(), source }
    }
}

/// Returns the name that `wanted` is probably a misspelling of.
fn nearest<'a>(wanted: &str, names: &'a [String]) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&wanted, &name.to_lowercase());
    names.iter().map(|name| (distance(name), name.as_str())).min().filter(|(far, _)| *far <= 2).map(|(_, name)| name)
}
