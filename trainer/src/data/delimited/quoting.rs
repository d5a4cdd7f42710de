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
    // The current line, and the current field's number in its row, both from 1.
    let (mut line, mut field) = (1, 1);
    // The last quoted field: the line in which it opens, and the position after its opening mark.
    let (mut opened_line, mut content_start) = (1, 0);
    // The first field that encloses the end of a row: its first line and its number of lines.
    let mut first_enclosing: Option<(u64, u64)> = None;
    let mut enclosing_count = 0;
    // Counts a quoted field, whose marks are in the lines `opened` and `closed`, if it encloses the end of a row.
    let mut count_if_enclosing = |opened: u64, closed: u64, field: usize, content: &str| {
        if closed > opened && encloses_row_end(content, char::from(delimiter), field, columns) {
            enclosing_count += 1;
            first_enclosing.get_or_insert((opened, closed - opened + 1));
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
                    // The closing mark is the byte before.
                    count_if_enclosing(opened_line, line, field, &text[content_start..position - 1]);
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
        State::AfterMark => count_if_enclosing(opened_line, line, field, &text[content_start..text.len() - 1]),
        State::FieldStart | State::Plain => {}
    }
    let Some((first_line, lines)) = first_enclosing else { return Ok(None) };
    let more = if enclosing_count > 1 { format!(" ({enclosing_count} such fields)") } else { String::new() };
    Ok(Some(format!(
        "{}: line {first_line}: a quoted field spans {lines} lines, each of which would be a row without the quotation \
         marks{more}; if quotation marks are ordinary characters in this file, use --no-quoting",
        path.display()
    )))
}

/// Returns true if, with marks as ordinary characters, each line of the quoted field would be a row of `columns`
/// fields: the first line together with the fields before it, the last one together with the fields after it. `field`:
/// the field's number in its row, from 1.
fn encloses_row_end(content: &str, delimiter: char, field: usize, columns: usize) -> bool {
    // The number of separators in each line. A row has `columns - 1` of them, `field - 1` before this field.
    let mut separators = content.split('\n').map(|line| line.chars().filter(|&c| c == delimiter).count());
    let (first_line, last_line) = (separators.next(), separators.next_back());
    field <= columns
        && first_line == Some(columns - field)
        && last_line == Some(field - 1)
        && separators.all(|count| count == columns - 1)
}
