//! Writes a model directory in one step: the files go into a temporary folder, which then replaces the directory.

use super::files;
use crate::data::quoted;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// An error in writing a model directory.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The path exists and is not a model directory.
    #[error("{}: exists and is not a Tern model directory (no {} with model_type \"tern\"); nothing was overwritten, choose another -o", path.display(), files::CONFIG)]
    Occupied {
        /// The path.
        path: PathBuf,
    },
    /// The model directory has other files, which replacing it would delete.
    #[error("{}: holds {}, which a new model there would delete; move that away or choose another -o", path.display(), quoted(names))]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// The other files.
        names: Vec<String>,
    },
    /// The path has no file name.
    #[error("{}: not a name for a directory, expected one such as models/spam", path.display())]
    NoName {
        /// The path.
        path: PathBuf,
    },
    /// The system reports an error.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

/// A temporary folder beside a model directory, which [`commit`](Staged::commit) renames to it.
#[derive(Debug)]
pub struct Staged {
    target: PathBuf,
    folder: PathBuf,
    /// The path that the old model directory is renamed to for a moment.
    aside: PathBuf,
    /// Removes the folder when it is dropped. `None` if the caller owns the folder.
    temporary: Option<TempDir>,
}

impl Staged {
    /// Checks that `target` may be written, and creates the temporary folder. `target` is not changed yet.
    ///
    /// # Errors
    ///
    /// If `target` exists and is neither an empty directory nor a model directory, or the system reports an error.
    pub fn new(target: &Path) -> Result<Self, DirectoryError> {
        let name = target.file_name().ok_or_else(|| DirectoryError::NoName { path: target.to_owned() })?;
        check(target)?;
        let parent = match target.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let failed = |source| DirectoryError::Io { path: parent.clone(), source };
        fs::create_dir_all(&parent).map_err(failed)?;
        let folder = tempfile::Builder::new()
            .prefix(&format!(".{}.", name.to_string_lossy()))
            .tempdir_in(&parent)
            .map_err(failed)?;
        let aside = folder.path().with_extension("former");
        Ok(Staged { target: target.to_owned(), folder: folder.path().to_owned(), aside, temporary: Some(folder) })
    }

    /// As [`new`](Self::new), with folders of the caller beside `target` that outlive this process: `folder` for the
    /// new model and `aside` for the old one. Both are emptied.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn between(target: &Path, folder: PathBuf, aside: PathBuf) -> Result<Self, DirectoryError> {
        check(target)?;
        let failed = |path: &Path, source| DirectoryError::Io { path: path.to_owned(), source };
        for old in [&folder, &aside].into_iter().filter(|old| old.exists()) {
            fs::remove_dir_all(old).map_err(|source| failed(old, source))?;
        }
        fs::create_dir(&folder).map_err(|source| failed(&folder, source))?;
        Ok(Staged { target: target.to_owned(), folder, aside, temporary: None })
    }

    /// Checks that a model may be written at `target`.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn check(target: &Path) -> Result<(), DirectoryError> {
        target.file_name().ok_or_else(|| DirectoryError::NoName { path: target.to_owned() })?;
        check(target)
    }

    /// The temporary folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Flushes all files to the disk and renames the folder to `target`. An old model there is removed.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new). The old model is then unchanged.
    pub fn commit(self) -> Result<(), DirectoryError> {
        let Staged { target, folder, aside, temporary } = self;
        let failed = |source| DirectoryError::Io { path: target.clone(), source };
        check(&target)?;
        sync(&folder).map_err(failed)?;
        public(&folder).map_err(failed)?;
        if target.exists() {
            // A folder can only be renamed to an empty one, so the old model is moved aside first.
            fs::rename(&target, &aside).map_err(failed)?;
            if let Err(source) = fs::rename(&folder, &target) {
                fs::rename(&aside, &target).map_err(failed)?;
                return Err(failed(source));
            }
            fs::remove_dir_all(&aside).map_err(failed)?;
        } else {
            fs::rename(&folder, &target).map_err(failed)?;
        }
        if let Some(temporary) = temporary {
            // The folder was renamed, so that nothing is left to remove.
            let _ = temporary.keep();
        }
        Ok(())
    }
}

/// Gives the folder the usual permissions: a temporary folder is readable by its owner only.
#[cfg(unix)]
fn public(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn public(_: &Path) -> io::Result<()> {
    Ok(())
}

fn sync(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        File::open(entry?.path())?.sync_all()?;
    }
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn check(target: &Path) -> Result<(), DirectoryError> {
    let occupied = || Err(DirectoryError::Occupied { path: target.to_owned() });
    match fs::symlink_metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(DirectoryError::Io { path: target.to_owned(), source }),
        Ok(metadata) if !metadata.is_dir() => return occupied(),
        Ok(_) => {}
    }
    let config = fs::read_to_string(target.join(files::CONFIG)).unwrap_or_default();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap_or_default();
    let failed = |source| DirectoryError::Io { path: target.to_owned(), source };
    let entries: Vec<_> = fs::read_dir(target).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    if !entries.is_empty() && config["model_type"] != "tern" {
        return occupied();
    }
    let names = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let names: Vec<String> = names.filter(|name| !files::ALL.contains(&name.as_str())).collect();
    if names.is_empty() { Ok(()) } else { Err(DirectoryError::Foreign { path: target.to_owned(), names }) }
}
