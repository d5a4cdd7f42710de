//! Paths that mean the same file from another folder.

use std::path::{Component, Path, PathBuf};

/// `file` as seen from `folder`. Neither need exist; where they have no root in common the result is absolute.
pub fn relative(file: &Path, folder: &Path) -> PathBuf {
    let (Some(file), Some(folder)) = (absolute(file), absolute(folder)) else {
        return file.to_owned();
    };
    let (file_parts, folder_parts): (Vec<_>, Vec<_>) = (file.components().collect(), folder.components().collect());
    let common = file_parts.iter().zip(&folder_parts).take_while(|(a, b)| a == b).count();
    if common == 0 {
        return file;
    }
    let up = folder_parts[common..].iter().map(|_| Component::ParentDir);
    up.chain(file_parts[common..].iter().copied()).collect()
}

/// The absolute path without `.`, `..` and symbolic links, as far as it exists.
fn absolute(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let mut existing = path.as_path();
    let mut rest = Vec::new();
    loop {
        if let Ok(canonical) = existing.canonicalize() {
            return Some(rest.iter().rev().fold(canonical, |path, part| path.join(part)));
        }
        rest.push(existing.file_name()?);
        existing = existing.parent()?;
    }
}
