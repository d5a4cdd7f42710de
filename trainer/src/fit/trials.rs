//! The trials of a search, and the file that keeps them for `--resume`.

use super::measured::Measured;
use crate::write_file::write_file;
use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use toml::Table;

/// The result of training a candidate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The number of the candidate, from 1.
    pub candidate: usize,
    /// The settings that the candidate has besides the defaults and the given options.
    pub settings: Table,
    /// The network in words.
    pub network: String,
    /// The largest number of epochs.
    pub epochs: usize,
    /// The round, from 1.
    pub round: usize,
    /// The figure that the search compares: accuracy or macro F1 on the validation rows.
    pub score: f64,
    /// The loss on the validation rows, which decides between equal scores.
    pub loss: f64,
    /// The accuracy on the validation rows.
    pub accuracy: f64,
    /// True if the figures are those of the device file, false if they are those of the float model.
    pub in_integers: bool,
    /// The accuracy of each repetition of the cross-validation; empty without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repetitions: Vec<f64>,
    /// The costs of the device file.
    #[serde(flatten)]
    pub measured: Measured,
    /// The seconds that the training took.
    pub seconds: f64,
}

impl Trial {
    /// Returns true if this trial is better than `other`. Those whose device file was measured are better than all
    /// others.
    pub fn is_better_than(&self, other: &Trial) -> bool {
        match (self.in_integers, other.in_integers) {
            (true, false) => true,
            (false, true) => false,
            _ if self.score == other.score => self.loss < other.loss,
            _ => self.score > other.score,
        }
    }
}

/// The file of the trials that are done: a line with the settings of the search, and a line for each trial.
#[derive(Debug)]
pub struct TrialLog {
    path: PathBuf,
    /// Trials of an earlier search with the same settings.
    found: Vec<Trial>,
}

impl TrialLog {
    /// Begins a log with `header`, or continues one with the same header if `resume`. Fails if the log to be resumed
    /// has another header, or a file cannot be read or written.
    pub fn open(path: &Path, header: &serde_json::Value, resume: bool) -> anyhow::Result<Self> {
        let shown = path.display();
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text.with_context(|| shown.to_string())?,
        };
        if resume && !text.is_empty() {
            let mut lines = text.lines();
            let former = lines.next().and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok());
            if former.as_ref() != Some(header) {
                bail!(
                    "{shown}: an interrupted search with other settings or other data; use the same ones, or omit --resume \
                     to start anew"
                );
            }
            // A line may be incomplete after a power cut.
            let found = lines.map_while(|line| serde_json::from_str(line).ok()).collect();
            let mut log = Self::empty(path);
            log.begin(header, found)?;
            return Ok(log);
        }
        let mut log = Self::empty(path);
        log.begin(header, Vec::new())?;
        Ok(log)
    }

    /// A log without trials, whose file is not opened.
    pub fn empty(path: &Path) -> Self {
        TrialLog { path: path.to_owned(), found: Vec::new() }
    }

    fn begin(&mut self, header: &serde_json::Value, found: Vec<Trial>) -> anyhow::Result<()> {
        let mut text = format!("{header}\n");
        for trial in &found {
            text += &format!("{}\n", serde_json::to_string(trial)?);
        }
        self.found = found;
        let write = || {
            std::fs::create_dir_all(self.path.parent().unwrap_or(Path::new("")))?;
            write_file(&self.path, text.as_bytes())
        };
        write().with_context(|| self.path.display().to_string())
    }

    /// Returns the number of trials of an earlier search.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Returns true if there are no trials of an earlier search.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Returns the trial of a candidate in a round, if it is done.
    pub(super) fn find(&self, candidate: usize, round: usize) -> Option<&Trial> {
        self.found.iter().find(|trial| (trial.candidate, trial.round) == (candidate, round))
    }

    /// Appends a trial and flushes the file to the disk.
    pub(super) fn add(&self, trial: &Trial) -> anyhow::Result<()> {
        let append = || -> std::io::Result<()> {
            let mut file: File = OpenOptions::new().append(true).open(&self.path)?;
            writeln!(file, "{}", serde_json::to_string(trial)?)?;
            file.sync_data()
        };
        append().with_context(|| self.path.display().to_string())
    }

    /// Deletes the file after the search.
    pub fn remove(&self) -> anyhow::Result<()> {
        std::fs::remove_file(&self.path).with_context(|| self.path.display().to_string())
    }
}
