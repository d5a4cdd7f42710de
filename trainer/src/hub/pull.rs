//! Download of a model from the Hugging Face hub.

use super::client::{Address, Hub};
use crate::package::hex;
use anyhow::{Context, bail, ensure};
use serde_json::Value;
use sha1::Digest;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};

/// A file of a model on the hub.
struct RemoteFile {
    /// The path of the file in the repository.
    name: String,
    /// The length of the file in bytes.
    size: u64,
    checksum: Checksum,
}

/// The checksum that the hub states for a file, in hexadecimal digits.
enum Checksum {
    /// SHA-256 of the bytes, for large files.
    Sha256(String),
    /// The id of the git object: SHA-1 of `blob LENGTH\0` and the bytes.
    Git(String),
}

/// Downloads a model into the new folder `folder`: the files with the given `names`, or without names all but hidden
/// files. `report` is called with the name and the length of each file before the file is downloaded. Returns the paths
/// of the files. Fails if `folder` exists already, or a file cannot be downloaded; the unfinished folder is then
/// removed.
pub fn pull(
    hub: &Hub,
    address: &Address,
    folder: &Path,
    names: &[String],
    report: impl Fn(&str, u64),
) -> anyhow::Result<Vec<PathBuf>> {
    ensure!(!folder.exists(), "{}: exists already; choose another folder with -o", folder.display());
    let (commit, files) = list(hub, address)?;
    let files = select(files, names, address)?;
    let name = folder.file_name().and_then(|name| name.to_str()).context("-o needs the name of a folder")?;
    let unfinished = folder.with_file_name(format!(".{name}.tmp"));
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).with_context(|| unfinished.display().to_string())?;
    }
    let download_all = || -> anyhow::Result<()> {
        for file in &files {
            report(&file.name, file.size);
            download(hub, address, &commit, file, &unfinished.join(&file.name))?;
        }
        fs::rename(&unfinished, folder).with_context(|| folder.display().to_string())
    };
    if let Err(error) = download_all() {
        // If this fails too, the first error is still the one to report.
        let _ = fs::remove_dir_all(&unfinished);
        return Err(error);
    }
    Ok(files.iter().map(|file| folder.join(&file.name)).collect())
}

/// Requests the commit of the address's revision and the list of its files.
fn list(hub: &Hub, address: &Address) -> anyhow::Result<(String, Vec<RemoteFile>)> {
    let Address { repository, revision } = address;
    let path = format!("api/models/{repository}/revision/{}?blobs=true", revision.replace('/', "%2F"));
    let answer = hub.json(&hub.url(&path), hub.get(&path)?)?;
    let commit_and_files = || {
        let commit = answer["sha"].as_str()?.to_owned();
        let files: Option<Vec<_>> = answer["siblings"].as_array()?.iter().map(remote_file).collect();
        Some((commit, files?))
    };
    commit_and_files().with_context(|| {
        format!("{}: the answer is not a list of files as the hub sends it (`sha`, `siblings`)", hub.url(&path))
    })
}

/// Reads the description of a file in the hub's list; `None` if a key is missing.
fn remote_file(file: &Value) -> Option<RemoteFile> {
    let name = file["rfilename"].as_str()?.to_owned();
    // Only large files have the key `lfs`, in which the hub names the SHA-256 `sha256` or `oid`.
    let large = &file["lfs"];
    if let Some(sum) = large["sha256"].as_str().or(large["oid"].as_str()) {
        return Some(RemoteFile { name, size: large["size"].as_u64()?, checksum: Checksum::Sha256(sum.to_owned()) });
    }
    let checksum = Checksum::Git(file["blobId"].as_str()?.to_owned());
    Some(RemoteFile { name, size: file["size"].as_u64()?, checksum })
}

/// Selects the files with these names, or without names all but hidden files. Fails if there is no file of one of the
/// names, if no file is selected, or if the path of a selected file leads out of the folder.
fn select(files: Vec<RemoteFile>, names: &[String], address: &Address) -> anyhow::Result<Vec<RemoteFile>> {
    let all: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
    if let Some(missing) = names.iter().find(|name| !all.contains(name)) {
        bail!("{}: no file {missing:?}; the files are {}", address.repository, all.join(", "));
    }
    let is_wanted = |file: &RemoteFile| match names {
        [] => !file.name.starts_with('.'),
        names => names.contains(&file.name),
    };
    let files: Vec<RemoteFile> = files.into_iter().filter(is_wanted).collect();
    ensure!(!files.is_empty(), "{}: the model has no files", address.repository);
    for file in &files {
        let is_inside = !file.name.contains('\\')
            && Path::new(&file.name).components().all(|part| matches!(part, Component::Normal(_)));
        ensure!(is_inside, "{}: the name {:?} leads out of the folder", address.repository, file.name);
    }
    Ok(files)
}

/// Downloads a file to the new file `to`, and checks its length and its checksum.
fn download(hub: &Hub, address: &Address, commit: &str, file: &RemoteFile, to: &Path) -> anyhow::Result<()> {
    let path = format!("{}/resolve/{commit}/{}", address.repository, file.name);
    let mut body = hub.get(&path)?.into_body();
    let shown = || to.display().to_string();
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(shown)?;
    }
    let mut output = File::create_new(to).with_context(shown)?;
    let (mut sha256, mut sha1) = (sha2::Sha256::new(), sha1::Sha1::new());
    sha1.update(format!("blob {}\0", file.size));
    let (mut reader, mut buffer, mut length) = (body.as_reader(), vec![0; 1 << 16], 0);
    loop {
        let count = reader.read(&mut buffer).with_context(|| {
            format!("{}: the download ended after {length} of {} bytes; try again", hub.url(&path), file.size)
        })?;
        let bytes = &buffer[..count];
        length += count as u64;
        if bytes.is_empty() || length > file.size {
            break;
        }
        match file.checksum {
            Checksum::Sha256(_) => sha256.update(bytes),
            Checksum::Git(_) => sha1.update(bytes),
        }
        output.write_all(bytes).with_context(shown)?;
    }
    let url = hub.url(&path);
    // The rest of a file that is longer than expected was not read.
    let or_more = if length > file.size { " or more" } else { "" };
    ensure!(length == file.size, "{url}: {length} bytes{or_more}, expected {}; try again", file.size);
    let (found, expected) = match &file.checksum {
        Checksum::Sha256(expected) => (hex(&sha256.finalize()), expected),
        Checksum::Git(expected) => (hex(&sha1.finalize()), expected),
    };
    ensure!(found == *expected, "{url}: the checksum is {found}, expected {expected}; the file was damaged or changed");
    output.sync_all().with_context(shown)
}
