//! Checks the quotation marks of a delimited file.
//!
//! The csv library accepts a quoted field that is never closed, and text after a closing mark. Both nearly always mean
//! that rows are lost, so both are errors here. Two stray marks in different rows turn everything between them, the
//! ends of rows included, into one valid field, for which the check returns a warning.

use crate::file_error::FileError;
use std::path::Path;

/// The state of the parser after a byte.
enum State {
    /// Before the first byte of a field.
    FieldStart,
    /// In a field without enclosing marks. Marks in it are ordinary characters.
    Plain,
    /// In a quoted field.
    Quoted,
    /// After a mark in a quoted field: the mark closes the field, or is the first of two marks that stand for one.
    AfterMark,
}

/// Checks the whole `text` of the file `path` with `columns` columns. Returns a warning if a quoted field encloses the
/// end of a row. Fails if a quoted field is never closed, or text follows its closing mark.
pub fn check(path: &Path, text: &str, delimiter: u8, columns: usize) -> Result<Option<String>, FileError> {
    let mut state = State::FieldStart;
    // The current line and the field's number in its row, from 1; the line in which the last quoted field opens, and
    // the position after its opening mark.
    let (mut line, mut field, mut opened_line, mut content_start) = (1, 1, 1, 0);
    // The line of the first field that encloses the end of a row, the number of lines that it spans, and the number of
    // such fields.
    let mut enclosing: Option<(u64, u64, usize)> = None;
    let mut close = |opened_line, line, field, content: &str| {
        if line > opened_line && encloses_row_end(content, char::from(delimiter), field, columns) {
            let (.., count) = enclosing.get_or_insert((opened_line, line - opened_line + 1, 0));
            *count += 1;
        }
    };
    for (position, byte) in text.bytes().enumerate() {
        state = match (state, byte) {
            (State::FieldStart, b'"') => {
                (opened_line, content_start) = (line, position + 1);
                State::Quoted
            }
            (State::Quoted, b'"') => State::AfterMark,
            (State::Quoted, _) | (State::AfterMark, b'"') => State::Quoted,
            (before, byte) if matches!(byte, b'\r' | b'\n') || byte == delimiter => {
                if matches!(before, State::AfterMark) {
                    close(opened_line, line, field, &text[content_start..position - 1]);
                }
                field = if byte == delimiter { field + 1 } else { 1 };
                State::FieldStart
            }
            (State::AfterMark, _) => {
                let found = text[position..].chars().next().unwrap_or('\0');
                let problem = format!(
                    "{found:?} follows the closing quotation mark of field {field} (opened in line {opened_line}), \
                     expected the separator or the end of the line; write a mark inside a quoted field as two, \
                     \"he said \"\"no\"\"\", or read marks as ordinary characters with --no-quoting"
                );
                return Err(FileError::in_line(path, line, problem));
            }
            (State::FieldStart | State::Plain, _) => State::Plain,
        };
        line += u64::from(byte == b'\n');
    }
    match state {
        State::Quoted => {
            let problem = format!(
                "the quotation mark that opens field {field} is never closed, expected another one before the end of \
                 the file; close the field, or read quotation marks as ordinary characters with --no-quoting"
            );
            return Err(FileError::in_line(path, opened_line, problem));
        }
        State::AfterMark => close(opened_line, line, field, &text[content_start..text.len() - 1]),
        State::FieldStart | State::Plain => {}
    }
    Ok(enclosing.map(|(line, lines, count)| {
        let more = if count > 1 { format!(" ({count} such fields)") } else { String::new() };
        format!(
            "{}: line {line}: a quoted field spans {lines} lines, each of which would be a row without the quotation \
             marks{more}; if quotation marks are ordinary characters in this file, use --no-quoting",
            path.display()
        )
    }))
}

/// Returns true if, with marks as ordinary characters, each line of the quoted field would be a row of `columns`
/// fields: the first line together with the fields before it, the last one together with the fields after it. `field`:
/// the field's number in its row, from 1.
fn encloses_row_end(content: &str, delimiter: char, field: usize, columns: usize) -> bool {
    let mut lines = content.split('\n').map(|line| line.chars().filter(|&c| c == delimiter).count());
    let (first, last) = (lines.next(), lines.next_back());
    field <= columns
        && first == Some(columns - field)
        && last == Some(field - 1)
        && lines.all(|count| count == columns - 1)
}
