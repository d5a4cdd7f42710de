//! Quotation marks of CSV, strictly.
//!
//! The csv library reads on where a quoted field is not closed, to the end of the file, and where something follows its
//! closing mark. Both nearly always mean that rows are lost: here they are errors, with the line.

use super::TableError;
use std::path::Path;

enum State {
    /// Before the first byte of a field.
    Start,
    /// In a field without marks, or with marks after its first byte: these are ordinary.
    Plain,
    /// In a quoted field.
    Quoted,
    /// After a mark in a quoted field: the field ends here, or the mark is the first of two.
    Mark,
}

/// Checks the quotation marks of a whole table.
///
/// # Errors
///
/// [`TableError::Unclosed`] and [`TableError::AfterQuote`].
pub fn check(path: &Path, text: &str, delimiter: u8) -> Result<(), TableError> {
    let mut state = State::Start;
    let (mut line, mut opened, mut field) = (1, 1, 1);
    for (at, byte) in text.bytes().enumerate() {
        state = match (state, byte) {
            (State::Start, b'"') => {
                opened = line;
                State::Quoted
            }
            (State::Quoted, b'"') => State::Mark,
            (State::Quoted, _) | (State::Mark, b'"') => State::Quoted,
            (State::Start | State::Plain | State::Mark, b'\r' | b'\n') => {
                field = 1;
                State::Start
            }
            (State::Start | State::Plain | State::Mark, byte) if byte == delimiter => {
                field += 1;
                State::Start
            }
            (State::Mark, _) => {
                let found = text[at..].chars().next().unwrap_or('\0');
                return Err(TableError::AfterQuote { path: path.to_owned(), line, opened, field, found });
            }
            (State::Start | State::Plain, _) => State::Plain,
        };
        line += u64::from(byte == b'\n');
    }
    match state {
        State::Quoted => Err(TableError::Unclosed { path: path.to_owned(), line: opened, field }),
        _ => Ok(()),
    }
}
