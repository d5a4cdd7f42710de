//! Writing a model directory in one step: the files go into a temporary folder, which then replaces the directory.

use super::files;
use crate::display::quoted;
use crate::file_error::FileError;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A temporary folder for the files of a model directory, which [`commit`](Staged::commit) renames to that directory.
#[derive(Debug)]
pub struct Staged {
    /// The model directory.
    target: PathBuf,
    /// The temporary folder.
    folder: PathBuf,
    /// The path to which an old model directory is renamed until the new one has replaced it.
    aside: PathBuf,
    /// Removes `folder` when it is dropped. `None` if the caller owns the folder.
    temporary: Option<TempDir>,
}

impl Staged {
    /// Checks that `target` may be written, and creates the temporary folder beside it. `target` is not changed yet.
    /// Fails if [`check`](Self::check) does, or the system reports an error.
    pub fn new(target: &Path) -> Result<Self, FileError> {
        let name = checked_name(target)?;
        let parent = match target.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        fs::create_dir_all(&parent).map_err(FileError::at(&parent))?;
        let prefix = format!(".{}.", name.to_string_lossy());
        let temporary = tempfile::Builder::new().prefix(&prefix).tempdir_in(&parent).map_err(FileError::at(&parent))?;
        let folder = temporary.path().to_owned();
        // Begins with the unique name of the temporary folder, so that a folder which a power cut left behind is not in
        // the way.
        let mut aside = folder.as_os_str().to_owned();
        aside.push(".former");
        Ok(Staged { target: target.to_owned(), folder, aside: aside.into(), temporary: Some(temporary) })
    }

    /// Does the same as [`new`](Self::new), but with folders that the caller names and that remain if the process ends
    /// early: `folder` for the new model and `aside` for the old one, on the same file system as `target`. Both are
    /// deleted if they exist, and `folder` is created.
    pub fn between(target: &Path, folder: PathBuf, aside: PathBuf) -> Result<Self, FileError> {
        Staged::check(target)?;
        for old in [&folder, &aside] {
            if old.exists() {
                fs::remove_dir_all(old).map_err(FileError::at(old))?;
            }
        }
        fs::create_dir(&folder).map_err(FileError::at(&folder))?;
        Ok(Staged { target: target.to_owned(), folder, aside, temporary: None })
    }

    /// Checks that a model may be written at `target`. Fails if `target` exists and is neither an empty directory nor a
    /// model directory without other files.
    pub fn check(target: &Path) -> Result<(), FileError> {
        checked_name(target).map(drop)
    }

    /// The temporary folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Flushes all files to the disk and renames the folder to `target`. An old model at `target` is removed. Fails if
    /// [`check`](Self::check) does now, or the system reports an error.
    pub fn commit(self) -> Result<(), FileError> {
        let Staged { target, folder, aside, temporary } = self;
        Staged::check(&target)?;
        replace(&target, &folder, &aside).map_err(FileError::at(&target))?;
        if let Some(temporary) = temporary {
            // The folder was renamed, so it need not be removed.
            let _ = temporary.keep();
        }
        Ok(())
    }
}

/// Flushes `folder` and renames it to `target`. An old model at `target` is renamed to `aside` first, since a folder
/// cannot replace one that is not empty, and then removed.
fn replace(target: &Path, folder: &Path, aside: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        File::open(entry?.path())?.sync_all()?;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        File::open(folder)?.sync_all()?;
        // The usual permissions of a folder; only its owner can read a temporary folder.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    if !target.exists() {
        return fs::rename(folder, target);
    }
    fs::rename(target, aside)?;
    if let Err(error) = fs::rename(folder, target) {
        fs::rename(aside, target)?;
        return Err(error);
    }
    fs::remove_dir_all(aside)
}

/// Checks that `target` has a name and does not exist, is empty, or is a model directory without other files. Returns
/// the name.
fn checked_name(target: &Path) -> Result<&OsStr, FileError> {
    let refused = |problem: &str| Err(FileError::new(target, problem));
    let Some(name) = target.file_name() else {
        return refused("not a name for a directory, expected one such as models/spam");
    };
    let occupied = format!(
        "exists and is not a Tern model directory (no {} with model_type \"tern\"); nothing was overwritten, choose \
         another -o",
        files::CONFIG
    );
    match fs::symlink_metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(name),
        Err(error) => return Err(FileError::new(target, error)),
        Ok(metadata) if !metadata.is_dir() => return refused(&occupied),
        Ok(_) => {}
    }
    let entries: io::Result<Vec<_>> = fs::read_dir(target).and_then(Iterator::collect);
    let entries = entries.map_err(FileError::at(target))?;
    let config = fs::read_to_string(target.join(files::CONFIG)).unwrap_or_default();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap_or_default();
    if !entries.is_empty() && config["model_type"] != "tern" {
        return refused(&occupied);
    }
    let entry_names = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let other_files: Vec<String> = entry_names.filter(|name| !files::ALL.contains(&name.as_str())).collect();
    if other_files.is_empty() {
        return Ok(name);
    }
    let others = quoted(&other_files);
    refused(&format!("holds {others}, which a new model there would delete; move that away or choose another -o"))
}
