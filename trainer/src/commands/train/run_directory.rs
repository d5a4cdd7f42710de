//! What stands on the disk while a training is under way, so that it can be continued after whatever happens: the folder
//! `DIR.partial` beside the model directory `DIR` that it will become.
//!
//! | file | what |
//! |---|---|
//! | `recipe.toml` | the complete recipe, the seed in it |
//! | `options.json` | what the command line asked for besides |
//! | `log.jsonl` | the log so far |
//! | `checkpoint.safetensors` | the last checkpoint: see `train::checkpoint` |
//! | `lock` | held by the process that trains |
//! | `model`, `former` | the new model while it is written, and the old one while they change places |
//!
//! Files are written under another name, synced and renamed: a name always stands for a whole file.

use crate::float_model::Staged;
use crate::recipe::Recipe;
use crate::train::{Problem, State};
use anyhow::{Context, anyhow, bail};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const RECIPE: &str = "recipe.toml";
const OPTIONS: &str = "options.json";
const LOG: &str = "log.jsonl";
const CHECKPOINT: &str = "checkpoint.safetensors";
const LOCK: &str = "lock";
const MODEL: &str = "model";
const FORMER: &str = "former";
/// What a file is called until it is whole.
const NEW: &str = "new";

/// Keys that may be changed when a training is continued: what is done stays as it is.
const CHANGEABLE: [&str; 11] = [
    "epochs",
    "patience",
    "threads",
    "learning_rate",
    "schedule",
    "warm_up",
    "plateau_patience",
    "plateau_factor",
    "weight_decay",
    "clip_norm",
    "name",
];

/// What the command line asked for besides the recipe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Whether the simpler models beside are left out.
    pub no_baselines: bool,
}

/// The folder of a training under way, locked against a second one.
#[derive(Debug)]
pub struct RunDirectory {
    folder: PathBuf,
    target: PathBuf,
    /// Held until the process ends.
    _lock: File,
}

impl RunDirectory {
    /// Where the training of the model at `target` stands.
    pub fn folder(target: &Path) -> PathBuf {
        let mut name = target.file_name().map_or_else(OsString::new, OsString::from);
        name.push(".partial");
        target.with_file_name(name)
    }

    /// Whether there is a training of the model at `target` that can be continued.
    pub fn is_there(target: &Path) -> bool {
        Self::folder(target).join(RECIPE).is_file()
    }

    /// The recipe and the options of the training of the model at `target`.
    pub fn recipe(target: &Path) -> anyhow::Result<(Recipe, Options)> {
        let folder = Self::folder(target);
        let recipe = Recipe::read(&folder.join(RECIPE))?;
        let options = fs::read(folder.join(OPTIONS)).ok().and_then(|json| serde_json::from_slice(&json).ok());
        Ok((recipe, options.unwrap_or_default()))
    }

    /// Begins a training anew; what an earlier one left is removed.
    pub fn begin(target: &Path, recipe: &Recipe, options: Options) -> anyhow::Result<Self> {
        let directory = Self::lock(target)?;
        for name in directory.entries()? {
            let path = directory.folder.join(&name);
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.with_context(|| path.display().to_string())?;
        }
        directory.describe(recipe, options)?;
        Ok(directory)
    }

    /// Continues a training.
    ///
    /// Returns what is different in `recipe`, as "[section] key: here, was there".
    pub fn open(target: &Path, recipe: &Recipe, options: Options) -> anyhow::Result<(Self, Vec<String>)> {
        let directory = Self::lock(target)?;
        directory.entries()?;
        let (former, _) = Self::recipe(target)?;
        let changes = differences(&former, recipe, &directory.folder);
        if let Some((key, change)) = changes.iter().find(|(key, _)| !CHANGEABLE.contains(&key.as_str())) {
            bail!(
                "{}: an unfinished training with another recipe: {change}. {key} cannot be changed on the way; take the same \
                 settings, or leave out --resume to begin anew",
                directory.folder.display()
            );
        }
        directory.describe(recipe, options)?;
        let changes = changes.into_iter().filter(|(key, _)| key != "threads").map(|(_, change)| change).collect();
        Ok((directory, changes))
    }

    fn lock(target: &Path) -> anyhow::Result<Self> {
        Staged::check(target)?;
        let folder = Self::folder(target);
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let path = folder.join(LOCK);
        let lock = File::create(&path).with_context(|| path.display().to_string())?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("{}: another `tern train` is at work there; wait for it, or choose another -o", folder.display());
            }
            // A file system without locks: then it is the user's care.
            Err(TryLockError::Error(_)) => {}
        }
        Ok(RunDirectory { folder, target: target.to_owned(), _lock: lock })
    }

    /// The names in the folder but for the lock; none that is not a training's.
    fn entries(&self) -> anyhow::Result<Vec<String>> {
        let failed = || self.folder.display().to_string();
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder).with_context(failed)? {
            let name = entry.with_context(failed)?.file_name().to_string_lossy().into_owned();
            let stem = name.strip_suffix(&format!(".{NEW}")).unwrap_or(&name);
            if ![RECIPE, OPTIONS, LOG, CHECKPOINT, LOCK, MODEL, FORMER].contains(&stem) {
                bail!(
                    "{}: holds {name:?}, which is no part of a training; move that away or choose another -o",
                    failed()
                );
            }
            names.push(name);
        }
        names.retain(|name| name != LOCK);
        Ok(names)
    }

    fn describe(&self, recipe: &Recipe, options: Options) -> anyhow::Result<()> {
        let json = serde_json::to_vec(&options)?;
        // The recipe comes last: with it, the training can be continued.
        for (name, bytes) in [(OPTIONS, json), (RECIPE, recipe.to_toml(&self.folder).into_bytes())] {
            self.write(name, &bytes).with_context(|| self.folder.join(name).display().to_string())?;
        }
        Ok(())
    }

    /// The log.
    pub fn log(&self) -> PathBuf {
        self.folder.join(LOG)
    }

    /// The last checkpoint.
    pub fn checkpoint(&self) -> PathBuf {
        self.folder.join(CHECKPOINT)
    }

    /// Where the training stands, and how long the log was then. The beginning where there is no checkpoint.
    pub fn state(&self, recipe: &Recipe, problem: &Problem) -> anyhow::Result<(State, u64)> {
        let path = self.checkpoint();
        match fs::read(&path) {
            Ok(bytes) => State::from_bytes(&bytes, recipe, problem).with_context(|| path.display().to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((State::new(recipe, problem), 0)),
            Err(error) => Err(anyhow!(error).context(path.display().to_string())),
        }
    }

    /// Writes the checkpoint. Where that fails, the one before stays.
    pub fn keep(&self, bytes: &[u8]) -> io::Result<()> {
        self.write(CHECKPOINT, bytes)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let new = self.folder.join(format!("{name}.{NEW}"));
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&new, self.folder.join(name))?;
            if cfg!(unix) { File::open(&self.folder)?.sync_all() } else { Ok(()) }
        };
        let result = write();
        if result.is_err() {
            // Half a file helps nobody, and its room may be needed.
            let _ = fs::remove_file(&new);
        }
        result
    }

    /// A folder for the finished model.
    pub fn staged(&self) -> anyhow::Result<Staged> {
        Ok(Staged::between(&self.target, self.folder.join(MODEL), self.folder.join(FORMER))?)
    }

    /// Removes everything: the model stands, or there is nothing worth continuing.
    pub fn remove(&self) -> anyhow::Result<()> {
        fs::remove_dir_all(&self.folder).with_context(|| self.folder.display().to_string())
    }
}

/// The keys whose values differ, each with both values.
fn differences(former: &Recipe, recipe: &Recipe, folder: &Path) -> Vec<(String, String)> {
    let table = |recipe: &Recipe| recipe.to_toml(folder).parse::<toml::Table>().unwrap_or_default();
    let (former, recipe) = (table(former), table(recipe));
    let flat = |table: &toml::Table| -> Vec<(String, String, toml::Value)> {
        let mut keys = Vec::new();
        for (name, value) in table {
            match value {
                toml::Value::Table(section) => {
                    keys.extend(section.iter().map(|(key, value)| (format!("[{name}] "), key.clone(), value.clone())));
                }
                value => keys.push((String::new(), name.clone(), value.clone())),
            }
        }
        keys
    };
    let (former, recipe) = (flat(&former), flat(&recipe));
    let find = |keys: &[(String, String, toml::Value)], section: &str, key: &str| {
        let value = keys.iter().find(|(s, k, _)| s == section && k == key).map(|(_, _, value)| value.to_string());
        value.unwrap_or_else(|| "not set".to_owned())
    };
    let mut differences: Vec<(String, String)> = Vec::new();
    for (section, key, _) in former.iter().chain(&recipe) {
        let (there, here) = (find(&former, section, key), find(&recipe, section, key));
        let change = format!("{section}{key} is {here}, was {there}");
        if there != here && !differences.iter().any(|(_, other)| *other == change) {
            differences.push((key.clone(), change));
        }
    }
    differences
}
