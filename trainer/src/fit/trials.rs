//! The trials of a search, and the file that keeps them for `--resume`.

use super::measured::Measured;
use crate::write_file::{lock_output, write_file};
use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use toml::Table;

/// The command that writes logs.
const COMMAND: &str = "tern fit";

/// The result of one training of a candidate in one round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The number of the candidate, from 1.
    pub candidate: usize,
    /// The settings that the candidate has besides the defaults and the given options.
    pub settings: Table,
    /// A short description of the network.
    pub network: String,
    /// The number of epochs that the training has at most; patience may end it earlier.
    pub epochs: usize,
    /// The round, from 1.
    pub round: usize,
    /// The figure that the search maximises: macro F1 on the validation rows if that is the recipe's metric, otherwise
    /// the accuracy.
    pub score: f64,
    /// The loss on the validation rows, which decides between equal scores.
    pub loss: f64,
    /// The accuracy on the validation rows.
    pub accuracy: f64,
    /// True if the figures are those of the device file, false if they are those of the float model.
    pub in_integers: bool,
    /// The accuracy of each repetition of the cross-validation in the last round; empty in other rounds and with a
    /// validation split.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repetitions: Vec<f64>,
    /// The costs of the device file. In the first round, and with a cross-validation, they are those of the untrained
    /// network, which are about the same.
    #[serde(flatten)]
    pub measured: Measured,
    /// The seconds that the trial took, including reading the data and measuring.
    pub seconds: f64,
}

impl Trial {
    /// Returns true if this trial is better than `other`: by score, and by loss if the scores are equal. A trial whose
    /// figures are those of the device file is better than one with figures of the float model.
    pub fn is_better_than(&self, other: &Trial) -> bool {
        match (self.in_integers, other.in_integers) {
            (true, false) => true,
            (false, true) => false,
            _ if self.score == other.score => self.loss < other.loss,
            _ => self.score > other.score,
        }
    }
}

/// The log of a search: a file with a JSON object for the settings of the search and one for each complete trial, each
/// on its own line.
#[derive(Debug)]
pub struct TrialLog {
    path: PathBuf,
    /// The file, opened to append trials and locked until it is dropped; `None` for a log without a file.
    file: Option<File>,
    /// The trials of the interrupted search that is resumed. Trials that are added later are only in the file.
    earlier: Vec<Trial>,
    /// True if the file had trials of an interrupted search that this one did not resume.
    has_deleted_trials: bool,
}

impl TrialLog {
    /// Begins a log with `header`, the settings of the search. If `resume` is true and the file exists, reads its
    /// trials and continues it; otherwise writes a new file. Fails if the header of a file that is continued differs,
    /// another search uses the file, or it cannot be read or written.
    pub fn open(path: &Path, header: &serde_json::Value, resume: bool) -> anyhow::Result<Self> {
        let shown = path.display();
        let mut earlier = Vec::new();
        let mut text = String::new();
        match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            opened => {
                let mut file = opened.with_context(|| shown.to_string())?;
                lock_output(&file, COMMAND, path)?;
                file.read_to_string(&mut text).with_context(|| shown.to_string())?;
            }
        }
        if resume && !text.is_empty() {
            let mut lines = text.lines();
            let former_header = lines.next().and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok());
            if former_header.as_ref() != Some(header) {
                bail!(
                    "{shown}: an interrupted search with other settings or other data; use the same ones, or omit \
                     --resume to start anew"
                );
            }
            // The last line may be incomplete after a power cut.
            earlier = lines.map_while(|line| serde_json::from_str(line).ok()).collect();
        }
        let has_deleted_trials = !resume && holds_trials(&text);
        let mut log = TrialLog { has_deleted_trials, ..Self::empty(path) };
        log.begin(header, earlier)?;
        Ok(log)
    }

    /// Returns a log without trials of an earlier search. Does not create the file.
    pub fn empty(path: &Path) -> Self {
        TrialLog { path: path.to_owned(), file: None, earlier: Vec::new(), has_deleted_trials: false }
    }

    /// Writes the file anew with the header and the trials of an earlier search, and keeps these.
    fn begin(&mut self, header: &serde_json::Value, earlier: Vec<Trial>) -> anyhow::Result<()> {
        let mut text = format!("{header}\n");
        for trial in &earlier {
            text += &format!("{}\n", serde_json::to_string(trial)?);
        }
        self.earlier = earlier;
        let write = || {
            std::fs::create_dir_all(self.path.parent().unwrap_or(Path::new("")))?;
            write_file(&self.path, text.as_bytes())?;
            OpenOptions::new().append(true).open(&self.path)
        };
        let file = write().with_context(|| self.path.display().to_string())?;
        lock_output(&file, COMMAND, &self.path)?;
        self.file = Some(file);
        Ok(())
    }

    /// Returns the number of trials of the interrupted search that is resumed.
    pub fn resumed_trials(&self) -> usize {
        self.earlier.len()
    }

    /// Returns true if [`open`](TrialLog::open) has deleted trials of an interrupted search.
    pub fn has_deleted_trials(&self) -> bool {
        self.has_deleted_trials
    }

    /// Returns the trial of a candidate in a round, both numbered from 1, if the interrupted search has done it.
    pub(super) fn find(&self, candidate: usize, round: usize) -> Option<&Trial> {
        self.earlier.iter().find(|trial| (trial.candidate, trial.round) == (candidate, round))
    }

    /// Appends a trial to the file and syncs it to the disk. Does nothing for a log without a file.
    pub(super) fn add(&self, trial: &Trial) -> anyhow::Result<()> {
        let append = || -> std::io::Result<()> {
            let Some(mut file) = self.file.as_ref() else { return Ok(()) };
            writeln!(file, "{}", serde_json::to_string(trial)?)?;
            file.sync_data()
        };
        append().with_context(|| self.path.display().to_string())
    }

    /// Returns true if the file holds a trial, from which a search can be resumed.
    pub fn has_trials(&self) -> bool {
        std::fs::read_to_string(&self.path).is_ok_and(|text| holds_trials(&text))
    }

    /// Deletes the file.
    pub fn remove(&self) -> anyhow::Result<()> {
        std::fs::remove_file(&self.path).with_context(|| self.path.display().to_string())
    }
}

/// Returns true if the text of a log has a trial after its first line, the header.
fn holds_trials(text: &str) -> bool {
    text.lines().count() > 1
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_log_belongs_to_one_search_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("home.fit.jsonl");
        let header = json!({"trials": 24});
        let log = TrialLog::open(&path, &header, false).unwrap();
        for resume in [false, true] {
            let error = TrialLog::open(&path, &header, resume).unwrap_err().to_string();
            assert!(error.ends_with("another `tern fit` is using it; wait for it, or choose another -o"), "{error}");
        }
        drop(log);
        assert!(TrialLog::open(&path, &header, true).is_ok());
    }

    #[test]
    fn a_log_with_its_header_alone_has_no_trial() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("home.fit.jsonl");
        let log = TrialLog::empty(&path);
        assert!(!log.has_trials(), "the file is missing");
        for (text, expected) in [("{\"trials\":24}\n", false), ("{\"trials\":24}\n{\"candidate\":1}\n", true)] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(log.has_trials(), expected, "{text}");
        }
    }
}
