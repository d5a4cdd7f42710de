//! Checks the quotation marks of a delimited file.
//!
//! The csv library accepts a quoted field that is never closed, up to the end of the file, and text after a closing
//! mark. Both nearly always mean that rows are lost, so both are errors here. Two stray marks in different rows form
//! a valid field that swallows the rows between them: that gives a warning.

use super::{DelimitedFile, TableError};

enum State {
    /// Before the first byte of a field.
    FieldStart,
    /// In a field without enclosing marks. Marks in it are ordinary characters.
    Plain,
    /// In a quoted field.
    Quoted,
    /// After a mark in a quoted field: the end of the field, or the first of two marks that mean one.
    AfterMark,
}

/// Checks a whole file. Returns a warning if a quoted field encloses whole rows.
///
/// # Errors
///
/// Returns [`TableError::Unclosed`] or [`TableError::AfterQuote`].
pub fn check(file: &DelimitedFile) -> Result<Option<String>, TableError> {
    let DelimitedFile { path, text, delimiter, names, .. } = file;
    let mut state = State::FieldStart;
    let (mut line, mut opened_line, mut opened_at, mut field) = (1, 1, 0, 1);
    // The line of the first field that encloses rows, the lines that it spans, and the number of such fields.
    let mut swallowing: Option<(u64, u64, usize)> = None;
    let mut close = |opened_line, line, field, content: &str| {
        if line > opened_line && encloses_rows(content, char::from(*delimiter), field, names.len()) {
            let (.., count) = swallowing.get_or_insert((opened_line, line - opened_line + 1, 0));
            *count += 1;
        }
    };
    for (at, byte) in text.bytes().enumerate() {
        state = match (state, byte) {
            (State::FieldStart, b'"') => {
                (opened_line, opened_at) = (line, at + 1);
                State::Quoted
            }
            (State::Quoted, b'"') => State::AfterMark,
            (State::Quoted, _) | (State::AfterMark, b'"') => State::Quoted,
            (before, byte) if matches!(byte, b'\r' | b'\n') || byte == *delimiter => {
                if matches!(before, State::AfterMark) {
                    close(opened_line, line, field, &text[opened_at..at - 1]);
                }
                field = if byte == *delimiter { field + 1 } else { 1 };
                State::FieldStart
            }
            (State::AfterMark, _) => {
                let found = text[at..].chars().next().unwrap_or('\0');
                return Err(TableError::AfterQuote { path: path.clone(), line, opened: opened_line, field, found });
            }
            (State::FieldStart | State::Plain, _) => State::Plain,
        };
        line += u64::from(byte == b'\n');
    }
    match state {
        State::Quoted => return Err(TableError::Unclosed { path: path.clone(), line: opened_line, field }),
        State::AfterMark => close(opened_line, line, field, &text[opened_at..text.len() - 1]),
        State::FieldStart | State::Plain => {}
    }
    Ok(swallowing.map(|(line, lines, count)| {
        let more = if count > 1 { format!(" ({count} such fields)") } else { String::new() };
        format!(
            "{}: line {line}: a quoted field spans {lines} lines, each of which is a row without the marks{more}; \
             if quotation marks are ordinary characters here, use --no-quoting",
            path.display()
        )
    }))
}

/// Returns true if every line of a quoted field would be a row of `columns` fields without the marks. `field`: the
/// field's number in its row, from 1.
fn encloses_rows(content: &str, delimiter: char, field: usize, columns: usize) -> bool {
    let mut lines = content.split('\n').map(|line| line.chars().filter(|&c| c == delimiter).count());
    let (first, last) = (lines.next(), lines.next_back());
    field <= columns
        && first == Some(columns - field)
        && last == Some(field - 1)
        && lines.all(|count| count == columns - 1)
}
