//! The error of an operation on one file or folder.

use std::fmt::Display;
use std::path::{Path, PathBuf};

/// A problem with a file or a folder, displayed as `path: problem`.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct FileError {
    /// The file or folder.
    pub path: PathBuf,
    /// Either the error of the system, or the fault with the expected content and a remedy.
    pub problem: String,
}

impl FileError {
    /// Creates an error for the file or folder `path`.
    pub fn new(path: &Path, problem: impl ToString) -> Self {
        FileError { path: path.to_owned(), problem: problem.to_string() }
    }

    /// Creates an error for a line of a file. Lines count from 1.
    pub fn in_line(path: &Path, line: u64, problem: impl Display) -> Self {
        FileError::new(path, format!("line {line}: {problem}"))
    }

    /// Returns a function for `map_err` that turns an error of another type into a [`FileError`] for `path`.
    pub fn at<E: ToString>(path: &Path) -> impl Fn(E) -> FileError {
        move |problem| FileError::new(path, problem)
    }
}
