//! Reads Parquet files, the format of data sets on the Hugging Face hub.

use super::error;
use super::error::MissingColumn;
use super::table::{Columns, Row};
use crate::file_error::FileError;
use parquet::file::metadata::FileMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::record::reader::RowIter;
use parquet::schema::types::Type;
use std::fs::File;
use std::path::Path;

/// Reads the columns of texts and labels. Label numbers become names if the file's metadata have the names
/// (`ClassLabel` of the `datasets` library), and are written as decimal numbers otherwise; Booleans count as 0 and 1.
/// [`Row::line`] is the number of the row. Fails if the file is not Parquet, lacks a column, has no row, or has a value
/// of another type, a NUL character or an empty label.
pub fn read(path: &Path, columns: &Columns) -> Result<Vec<Row>, FileError> {
    let wrong = |found: String, expected: &str| FileError::new(path, format!("{found}, expected {expected}"));
    let broken = |error: parquet::errors::ParquetError| wrong(error.to_string(), "a Parquet file");
    let file = File::open(path).map_err(FileError::at(path))?;
    let reader = SerializedFileReader::new(file).map_err(broken)?;
    let metadata = reader.metadata().file_metadata();
    let schema = metadata.schema_descr().root_schema();
    let found: Vec<String> = schema.get_fields().iter().map(|field| field.name().to_owned()).collect();
    let column = |wanted: &str, option| {
        let field = schema.get_fields().iter().find(|field| field.name() == wanted).cloned();
        let missing = MissingColumn { wanted, place: "the file", found: &found, option, hint: "" };
        field.ok_or_else(|| missing.error(path))
    };
    let fields = [column(&columns.text, "--text-column")?, column(&columns.label, "--label-column")?];
    // Other columns are not decoded.
    let projection = Type::group_type_builder("schema").with_fields(fields.to_vec()).build().map_err(broken)?;
    let class_names = class_names(metadata, &columns.label);
    let mut rows = Vec::new();
    for (row_number, row) in (1..).zip(RowIter::from_file(Some(projection), &reader).map_err(broken)?) {
        let (mut text, mut label) = (None, None);
        for (name, field) in row.map_err(broken)?.into_columns() {
            // The row has the two columns of the projection only.
            if name == columns.text { text = Some(field) } else { label = Some(field) }
        }
        let text = match text {
            Some(Field::Str(text)) => text,
            other => {
                let value = other.map_or("missing".to_owned(), |field| field.to_string());
                return Err(wrong(format!("row {row_number}: {:?} is {value}", columns.text), "strings"));
            }
        };
        let label = match label {
            // A missing label is an empty one, which is an error below.
            None | Some(Field::Null) => String::new(),
            Some(Field::Str(label)) => label,
            Some(field) => {
                let Some(class) = integer(&field) else {
                    let found = format!("row {row_number}: {:?} is {field}", columns.label);
                    return Err(wrong(found, "strings, integers or Booleans"));
                };
                let name = usize::try_from(class).ok().and_then(|class| class_names.get(class));
                name.cloned().unwrap_or_else(|| class.to_string())
            }
        };
        let place = || format!("row {row_number}");
        let row = Row::new(text.into(), label.trim().into(), row_number)
            .map_err(|part| error::nul_in_row(path, &place(), part))?;
        if row.label.is_empty() {
            return Err(wrong(format!("{}: {:?} is empty", place(), columns.label), "a label for each text"));
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return Err(wrong("no row".to_owned(), "a row for each example"));
    }
    Ok(rows)
}

/// Returns the value of an integer or a Boolean; `None` for other types and for integers that exceed `i64`.
fn integer(field: &Field) -> Option<i64> {
    match *field {
        Field::Bool(value) => Some(i64::from(value)),
        Field::Byte(value) => Some(i64::from(value)),
        Field::Short(value) => Some(i64::from(value)),
        Field::Int(value) => Some(i64::from(value)),
        Field::Long(value) => Some(value),
        Field::UByte(value) => Some(i64::from(value)),
        Field::UShort(value) => Some(i64::from(value)),
        Field::UInt(value) => Some(i64::from(value)),
        Field::ULong(value) => i64::try_from(value).ok(),
        _ => None,
    }
}

/// Reads the names of the classes of `column`, which the `datasets` library stores as JSON in the file's metadata.
/// Returns an empty list if there are none.
fn class_names(metadata: &FileMetaData, column: &str) -> Vec<String> {
    let entries = metadata.key_value_metadata().into_iter().flatten();
    let json = entries.filter(|entry| entry.key == "huggingface").find_map(|entry| entry.value.as_deref());
    let features: serde_json::Value = json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    let names = features["info"]["features"][column]["names"].as_array();
    names.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::metadata::KeyValue;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use std::sync::Arc;

    /// Writes a file as the `datasets` library does: label numbers, with the names in the metadata.
    pub(in crate::data) fn file(path: &Path, rows: &[(&str, i64)], names: &[&str]) {
        let schema = "message schema { OPTIONAL BYTE_ARRAY text (UTF8); OPTIONAL INT64 label; }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let json = serde_json::json!({"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}});
        let metadata = KeyValue::new("huggingface".to_owned(), json.to_string());
        let properties = WriterProperties::builder()
            .set_compression(parquet::basic::Compression::SNAPPY)
            .set_key_value_metadata(Some(vec![metadata]))
            .build();
        let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::new(properties)).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let present = vec![1; rows.len()];
        let texts: Vec<ByteArray> = rows.iter().map(|(text, _)| ByteArray::from(*text)).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&texts, Some(&present), None).unwrap();
        column.close().unwrap();
        let labels: Vec<i64> = rows.iter().map(|(_, label)| *label).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&labels, Some(&present), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.close().unwrap();
    }

    #[test]
    fn labels_get_their_names_from_the_metadata() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        file(&path, &[("a\nb", 1), ("", 0), ("c", 7)], &["neg", "pos"]);
        let rows = read(&path, &Columns::default()).unwrap();
        let rows: Vec<_> = rows.iter().map(|row| (row.text.as_str(), row.label.as_str(), row.line)).collect();
        assert_eq!(rows, [("a\nb", "pos", 1), ("", "neg", 2), ("c", "7", 3)]);
    }

    #[test]
    fn errors_have_what_was_found_and_expected() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        file(&path, &[("a", 1)], &[]);
        let columns = Columns { label: "Labels".to_owned(), ..Columns::default() };
        let error = read(&path, &columns).unwrap_err().to_string();
        assert!(
            error.contains(r#"no column "Labels"; the file has the columns "text", "label": did you mean "label"?"#),
            "{error}"
        );
        let columns = Columns { text: "label".to_owned(), label: "text".to_owned(), ..Columns::default() };
        let error = read(&path, &columns).unwrap_err().to_string();
        assert!(error.contains("row 1: \"label\" is") && error.ends_with("expected strings"), "{error}");
        std::fs::write(&path, "text,label\n").unwrap();
        let error = read(&path, &Columns::default()).unwrap_err().to_string();
        assert!(error.contains("t.parquet") && error.ends_with("expected a Parquet file"), "{error}");
    }
}
