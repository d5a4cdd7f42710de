//! Writes tables for `tern data`.

use crate::write_file::write_file;
use serde_json::{Map, Value};
use std::io::{self, Write};
use std::path::Path;

/// The format of a written table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Comma-separated, RFC 4180.
    Csv,
    /// Tab-separated.
    Tsv,
    /// A JSON object on each line.
    Jsonl,
}

impl Format {
    /// Returns the format for the ending of a file name; CSV for unknown endings.
    pub fn of(path: &Path) -> Self {
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        match ending.to_str() {
            Some("tsv" | "tab") => Format::Tsv,
            Some("jsonl" | "ndjson") => Format::Jsonl,
            _ => Format::Csv,
        }
    }
}

/// Writes rows as a table with the column names `header`, completely or not at all: see [`write_file`]. Creates the
/// missing folders of `path`.
pub fn save<'a>(
    path: &Path,
    format: Format,
    header: &[String],
    rows: impl Iterator<Item = Vec<&'a str>>,
) -> io::Result<()> {
    let mut table = Vec::new();
    if format == Format::Jsonl {
        for row in rows {
            let object: Map<String, Value> = header.iter().cloned().zip(row.into_iter().map(Into::into)).collect();
            writeln!(table, "{}", Value::Object(object))?;
        }
    } else {
        let delimiter = if format == Format::Tsv { b'\t' } else { b',' };
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(&mut table);
        writer.write_record(header)?;
        for row in rows {
            writer.write_record(row)?;
        }
        writer.flush()?;
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    write_file(path, &table)
}
