//! Writes the log and the checkpoints of a training.

use super::run_directory::RunDirectory;
use crate::commands::note;
use crate::train::{BatchProgress, Callback, EpochFigures, State, StateEvent};
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The largest number of lines about batches in the log of an epoch. A line about the whole epoch follows them.
const BATCH_LINES: usize = 20;

/// The shortest pause after a checkpoint, as a multiple of the time that writing it took, so that writing takes at most
/// about 3 % of the time. There is no pause before the checkpoint of an interrupted training, and none at all if a
/// checkpoint follows every batch.
const PAUSE_FACTOR: u32 = 30;

/// The callback that writes the log and, from time to time, a checkpoint into a [`RunDirectory`]. A failure to write,
/// as on a full disk, does not end the training: the previous checkpoint is kept, and the next one is tried. The log
/// has one JSON object per line. It holds no times, so that a resumed training writes the same log.
#[derive(Debug)]
pub struct Checkpointer<'a> {
    directory: &'a RunDirectory,
    /// The length of the log file in bytes.
    log_bytes: u64,
    /// Lines of the log that are not yet in the file.
    pending: String,
    /// The hash of the data: [`data_hash`](crate::train::data_hash).
    data_hash: u32,
    /// The time between two checkpoints within an epoch. Zero: a checkpoint after every batch.
    interval: Duration,
    /// The end of the last attempt to write a checkpoint; before the first attempt the time of [`new`](Self::new).
    last_attempt: Instant,
    /// The end of the pause after the last attempt: see [`PAUSE_FACTOR`].
    pause_until: Instant,
    /// True if the last attempt failed.
    is_failing: bool,
}

impl<'a> Checkpointer<'a> {
    /// A callback that continues the log of `directory` after its first `log_bytes` bytes.
    pub fn new(directory: &'a RunDirectory, data_hash: u32, log_bytes: u64, interval: Duration) -> Self {
        let now = Instant::now();
        Checkpointer {
            directory,
            log_bytes,
            pending: String::new(),
            data_hash,
            interval,
            last_attempt: now,
            pause_until: now,
            is_failing: false,
        }
    }

    /// Writes the pending lines to the log file.
    pub fn flush_log(&mut self) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(self.directory.log())?;
        // Removes the lines after `log_bytes`, which are written again: those after the checkpoint of a resumed
        // training, and an incomplete line that a full disk left.
        file.set_len(self.log_bytes)?;
        file.seek(SeekFrom::Start(self.log_bytes))?;
        file.write_all(self.pending.as_bytes())?;
        file.sync_data()?;
        self.log_bytes += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Writes the pending log lines, and then the checkpoint, which holds the length of the log. The error comes with
    /// the path of the file that could not be written.
    fn write_log_and_checkpoint(&mut self, state: &State) -> Result<(), (PathBuf, io::Error)> {
        self.flush_log().map_err(|error| (self.directory.log(), error))?;
        let bytes = state.to_bytes(self.data_hash, self.log_bytes).map_err(io::Error::other);
        let written = bytes.and_then(|bytes| self.directory.write_checkpoint(&bytes));
        written.map_err(|error| (self.directory.checkpoint(), error))
    }

    /// Writes the pending log lines and a checkpoint; nothing if a weight is not finite. The first of several failures
    /// in a row prints a warning.
    fn write(&mut self, state: &State) {
        // A training cannot be resumed from NaN weights, so the previous checkpoint is kept.
        if !state.is_finite() {
            return;
        }
        let start = Instant::now();
        let written = self.write_log_and_checkpoint(state);
        self.last_attempt = Instant::now();
        self.pause_until = self.last_attempt + start.elapsed() * PAUSE_FACTOR;
        match written {
            Ok(()) if self.is_failing => {
                note(format_args!("{}: written again", self.directory.checkpoint().display()));
                self.is_failing = false;
            }
            Ok(()) => {}
            Err(_) if self.is_failing => {}
            Err((path, error)) => {
                note(format_args!(
                    "warning: {}: {error}; the previous checkpoint is kept and the training goes on; is the disk full?",
                    path.display()
                ));
                self.is_failing = true;
            }
        }
    }
}

/// Returns the line of the log about an epoch: its figures, and `best`, true if it is the best epoch so far.
pub fn epoch_line(figures: &EpochFigures, best: bool) -> Value {
    let mut line = json!(figures);
    line["best"] = json!(best);
    line
}

impl Callback for Checkpointer<'_> {
    fn on_batch(&mut self, progress: &BatchProgress) {
        let stride = progress.batches.div_ceil(BATCH_LINES);
        if progress.batch.is_multiple_of(stride) {
            let line = json!({
                "epoch": progress.epoch,
                "batch": progress.batch,
                "batches": progress.batches,
                "loss": progress.loss,
                "accuracy": progress.accuracy,
                "learning_rate": progress.learning_rate,
                "gradient_norm": progress.gradient_norm,
            });
            self.pending += &format!("{line}\n");
        }
    }

    fn on_epoch(&mut self, figures: &EpochFigures, best: bool) {
        self.pending += &format!("{}\n", epoch_line(figures, best));
    }

    fn wants_state(&self) -> bool {
        let now = Instant::now();
        self.interval.is_zero() || (now >= self.pause_until && now - self.last_attempt >= self.interval)
    }

    fn on_state(&mut self, state: &State, event: StateEvent) {
        let is_due = match event {
            StateEvent::Interrupted => true,
            StateEvent::AfterEpoch => self.interval.is_zero() || Instant::now() >= self.pause_until,
            StateEvent::AfterBatch => self.wants_state(),
        };
        if is_due {
            self.write(state);
        }
    }
}
