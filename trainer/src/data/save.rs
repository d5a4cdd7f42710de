//! Writes tables atomically: a reader finds the old file or the whole new one.

use std::io::{self, BufWriter, Write};
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
    /// Returns the format of a file name's ending, CSV for unknown endings.
    pub fn of(path: &Path) -> Self {
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        match ending.to_str() {
            Some("tsv" | "tab") => Format::Tsv,
            Some("jsonl" | "ndjson") => Format::Jsonl,
            _ => Format::Csv,
        }
    }
}

/// Writes a header and rows to a temporary file beside `path`, syncs it and renames it.
///
/// # Errors
///
/// Returns the system's error. An older file at `path` then still exists.
pub fn save<'a>(
    path: &Path,
    format: Format,
    header: &[String],
    rows: impl Iterator<Item = Vec<&'a str>>,
) -> io::Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let file = builder.tempfile_in(folder)?;
    let mut out = BufWriter::new(file);
    if format == Format::Jsonl {
        for row in rows {
            let object: serde_json::Map<String, serde_json::Value> =
                header.iter().cloned().zip(row.into_iter().map(Into::into)).collect();
            serde_json::to_writer(&mut out, &object)?;
            out.write_all(b"\n")?;
        }
    } else {
        let delimiter = if format == Format::Tsv { b'\t' } else { b',' };
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(&mut out);
        writer.write_record(header)?;
        for row in rows {
            writer.write_record(row)?;
        }
        writer.flush()?;
    }
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    if cfg!(unix) { std::fs::File::open(folder)?.sync_all() } else { Ok(()) }
}
