//! The error of reading data, and the texts of it that several readers share.

use crate::display::quoted;
use std::fmt::Display;
use std::path::Path;

/// Data cannot be read or used. The text names the source, and says what was found, what was expected and what to do.
/// Lines and columns count from 1.
#[derive(Debug, thiserror::Error)]
#[error("{source_name}: {problem}")]
pub struct TableError {
    source_name: String,
    problem: String,
}

impl TableError {
    /// A problem of a file, a folder or a data set.
    pub fn new(path: &Path, problem: impl Into<String>) -> Self {
        TableError { source_name: path.display().to_string(), problem: problem.into() }
    }

    /// A problem in a line of a file.
    pub fn in_line(path: &Path, line: u64, problem: impl Display) -> Self {
        TableError::new(path, format!("line {line}: {problem}"))
    }

    /// Returns a function that wraps a system error about `path`.
    pub(super) fn io(path: &Path) -> impl Fn(std::io::Error) -> TableError {
        move |error| TableError::new(path, error.to_string())
    }

    /// A row without a label.
    pub(super) fn empty_label(path: &Path, line: u64, column: &str) -> Self {
        let expected = format!("expected a name in column {column:?}; fill it in or delete the row");
        TableError::in_line(path, line, format!("the label is empty, {expected}"))
    }

    /// A text or a label with a NUL character, which no table can hold. `place`: the row, such as "line 4". `part`:
    /// "text" or "label".
    pub(super) fn nul_in_row(path: &Path, place: &str, part: &str) -> Self {
        let problem = format!("{place}: a NUL character (\\u0000) in the {part}, expected text; delete it");
        TableError::new(path, problem)
    }
}

/// A column that is not among the columns `found` in `place`, such as "line 1".
pub struct MissingColumn<'a> {
    /// The name of the missing column.
    pub wanted: &'a str,
    /// The place of the column names, such as "line 1".
    pub place: &'a str,
    /// The names of all columns.
    pub found: &'a [String],
    /// The option or the recipe key that names this column.
    pub option: &'a str,
    /// Further advice, or empty.
    pub hint: &'a str,
}

impl MissingColumn<'_> {
    /// The error for a column that is missing in `path`.
    pub fn error(self, path: &Path) -> TableError {
        let MissingColumn { wanted, place, found, option, hint } = self;
        let meant = match nearest(wanted, found) {
            Some(name) => format!(": did you mean {name:?}?"),
            None => ".".to_owned(),
        };
        let columns = quoted(found);
        let advice = format!("Choose one with {option}{hint}");
        TableError::new(path, format!("no column {wanted:?}; {place} has the columns {columns}{meant} {advice}"))
    }
}

/// Returns the name that `wanted` is probably a misspelling of.
fn nearest<'a>(wanted: &str, names: &'a [String]) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&wanted, &name.to_lowercase());
    let (edits, name) = names.iter().map(|name| (distance(name), name.as_str())).min()?;
    (edits <= 2).then_some(name)
}
