//! Formats with an example on each line: JSON Lines and fastText's `__label__`.

use super::encoding;
use super::error;
use super::error::MissingColumn;
use super::table::{Columns, Row};
use super::text::Part;
use crate::file_error::FileError;
use crate::progress;
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;

/// The beginning of a label in fastText's format.
pub const FAST_TEXT_LABEL: &str = "__label__";

/// Reads a file with a JSON object on each line. Blank lines are skipped.
///
/// A label may be a string, a number or a Boolean; the label of a number or Boolean is its JSON text, such as `1` or
/// `true`. Fails if a line is not such an object, lacks a column or has an empty label, or if the file has no object.
pub fn read_json(path: &Path, columns: &Columns) -> Result<Vec<Row>, FileError> {
    let rows = read(path, |line, json, part| json_row(path, line, json, part, columns))?;
    if rows.is_empty() {
        return Err(wrong_json(path, 1, "no object in the file"));
    }
    Ok(rows)
}

/// Reads a file in fastText's format, `__label__spam free prize`. Blank lines are skipped. Fails if the file cannot be
/// read, or a line does not begin with exactly one label.
pub fn read_fast_text(path: &Path) -> Result<Vec<Row>, FileError> {
    read(path, |line, content, part| {
        let expected = "expected one label before the text, such as `__label__spam free prize`";
        let wrong = |found| FileError::in_line(path, line, format!("{found}, {expected}"));
        let labelled = content.trim_start().strip_prefix(FAST_TEXT_LABEL).ok_or_else(|| wrong("no label"))?;
        let (label, text) = labelled.split_once(char::is_whitespace).unwrap_or((labelled, ""));
        if text.trim_start().starts_with(FAST_TEXT_LABEL) {
            return Err(wrong("more than one label"));
        }
        if label.is_empty() {
            return Err(wrong("a label without a name"));
        }
        // The texts share the memory of the file. `read` has checked that the file holds no NUL.
        Ok(Row { text: part.text(text.trim()), label: part.text(label), line })
    })
}

/// Calls `parse` for each line that is not blank, and returns the rows. The arguments of `parse` are the line's number,
/// from 1, its text without the line break, and its part of the file's content.
fn read(path: &Path, parse: impl Fn(u64, &str, &Part<'_>) -> Result<Row, FileError>) -> Result<Vec<Row>, FileError> {
    let text = Arc::new(encoding::read(path)?);
    let stage = progress::Stage::with_total(format!("reading {}", path.display()), text.len());
    let (mut rows, mut start) = (Vec::new(), 0);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let range = start..start + line.len();
        start = range.end;
        if !line.trim().is_empty() {
            let line = line.strip_suffix('\n').unwrap_or(line);
            let line = line.strip_suffix('\r').unwrap_or(line);
            rows.push(parse(number, line, &Part { content: &text, range })?);
        }
        if number % 1024 == 0 {
            stage.at(start);
        }
    }
    Ok(rows)
}

/// Returns the error for a line that is not a JSON object with a text and a label. `found`: the fault.
fn wrong_json(path: &Path, line: u64, found: &str) -> FileError {
    let expected = r#"{"text": "free prize", "label": "spam"}"#;
    FileError::in_line(path, line, format!("{found}, expected a JSON object such as {expected}"))
}

/// Parses the JSON object in the line number `line`. `part`: the line's part of the file's content.
fn json_row(path: &Path, line: u64, json: &str, part: &Part<'_>, columns: &Columns) -> Result<Row, FileError> {
    let wrong = |found: &str| wrong_json(path, line, found);
    let mut object: Map<String, Value> = match serde_json::from_str(json) {
        Ok(Value::Object(object)) => object,
        Ok(Value::Array(_)) => {
            let found = "an array; write each of its objects on a line of its own, for example with `jq -c '.[]'`";
            return Err(wrong(found));
        }
        Ok(_) => return Err(wrong("a value that is not an object")),
        Err(error) if error.is_eof() => {
            let found =
                "an object or array that does not end in its line; write one object a line, for example with `jq -c`";
            return Err(wrong(found));
        }
        Err(error) if has_half_surrogate(json) => {
            let found =
                format!("half of a surrogate pair (\\uD800 to \\uDFFF), which is no character, at {}", error.column());
            return Err(wrong(&found));
        }
        Err(error) => return Err(wrong(&format!("not JSON at character {}", error.column()))),
    };
    let mut take = |name: &str, option| match object.remove(name) {
        Some(value) => Ok(value),
        None => {
            let (place, found) = (format!("the object in line {line}"), object.keys().cloned().collect::<Vec<_>>());
            Err(MissingColumn { wanted: name, place: &place, found: &found, option, hint: "" }.error(path))
        }
    };
    let (text, label) = (take(&columns.text, "--text-column")?, take(&columns.label, "--label-column")?);
    let Value::String(text) = text else {
        return Err(wrong(&format!("{:?} is {}", columns.text, kind(&text))));
    };
    let label = match label {
        Value::String(label) => label,
        Value::Number(_) | Value::Bool(_) => label.to_string(),
        Value::Null => String::new(),
        other => return Err(wrong(&format!("{:?} is {}", columns.label, kind(&other)))),
    };
    // An escape such as \u0000 may stand for a NUL.
    let row = Row::new(part.text(&text), part.text(label.trim()), line)
        .map_err(|field| error::nul_in_row(path, &format!("line {line}"), field))?;
    if row.label.is_empty() {
        return Err(error::empty_label(path, line, &columns.label));
    }
    Ok(row)
}

/// Returns true if a line of invalid JSON has an escape for one half of a surrogate pair without the other.
fn has_half_surrogate(json: &str) -> bool {
    /// The length of an escape such as `\ud83d`.
    const ESCAPE: usize = 6;
    // The UTF-16 unit of the escape at `start`; 0, which is no surrogate, if it lacks its four digits.
    let code = |start: usize| {
        let digits = json.get(start + 2..start + ESCAPE);
        digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0)
    };
    let mut escapes = json.match_indices("\\u").map(|(start, _)| (start, code(start))).peekable();
    while let Some((start, code)) = escapes.next() {
        match code {
            // A low half alone: one that follows a high half was taken from `escapes` together with it.
            0xdc00..=0xdfff => return true,
            0xd800..=0xdbff => {
                let is_low_half = |&(next_start, next_code): &(usize, u32)| {
                    next_start == start + ESCAPE && (0xdc00..=0xdfff).contains(&next_code)
                };
                if escapes.next_if(is_low_half).is_none() {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

/// Returns the type of a JSON value, for errors.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a Boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
