//! Texts in folders: a folder for each label, with a file for each text, such as `aclImdb/train/pos/0_9.txt`.

use super::encoding;
use super::table::Row;
use super::text::Text;
use crate::display::quoted;
use crate::file_error::FileError;
use crate::progress;
use std::path::{Path, PathBuf};

/// The folder of the Large Movie Review Dataset (`aclImdb`) whose texts have no label.
const UNLABELLED: &str = "unsup";

/// Reads `dir/LABEL/*.txt`, in the order of the bytes of the names. Line breaks at the end of a text are removed.
///
/// Files beside the label folders, hidden files and folders, and a folder `unsup` are skipped. Files in a label folder
/// that do not end in `.txt` are skipped with a warning. Fails if a label folder has files but no `.txt` file, if no
/// text exists, or if a text cannot be read.
pub fn read(dir: &Path) -> Result<Vec<Row>, FileError> {
    let folders = labels(dir)?;
    let wrong = |found: String, hint: Option<PathBuf>| {
        let hint = hint.map_or_else(String::new, |hint| format!("; did you mean {}?", hint.display()));
        let expected = "expected a file, or a folder for each label with one .txt file for each text";
        FileError::new(dir, format!("{found}, {expected}: {}/LABEL/*.txt{hint}", dir.display()))
    };
    if folders.is_empty() {
        return Err(wrong("a directory without a folder in it".to_owned(), None));
    }
    let stage = progress::Stage::new(format!("reading {}", dir.display()));
    let (mut rows, mut skipped) = (Vec::new(), Vec::new());
    // The first label whose folder has files but no text, and one of the files.
    let mut textless: Option<(&String, PathBuf)> = None;
    for (label, folder) in &folders {
        let (texts, others) = files(folder)?;
        match others.first() {
            Some(other) if texts.is_empty() => {
                textless.get_or_insert_with(|| (label, other.clone()));
            }
            _ => skipped.extend(others),
        }
        let label = Text::from(label.trim());
        for path in texts {
            let text = encoding::read(&path)?;
            rows.push(Row { text: text.trim_end_matches(['\r', '\n']).into(), label: label.clone(), line: 0 });
            stage.at(rows.len());
        }
    }
    if rows.is_empty() {
        let names: Vec<String> = folders.iter().map(|(label, _)| label.clone()).collect();
        // The user may have given the parent folder. The last folder is suggested: `train` comes after `test`.
        let mut hint = None;
        for (_, folder) in &folders {
            if has_labelled_texts(folder)? {
                hint = Some(folder.clone());
            }
        }
        let other_file = match textless {
            Some((_, other)) if hint.is_none() => format!(" (but {})", other.display()),
            _ => String::new(),
        };
        return Err(wrong(format!("a directory with {} and no .txt file there{other_file}", quoted(&names)), hint));
    }
    if let Some((label, other)) = textless {
        return Err(wrong(format!("folder {label:?} has files such as {} and no .txt file", other.display()), None));
    }
    if let Some(first) = skipped.first() {
        progress::warn(format_args!(
            "{}: {} files that do not end in .txt are skipped, such as {}",
            dir.display(),
            skipped.len(),
            first.display()
        ));
    }
    Ok(rows)
}

/// Returns the file of the row with the index `row` in the result of [`read`]; `None` if there is no such file.
pub fn file(dir: &Path, row: usize) -> Option<PathBuf> {
    let mut all_texts = Vec::new();
    for (_, folder) in labels(dir).ok()? {
        let (texts, _) = files(&folder).unwrap_or_default();
        all_texts.extend(texts);
    }
    all_texts.into_iter().nth(row)
}

/// Returns true if `dir` has a label folder with a text.
fn has_labelled_texts(dir: &Path) -> Result<bool, FileError> {
    Ok(labels(dir)?.iter().any(|(_, folder)| files(folder).is_ok_and(|(texts, _)| !texts.is_empty())))
}

/// Returns the folders in `dir` that are labels, as name and path, sorted by name.
fn labels(dir: &Path) -> Result<Vec<(String, PathBuf)>, FileError> {
    let mut folders = Vec::new();
    for path in entries(dir)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != UNLABELLED {
            folders.push((name, path));
        }
    }
    Ok(folders)
}

/// Returns the `.txt` files in `folder` and its other files, both sorted by name and without hidden files.
fn files(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), FileError> {
    let is_text = |path: &PathBuf| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("txt"));
    let is_hidden = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let files = entries(folder)?.into_iter().filter(|path| path.is_file() && !is_hidden(path));
    Ok(files.partition(is_text))
}

/// Returns the paths of all files and folders in `dir`, sorted.
fn entries(dir: &Path) -> Result<Vec<PathBuf>, FileError> {
    let failed = FileError::at(dir);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(&failed)? {
        paths.push(entry.map_err(&failed)?.path());
    }
    paths.sort();
    Ok(paths)
}
