//! A folder for each label, with one file a text: `aclImdb/train/pos/0_9.txt`.

use super::table::Row;
use super::{TableError, encoding, quoted};
use std::path::{Path, PathBuf};

/// The folder of the Large Movie Review Dataset that holds texts without a label.
const UNLABELLED: &str = "unsup";

/// Reads `dir/LABEL/*.txt`, labels and files in the order of their names' bytes; line ends at the end of a text go.
///
/// Files beside the folders, hidden folders and a folder `unsup` are passed over.
///
/// # Errors
///
/// Where there is no text, or one cannot be read.
pub fn read(dir: &Path) -> Result<Vec<Row>, TableError> {
    let folders = labels(dir)?;
    let wrong = |found: String, hint: Option<PathBuf>| TableError::Folder { path: dir.to_owned(), found, hint };
    if folders.is_empty() {
        return Err(wrong("a directory without a folder in it".to_owned(), None));
    }
    let mut rows = Vec::new();
    for (label, folder) in &folders {
        for path in texts(folder)? {
            let bytes = std::fs::read(&path).map_err(TableError::io(&path))?;
            let text = encoding::decode(&path, &bytes)?.trim_end_matches(['\r', '\n']).to_owned();
            rows.push(Row { text, label: label.clone(), line: 0 });
        }
    }
    if rows.is_empty() {
        let names: Vec<String> = folders.iter().map(|(label, _)| label.clone()).collect();
        let has_texts = |folder: &Path| -> Result<bool, TableError> {
            Ok(labels(folder)?.iter().any(|(_, below)| texts(below).is_ok_and(|texts| !texts.is_empty())))
        };
        let mut hint = None;
        for (_, folder) in folders {
            if has_texts(&folder)? {
                hint = Some(folder);
            }
        }
        return Err(wrong(format!("a directory with {} and no .txt file there", quoted(&names)), hint));
    }
    Ok(rows)
}

/// The file of a row that [`read`] gave, by its index.
pub fn file(dir: &Path, row: usize) -> Option<PathBuf> {
    let files = labels(dir).ok()?.into_iter().flat_map(|(_, folder)| texts(&folder).unwrap_or_default());
    files.into_iter().nth(row)
}

/// The folders in `dir` that may be labels, sorted by name.
fn labels(dir: &Path) -> Result<Vec<(String, PathBuf)>, TableError> {
    let mut folders = Vec::new();
    for path in entries(dir)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != UNLABELLED {
            folders.push((name, path));
        }
    }
    Ok(folders)
}

/// The `.txt` files in `folder`, sorted by name.
fn texts(folder: &Path) -> Result<Vec<PathBuf>, TableError> {
    let is_text =
        |path: &PathBuf| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("txt")) && path.is_file();
    Ok(entries(folder)?.into_iter().filter(is_text).collect())
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, TableError> {
    let failed = TableError::io(dir);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(&failed)? {
        paths.push(entry.map_err(&failed)?.path());
    }
    paths.sort();
    Ok(paths)
}
