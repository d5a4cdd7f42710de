//! Upload of a model to the Hugging Face hub: small files within the commit, large files before it (git LFS).

use super::client::{Address, Hub};
use crate::float_model::files;
use crate::package::hex;
use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

/// Files of a model directory that contain rows of the training or validation data.
const FILES_WITH_ROWS: [&str; 6] = [
    files::VALIDATION,
    files::VALIDATION_TEXT,
    files::CALIBRATION,
    files::CALIBRATION_TEXT,
    files::CROSS_VALIDATION,
    files::REPORT,
];
/// The number of bytes at the beginning of a file from which the hub decides how the file is uploaded: within the
/// commit or before it.
const SAMPLE_BYTES: usize = 512;
// Content types of requests.
const JSON: &str = "application/json";
const LFS: &str = "application/vnd.git-lfs+json";

/// The options of an upload.
#[derive(Clone, Debug, Default)]
pub struct Upload {
    /// Make the repository private, if it is new.
    pub private: bool,
    /// Also upload the files that contain rows of the training or validation data.
    pub with_rows: bool,
    /// The message of the commit.
    pub message: String,
}

/// A file to upload.
struct LocalFile {
    /// The name of the file in the repository.
    name: String,
    bytes: Vec<u8>,
}

impl LocalFile {
    fn sha256(&self) -> String {
        hex(&Sha256::digest(&self.bytes))
    }
}

/// Uploads a model directory or a device file as one commit, and creates the repository if it is missing. `report` is
/// called with the name and the length of each file. Returns the web address of the commit. Fails without a token, if a
/// file cannot be read, or if the hub refuses the upload.
pub fn upload(
    hub: &Hub,
    path: &Path,
    address: &Address,
    options: &Upload,
    report: impl Fn(&str, u64),
) -> anyhow::Result<String> {
    ensure!(
        hub.token.is_some(),
        "an upload needs a token: `hf auth login`, or HF_TOKEN with one from {}",
        hub.url("settings/tokens")
    );
    let files = read(path, options.with_rows)?;
    let Address { repository, revision } = address;
    let (owner, name) = repository.split_once('/').unwrap_or_default();
    let create = json!({ "name": name, "organization": owner, "private": options.private });
    // The status of a repository that exists already.
    let conflict = Some(409);
    hub.post("api/repos/create", JSON, &create.to_string(), conflict)?;

    // Asks the hub how to upload each file: within the commit (`regular`), or before it (`lfs`).
    let samples = files.iter().map(|file| {
        let sample = STANDARD.encode(&file.bytes[..file.bytes.len().min(SAMPLE_BYTES)]);
        json!({ "path": file.name, "sample": sample, "size": file.bytes.len() })
    });
    let samples = json!({ "files": samples.collect::<Vec<_>>() });
    let revision = revision.replace('/', "%2F");
    let modes = hub.post(&format!("api/models/{repository}/preupload/{revision}"), JSON, &samples.to_string(), None)?;
    let mode_of = |file: &LocalFile| {
        let entry = modes["files"].as_array()?.iter().find(|entry| entry["path"] == file.name.as_str())?;
        entry["uploadMode"].as_str().filter(|mode| ["lfs", "regular"].contains(mode))
    };

    // The commit is one line of JSON for the message and one for each file.
    let mut lines = vec![json!({ "key": "header", "value": { "summary": options.message, "description": "" } })];
    for file in &files {
        report(&file.name, file.bytes.len() as u64);
        let mode = mode_of(file)
            .with_context(|| format!("{repository}: the answer of the hub has no `uploadMode` for {}", file.name))?;
        lines.push(if mode == "lfs" {
            let sum = file.sha256();
            upload_large(hub, repository, file, &sum)?;
            let size = file.bytes.len();
            json!({ "key": "lfsFile", "value": { "path": file.name, "algo": "sha256", "oid": sum, "size": size } })
        } else {
            let content = STANDARD.encode(&file.bytes);
            json!({ "key": "file", "value": { "content": content, "path": file.name, "encoding": "base64" } })
        });
    }
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let path = format!("api/models/{repository}/commit/{revision}");
    let answer = hub.post(&path, "application/x-ndjson", &lines, None)?;
    let commit = answer["commitUrl"].as_str().map(str::to_owned);
    commit.with_context(|| format!("{}: the answer has no `commitUrl`", hub.url(&path)))
}

/// Reads a device file, or the files of a model directory, sorted by name. Hidden files are left out, and without
/// `with_rows` those of [`FILES_WITH_ROWS`].
fn read(path: &Path, with_rows: bool) -> anyhow::Result<Vec<LocalFile>> {
    let local = |path: &Path| -> anyhow::Result<LocalFile> {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.with_context(|| format!("{}: the name is not UTF-8", path.display()))?.to_owned();
        Ok(LocalFile { name, bytes: fs::read(path).with_context(|| path.display().to_string())? })
    };
    if !path.is_dir() {
        return Ok(vec![local(path)?]);
    }
    if !path.join(files::CONFIG).is_file() {
        bail!("{}: no {}, expected a model directory or a device file", path.display(), files::CONFIG);
    }
    let is_left_out = |name: &str| name.starts_with('.') || (!with_rows && FILES_WITH_ROWS.contains(&name));
    let mut all = Vec::new();
    for entry in fs::read_dir(path).with_context(|| path.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_file() && !is_left_out(&name) {
            all.push(local(&path)?);
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// Uploads a large file to the address that the hub names for it, unless the hub has the file already. If the hub names
/// a second address, asks it to verify the upload. `sum`: the SHA-256 of the file.
fn upload_large(hub: &Hub, repository: &str, file: &LocalFile, sum: &str) -> anyhow::Result<()> {
    let object = json!({ "oid": sum, "size": file.bytes.len() });
    let batch = json!({ "operation": "upload", "transfers": ["basic"], "objects": [object], "hash_algo": "sha256" });
    let answer = hub.post(&format!("{repository}.git/info/lfs/objects/batch"), LFS, &batch.to_string(), None)?;
    let answer = &answer["objects"][0];
    if let Some(message) = answer["error"]["message"].as_str() {
        bail!("{repository}: the hub refuses {}: {message}", file.name);
    }
    let Some(address) = answer["actions"]["upload"]["href"].as_str() else { return Ok(()) };
    let mut request = hub.agent.put(address);
    for (name, value) in answer["actions"]["upload"]["header"].as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().unwrap_or_default());
    }
    hub.checked(address, request.send(&file.bytes))?;
    if let Some(verify) = answer["actions"]["verify"]["href"].as_str() {
        let mut request = hub.agent.post(verify).header("Content-Type", LFS);
        // The token is for the hub alone.
        if let Some(value) = hub.authorization()
            && verify.starts_with(&format!("{}/", hub.endpoint))
        {
            request = request.header("Authorization", value);
        }
        hub.checked(verify, request.send(object.to_string()))?;
    }
    Ok(())
}
