//! The programs that have a file open, such as a serial port. They are found in Linux's `/proc`; on other systems the
//! list is empty.

use std::fs;
use std::path::Path;

/// Returns the other programs that have the file `path` open, as `NAME (process NUMBER)`. Only root finds those of
/// other users.
pub(super) fn holders(path: &str) -> Vec<String> {
    // A path such as /dev/serial/by-id/… is a symbolic link.
    let Ok(file) = fs::canonicalize(path) else { return Vec::new() };
    let mut holders = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        // The folder of a process has its number as its name.
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if number != std::process::id() && has_open(&entry.path(), &file) {
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            holders.push(format!("{} (process {number})", name.trim_end()));
        }
    }
    holders.sort();
    holders
}

/// Returns true if the process in this folder of `/proc` has the file open.
fn has_open(process: &Path, file: &Path) -> bool {
    let open_files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    open_files.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|path| path == file)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_program_that_has_a_file_open_is_found() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(holders(path), [""; 0], "this process does not count");
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::from(file.reopen().unwrap())).spawn().unwrap();
        let found = holders(path);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found, [format!("sleep (process {})", child.id())]);
        assert_eq!(holders("/dev/tern-none"), [""; 0]);
    }
}
