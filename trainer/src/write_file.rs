//! Writing a file completely or not at all, and by one process at a time.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::Path;

/// Writes `bytes` to a temporary file in the same folder, flushes it to the disk, and renames it to `path`. So `path`
/// holds either its old content or all of `bytes`, even after a crash.
pub fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The permissions of any new file, less the umask.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.prefix(".tern-").suffix(".tmp").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// Locks `file`, which belongs to the output of a command, until it is dropped. Fails if another process has locked it.
/// `command`, `path`: the name of the command, and the path for the message.
pub fn lock_output(file: &File, command: &str, path: &Path) -> anyhow::Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            anyhow::bail!("{}: another `{command}` is using it; wait for it, or choose another -o", path.display())
        }
        // Some file systems have no locks.
        Err(TryLockError::Error(_)) => Ok(()),
    }
}
