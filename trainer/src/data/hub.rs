//! Reads data sets of the Hugging Face hub: `hf:owner/name` or `hf:owner/name/file`, either with `@revision` at its
//! end.

use super::source::Source;
use super::table::{Columns, Row};
use super::{lines, parquet, table};
use crate::display::quoted;
use crate::file_error::FileError;
use hf_hub::api::sync::{ApiBuilder, ApiError};
use hf_hub::{Repo, RepoType};
use std::path::{Path, PathBuf};

/// The forms of an address, for errors.
const EXPECTED: &str = "expected hf:owner/name, hf:owner/name/FILE or hf:owner/name@revision";

/// Downloads the data set that `path` names, or finds it in the cache of the hub's tools, and reads it.
///
/// Without a file name, the data files of the split `train` are read, or the only data file. A file name may be the
/// common beginning of several files' names. The environment variables `HF_HOME` and `HF_ENDPOINT` and the token of
/// `hf auth login` are respected. Fails if the data set or the file does not exist, the network fails, or a file cannot
/// be read.
pub fn read(path: &Path, columns: &Columns) -> Result<Vec<Row>, FileError> {
    read_from(ApiBuilder::from_env().with_progress(false), path, columns)
}

fn read_from(builder: ApiBuilder, path: &Path, columns: &Columns) -> Result<Vec<Row>, FileError> {
    let fail = |problem: String| FileError::new(path, problem);
    let address = Address::parse(&path.display().to_string()).ok_or_else(|| fail(EXPECTED.to_owned()))?;
    let mut rows = Vec::new();
    for file in fetch(builder, &address).map_err(fail)? {
        rows.extend(match Source::of(&file) {
            Source::Parquet => parquet::read(&file, columns)?,
            Source::JsonLines => lines::read_json(&file, columns)?,
            // The other names that `is_data` accepts are those of tables.
            _ => table::read(&file, columns)?,
        });
    }
    Ok(rows)
}

/// The address of a data set on the hub, or of a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Address {
    /// `owner/name`
    repository: String,
    /// A branch, tag or commit.
    revision: String,
    /// A file name or the beginning of file names; `None` for the split `train`.
    file: Option<String>,
}

impl Address {
    /// Parses an address such as `hf:owner/name/file@revision`; `None` if it has another form.
    fn parse(name: &str) -> Option<Self> {
        let name = name.strip_prefix("hf:")?;
        let (name, revision) = name.split_once('@').unwrap_or((name, "main"));
        let mut parts = name.trim_end_matches('/').splitn(3, '/');
        let (owner, repository) = (parts.next()?, parts.next()?);
        let is_valid = |part: &str| !part.is_empty() && !part.contains(char::is_whitespace);
        if ![owner, repository, revision].into_iter().all(is_valid) {
            return None;
        }
        let file = parts.next().map(str::to_owned);
        Some(Address { repository: format!("{owner}/{repository}"), revision: revision.to_owned(), file })
    }
}

/// Returns the paths of the local copies of the files that `address` names, and downloads those that are missing. The
/// error is a message.
fn fetch(builder: ApiBuilder, address: &Address) -> Result<Vec<PathBuf>, String> {
    let api = builder.build().map_err(|error| error.to_string())?;
    let Address { repository, revision, file } = address;
    let repo = api.repo(Repo::with_revision(repository.clone(), RepoType::Dataset, revision.clone()));
    // For a full file name, the hub is not asked for its list of files, so a cached file needs no network.
    if let Some(name) = file.as_deref().filter(|name| is_data(name)) {
        return Ok(vec![repo.get(name).map_err(|error| explain(&error, address))?]);
    }
    let info = repo.info().map_err(|error| explain(&error, address))?;
    let mut all: Vec<String> =
        info.siblings.into_iter().map(|file| file.rfilename).filter(|name| is_data(name)).collect();
    all.sort();
    if all.is_empty() {
        return Err("the data set has no .parquet, .csv, .tsv or .jsonl file; download and convert it".to_owned());
    }
    let wanted: Vec<&String> = match file {
        Some(start) => all.iter().filter(|name| name.starts_with(start.as_str())).collect(),
        None if all.len() == 1 => all.iter().collect(),
        None => all.iter().filter(|name| is_train(name)).collect(),
    };
    if wanted.is_empty() {
        return Err(match file {
            Some(start) => format!("no data file begins with {start:?}; the files are {}", quoted(&all)),
            None => format!("no file is named as the split `train`; name one of {}", quoted(&all)),
        });
    }
    wanted.into_iter().map(|name| repo.get(name).map_err(|error| explain(&error, address))).collect()
}

/// Returns true for the name of a file in a format that can be read. `.json` is left out: data sets keep metadata in
/// such files.
fn is_data(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    ["parquet", "csv", "tsv", "tab", "jsonl", "ndjson"].contains(&ending)
}

/// Returns true for file names of the split `train`: `data/train-00000-of-00001.parquet`, `train/0.csv`.
fn is_train(name: &str) -> bool {
    name.split(|c: char| !c.is_alphanumeric()).any(|word| word == "train")
}

/// Describes an error of the hub and what to do about it.
fn explain(error: &ApiError, address: &Address) -> String {
    if let ApiError::RequestError(error) = error
        && let ureq::Error::StatusCode(status) = **error
    {
        let repository = &address.repository;
        return match status {
            401 | 403 => format!(
                "the hub answers {status}: {repository} does not exist, or needs a login; look at https://huggingface.co/datasets/{repository}, \
                 and `hf auth login` where it asks for consent"
            ),
            404 => format!(
                "the hub answers 404: no such data set, revision or file; look at https://huggingface.co/datasets/{repository}"
            ),
            _ => format!("the hub answers {status}; try again later"),
        };
    }
    format!(
        "the hub cannot be reached ({error}); without a network, give the path of a downloaded file, or the full name of a file in \
         the cache: hf:{}/FILE",
        address.repository
    )
}

#[cfg(test)]
mod tests;
