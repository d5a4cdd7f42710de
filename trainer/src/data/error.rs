//! Errors that several readers of data share.

use crate::display::quoted;
use crate::file_error::FileError;
use std::path::Path;

/// Returns the error for a row without a label.
pub fn empty_label(path: &Path, line: u64, column: &str) -> FileError {
    let expected = format!("expected a name in column {column:?}; fill it in or delete the row");
    FileError::in_line(path, line, format!("the label is empty, {expected}"))
}

/// Returns the error for a text or a label with a NUL character, which no table can hold. `place`: the row, such as
/// "line 4". `part`: "text" or "label".
pub fn nul_in_row(path: &Path, place: &str, part: &str) -> FileError {
    FileError::new(path, format!("{place}: a NUL character (\\u0000) in the {part}, expected text; delete it"))
}

/// A column that a file lacks, and the parts of the error about it.
pub struct MissingColumn<'a> {
    /// The name of the missing column.
    pub wanted: &'a str,
    /// The place of the column names, such as "line 1".
    pub place: &'a str,
    /// The names of all columns.
    pub found: &'a [String],
    /// The option or the recipe key that selects this column.
    pub option: &'a str,
    /// Further advice that is appended to the message, with its punctuation; may be empty.
    pub hint: &'a str,
}

impl MissingColumn<'_> {
    /// Returns the error for a column that is missing in the file `path`. If a column has a similar name, the error
    /// suggests it.
    pub fn error(self, path: &Path) -> FileError {
        // For example: no column "lable"; line 1 has the columns COLUMNS: did you mean "label"? Choose one with OPTION
        let MissingColumn { wanted, place, found, option, hint } = self;
        let sentence_end = match nearest(wanted, found) {
            Some(name) => format!(": did you mean {name:?}?"),
            None => ".".to_owned(),
        };
        let columns = quoted(found);
        let advice = format!("Choose one with {option}{hint}");
        FileError::new(path, format!("no column {wanted:?}; {place} has the columns {columns}{sentence_end} {advice}"))
    }
}

/// Returns the name that differs from `wanted` by at most two edits, ignoring case: the nearest one, or `None`.
fn nearest<'a>(wanted: &str, names: &'a [String]) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&wanted, &name.to_lowercase());
    let (edits, name) = names.iter().map(|name| (distance(name), name.as_str())).min()?;
    (edits <= 2).then_some(name)
}
