//! Keeps log and checkpoints while a training goes on.

use super::run_directory::RunDirectory;
use crate::commands::note;
use crate::train::{BatchProgress, EpochFigures, Moment, Observer, State};
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Lines of the log in an epoch, but for its last one.
const LINES: usize = 20;

/// Checkpoints take at most one part in so many of the time, unless they are asked for more often.
const SHARE: u32 = 30;

/// The log: an object a line. Times are not in it, so that it is the same whenever and however often it was continued.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    /// Length of what is on the disk.
    written: u64,
    /// What is not yet there.
    pending: String,
}

impl Log {
    fn flush(&mut self) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(&self.path)?;
        // A continued training writes again what came after its checkpoint; so does one after a disk that was full.
        file.set_len(self.written)?;
        file.seek(SeekFrom::Start(self.written))?;
        file.write_all(self.pending.as_bytes())?;
        file.sync_data()?;
        self.written += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }
}

/// Writes the log and, from time to time, a checkpoint into a [`RunDirectory`]. A disk that is full does not end the training: the
/// last checkpoint stays, and the next one is tried when its time comes.
#[derive(Debug)]
pub struct Keeper<'a> {
    directory: &'a RunDirectory,
    log: Log,
    /// Of the data: [`fingerprint`](crate::train::fingerprint).
    data: u32,
    /// Between two checkpoints of an epoch. Zero: one after every batch.
    every: Duration,
    last: Instant,
    /// Before this, checkpoints would take too much of the time.
    rest: Instant,
    is_failing: bool,
}

impl<'a> Keeper<'a> {
    /// Continues a log of this length.
    pub fn new(directory: &'a RunDirectory, data: u32, log_bytes: u64, every: Duration) -> Self {
        let now = Instant::now();
        let log = Log { path: directory.log(), written: log_bytes, pending: String::new() };
        Keeper { directory, log, data, every, last: now, rest: now, is_failing: false }
    }

    /// After the training: the path of the whole log.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn finish(&mut self) -> io::Result<PathBuf> {
        self.log.flush()?;
        Ok(self.log.path.clone())
    }

    fn keep(&mut self, state: &State) {
        // Weights that are not numbers are of no use to anybody: the checkpoint before is.
        if !state.is_finite() {
            return;
        }
        let start = Instant::now();
        let written = self.log.flush().map_err(|error| (self.log.path.clone(), error)).and_then(|()| {
            let bytes = state.to_bytes(self.data, self.log.written).map_err(io::Error::other);
            let kept = bytes.and_then(|bytes| self.directory.keep(&bytes));
            kept.map_err(|error| (self.directory.checkpoint(), error))
        });
        self.last = Instant::now();
        self.rest = self.last + start.elapsed() * SHARE;
        match written {
            Ok(()) if self.is_failing => {
                note(format_args!("{}: written again", self.directory.checkpoint().display()));
                self.is_failing = false;
            }
            Ok(()) => {}
            Err(_) if self.is_failing => {}
            Err((path, error)) => {
                note(format_args!(
                    "warning: {}: {error}; the checkpoint before is kept and the training goes on; is the disk full?",
                    path.display()
                ));
                self.is_failing = true;
            }
        }
    }
}

impl Observer for Keeper<'_> {
    fn batch(&mut self, progress: &BatchProgress) {
        let stride = progress.batches.div_ceil(LINES);
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
            self.log.pending += &format!("{line}\n");
        }
    }

    fn epoch(&mut self, figures: &EpochFigures, best: bool) {
        let mut line = json!(figures);
        line["best"] = json!(best);
        self.log.pending += &format!("{line}\n");
    }

    fn state(&mut self, state: &State, moment: Moment) {
        let now = Instant::now();
        let due = match moment {
            Moment::Stop => true,
            Moment::Epoch => self.every.is_zero() || now >= self.rest,
            Moment::Batch => self.every.is_zero() || (now >= self.rest && now - self.last >= self.every),
        };
        if due {
            self.keep(state);
        }
    }
}
