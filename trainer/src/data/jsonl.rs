//! JSON Lines: an object a line.

use super::table::{Columns, Row};
use super::{TableError, encoding};
use serde_json::{Map, Value};
use std::path::Path;

/// Reads a file of JSON objects, one a line; blank lines are passed over.
///
/// A label may be a string, a number or a truth value; its name is then what stands in the file.
///
/// # Errors
///
/// See [`TableError`]; each names the line.
pub fn read(path: &Path, columns: &Columns) -> Result<Vec<Row>, TableError> {
    let bytes = std::fs::read(path).map_err(TableError::io(path))?;
    let text = encoding::decode(path, &bytes)?;
    let mut rows = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        if !text.trim().is_empty() {
            rows.push(row(path, line, text, columns)?);
        }
    }
    if rows.is_empty() {
        let found = "no object in it".to_owned();
        return Err(TableError::Json { path: path.to_owned(), line: 1, found });
    }
    Ok(rows)
}

fn row(path: &Path, line: u64, text: &str, columns: &Columns) -> Result<Row, TableError> {
    let wrong = |found: String| TableError::Json { path: path.to_owned(), line, found };
    let mut object: Map<String, Value> = match serde_json::from_str(text) {
        Ok(Value::Object(object)) => object,
        Ok(Value::Array(_)) => {
            return Err(wrong("an array; write each of its objects on a line of its own".to_owned()));
        }
        Ok(_) => return Err(wrong("a value that is no object".to_owned())),
        // The library counts lines within this one.
        Err(error) if error.is_eof() => return Err(wrong("an object that does not end in its line".to_owned())),
        Err(error) => return Err(wrong(format!("not JSON at character {}", error.column()))),
    };
    let mut take = |name: &str, option| match object.remove(name) {
        Some(value) => Ok(value),
        None => Err(TableError::MissingColumn {
            path: path.to_owned(),
            wanted: name.to_owned(),
            place: format!("the object in line {line}"),
            found: object.keys().cloned().collect(),
            option,
            one_column: false,
        }),
    };
    let (text, label) = (take(&columns.text, "text-column")?, take(&columns.label, "label-column")?);
    let Value::String(text) = text else {
        return Err(wrong(format!("{:?} is {}", columns.text, kind(&text))));
    };
    let label = match label {
        Value::String(label) => label.trim().to_owned(),
        Value::Number(_) | Value::Bool(_) => label.to_string(),
        Value::Null => String::new(),
        other => return Err(wrong(format!("{:?} is {}", columns.label, kind(&other)))),
    };
    if label.is_empty() {
        return Err(TableError::EmptyLabel { path: path.to_owned(), line, column: columns.label.clone() });
    }
    Ok(Row { text, label, line })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
