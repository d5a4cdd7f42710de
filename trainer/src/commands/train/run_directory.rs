//! The run directory of a training: the folder `DIR.partial` beside the model directory `DIR`. It exists while the
//! training runs, and `--resume` continues from it.
//!
//! | file | content |
//! |---|---|
//! | `recipe.toml` | the complete recipe |
//! | `options.json` | the command line's options that are not part of the recipe |
//! | `log.jsonl` | the log so far |
//! | `checkpoint.safetensors` | the last checkpoint: see `train::checkpoint` |
//! | `lock` | locked by the process that trains |
//! | `model`, `former` | the new model while it is written, and the old one while it is replaced |
//!
//! All files but the log and the lock are written under a temporary name, synced and renamed, so that every name holds
//! a complete file. The log is appended to: a checkpoint stores the length of the log that belongs to it.

use crate::commands::note;
use crate::float_model::Staged;
use crate::recipe::schema::Field;
use crate::recipe::{Recipe, fields};
use crate::train::{Problem, State};
use crate::write_file::lock_output;
use anyhow::{Context, anyhow, bail};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const RECIPE: &str = "recipe.toml";
const OPTIONS: &str = "options.json";
const LOG: &str = "log.jsonl";
const CHECKPOINT: &str = "checkpoint.safetensors";
const LOCK: &str = "lock";
const MODEL: &str = "model";
const FORMER: &str = "former";
/// The extension of a file while it is written.
const NEW: &str = "new";

/// The keys whose values may change when a training is resumed. They affect only the training after the checkpoint, or
/// no step of it.
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

/// Options of the command line that are not part of the recipe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// True if the baselines are not trained.
    pub no_baselines: bool,
}

/// The run directory of a training. A lock keeps a second training from using it.
#[derive(Debug)]
pub struct RunDirectory {
    folder: PathBuf,
    /// The model directory.
    target: PathBuf,
    /// The lock file. It is locked until it is dropped.
    _lock: File,
}

impl RunDirectory {
    /// Returns the path of the run directory for the model directory `target`.
    pub fn folder(target: &Path) -> PathBuf {
        let mut name = target.file_name().map_or_else(OsString::new, OsString::from);
        name.push(".partial");
        target.with_file_name(name)
    }

    /// Returns the path of the recipe in the run directory of `target`.
    pub fn recipe_path(target: &Path) -> PathBuf {
        Self::folder(target).join(RECIPE)
    }

    /// Returns true if a training of the model at `target` can be resumed.
    pub fn exists(target: &Path) -> bool {
        Self::recipe_path(target).is_file()
    }

    /// Returns the options of the training of the model at `target`; the defaults if their file cannot be read.
    pub fn options(target: &Path) -> Options {
        let json = fs::read(Self::folder(target).join(OPTIONS)).ok();
        json.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
    }

    /// Opens the run directory of an interrupted training if `resume` is true and there is one, otherwise begins a new
    /// one. Prints the settings that have changed, a warning if an interrupted training is deleted, or that there is
    /// nothing to resume.
    pub fn resume_or_begin(target: &Path, recipe: &Recipe, options: Options, resume: bool) -> anyhow::Result<Self> {
        let folder = Self::folder(target);
        let is_interrupted = Self::exists(target);
        if resume && is_interrupted {
            let (directory, changes) = Self::open(target, recipe, options)?;
            for change in changes {
                note(format_args!(
                    "from here on {change}: the model will differ from that of an uninterrupted training"
                ));
            }
            return Ok(directory);
        }
        if resume {
            note(format_args!("nothing to resume: {} does not exist; starting", folder.display()));
        }
        let directory = Self::begin(target, recipe, options)?;
        if is_interrupted {
            note(format_args!(
                "warning: {}: deleted an interrupted training and started anew (--resume would have continued it)",
                folder.display()
            ));
        }
        Ok(directory)
    }

    /// Creates the run directory of a new training, and deletes the files of an earlier one.
    fn begin(target: &Path, recipe: &Recipe, options: Options) -> anyhow::Result<Self> {
        let directory = Self::lock(target)?;
        for name in directory.entries()? {
            let path = directory.folder.join(&name);
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.with_context(|| path.display().to_string())?;
        }
        directory.write_settings(recipe, options)?;
        Ok(directory)
    }

    /// Opens the run directory of a training that is resumed. Also returns the changes of the recipe that affect the
    /// result, as `[section] key is NEW, was OLD`. Fails if another process uses the directory, or if a key has changed
    /// that must not change.
    fn open(target: &Path, recipe: &Recipe, options: Options) -> anyhow::Result<(Self, Vec<String>)> {
        let directory = Self::lock(target)?;
        // Fails if the folder holds a foreign file.
        directory.entries()?;
        let former = Recipe::read(&Self::recipe_path(target))?;
        let changes = differences(&former, recipe, &directory.folder);
        if let Some((field, change)) = changes.iter().find(|(field, _)| !CHANGEABLE.contains(&field.key)) {
            bail!(
                "{}: an interrupted training with another recipe: {change}. {} cannot change when a training is resumed; \
                 use the same settings, or omit --resume to start anew",
                directory.folder.display(),
                field.key
            );
        }
        directory.write_settings(recipe, options)?;
        // `threads` does not affect the result.
        let changes = changes.into_iter().filter(|(field, _)| field.key != "threads").map(|(_, change)| change);
        Ok((directory, changes.collect()))
    }

    /// Creates the run directory if it is missing, and locks it. Fails if another process has locked it.
    fn lock(target: &Path) -> anyhow::Result<Self> {
        Staged::check(target)?;
        let folder = Self::folder(target);
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let path = folder.join(LOCK);
        let lock = File::create(&path).with_context(|| path.display().to_string())?;
        lock_output(&lock, "tern train", &folder)?;
        Ok(RunDirectory { folder, target: target.to_owned(), _lock: lock })
    }

    /// Returns the names of the files and folders except for the lock. Fails if one does not belong to a run directory,
    /// so that no foreign file is deleted.
    fn entries(&self) -> anyhow::Result<Vec<String>> {
        let failed = || self.folder.display().to_string();
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder).with_context(failed)? {
            let name = entry.with_context(failed)?.file_name().to_string_lossy().into_owned();
            let stem = name.strip_suffix(&format!(".{NEW}")).unwrap_or(&name);
            if ![RECIPE, OPTIONS, LOG, CHECKPOINT, LOCK, MODEL, FORMER].contains(&stem) {
                bail!("{}: holds {name:?}, which is not part of a training; move it or choose another -o", failed());
            }
            names.push(name);
        }
        names.retain(|name| name != LOCK);
        Ok(names)
    }

    /// Writes the options and the recipe.
    fn write_settings(&self, recipe: &Recipe, options: Options) -> anyhow::Result<()> {
        let json = serde_json::to_vec(&options)?;
        // The recipe comes last: once it exists, the training can be resumed.
        for (name, bytes) in [(OPTIONS, json), (RECIPE, recipe.to_toml(&self.folder).into_bytes())] {
            self.write(name, &bytes).with_context(|| self.folder.join(name).display().to_string())?;
        }
        Ok(())
    }

    /// Returns the path of the log.
    pub fn log(&self) -> PathBuf {
        self.folder.join(LOG)
    }

    /// Returns the path of the checkpoint.
    pub fn checkpoint(&self) -> PathBuf {
        self.folder.join(CHECKPOINT)
    }

    /// Reads the checkpoint: the state of the training, and the length of the log in bytes when it was written. Without
    /// a checkpoint, returns the state before the first step and 0.
    pub fn state(&self, recipe: &Recipe, problem: &Problem) -> anyhow::Result<(State, u64)> {
        let path = self.checkpoint();
        match fs::read(&path) {
            Ok(bytes) => State::from_bytes(&bytes, recipe, problem).with_context(|| path.display().to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((State::new(recipe, problem), 0)),
            Err(error) => Err(anyhow!(error).context(path.display().to_string())),
        }
    }

    /// Writes the checkpoint. If that fails, the previous one is kept.
    pub fn write_checkpoint(&self, bytes: &[u8]) -> io::Result<()> {
        self.write(CHECKPOINT, bytes)
    }

    /// Writes a file of the run directory under a temporary name, and renames it.
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
            // An incomplete file is useless and takes space on a full disk.
            let _ = fs::remove_file(&new);
        }
        result
    }

    /// Returns the folder in which the finished model is written before it replaces `target`.
    pub fn staged(&self) -> anyhow::Result<Staged> {
        Ok(Staged::between(&self.target, self.folder.join(MODEL), self.folder.join(FORMER))?)
    }

    /// Deletes the run directory.
    pub fn remove(&self) -> anyhow::Result<()> {
        fs::remove_dir_all(&self.folder).with_context(|| self.folder.display().to_string())
    }
}

/// Returns the keys whose values differ between two recipes, each with a text that names both values. `folder`: the
/// folder to which paths are relative in these texts.
fn differences(former: &Recipe, recipe: &Recipe, folder: &Path) -> Vec<(&'static Field, String)> {
    let [former, recipe] =
        [former, recipe].map(|recipe| recipe.to_toml(folder).parse::<toml::Table>().unwrap_or_default());
    let shown =
        |field: &Field, recipe| field.value_in(recipe).map_or_else(|| "not set".to_owned(), ToString::to_string);
    let mut differences = Vec::new();
    for field in fields() {
        let (was, is) = (shown(field, &former), shown(field, &recipe));
        if was != is {
            differences.push((field, format!("{} is {is}, was {was}", field.label())));
        }
    }
    differences
}
