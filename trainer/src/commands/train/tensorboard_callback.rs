//! Writes the figures of a training for TensorBoard.

use crate::commands::note;
use crate::tensorboard::EventWriter;
use crate::train::{BatchProgress, Callback, EpochFigures};
use std::io;
use std::path::{Path, PathBuf};

/// The callback that writes an event file. If writing fails, it prints a warning once and the training goes on.
#[derive(Debug)]
pub struct TensorBoardCallback {
    folder: PathBuf,
    writer: Option<EventWriter>,
    /// The number of batches so far.
    step: u64,
}

impl TensorBoardCallback {
    /// Creates an event file in `folder` for a training that continues after `step` batches.
    ///
    /// # Errors
    ///
    /// The system's error if the file cannot be created.
    pub fn new(folder: &Path, step: u64) -> io::Result<Self> {
        let writer = EventWriter::create(folder, step)?;
        Ok(TensorBoardCallback { folder: folder.to_owned(), writer: Some(writer), step })
    }

    fn write(&mut self, scalars: &[(&str, Option<f64>)], flush: bool) {
        let scalars: Vec<(&str, f64)> = scalars.iter().filter_map(|(tag, value)| Some((*tag, (*value)?))).collect();
        let Some(writer) = &mut self.writer else { return };
        let written = writer.scalars(self.step, &scalars).and_then(|()| if flush { writer.flush() } else { Ok(()) });
        if let Err(error) = written {
            note(format_args!("warning: {}: {error}; nothing more is written for TensorBoard", self.folder.display()));
            self.writer = None;
        }
    }
}

impl Callback for TensorBoardCallback {
    fn on_batch(&mut self, progress: &BatchProgress) {
        self.step += 1;
        let scalars = [
            ("train/loss", Some(progress.loss)),
            ("train/accuracy", progress.accuracy),
            ("train/learning_rate", Some(progress.learning_rate)),
            ("train/gradient_norm", Some(progress.gradient_norm)),
        ];
        self.write(&scalars, false);
    }

    fn on_epoch(&mut self, figures: &EpochFigures, _: bool) {
        let valid = &figures.valid;
        let scalars = [
            ("valid/loss", Some(valid.loss)),
            ("valid/accuracy", valid.accuracy),
            ("valid/macro_f1", valid.macro_f1),
            ("valid/perplexity", valid.perplexity),
            ("valid/bits_per_character", valid.bits_per_character),
            ("valid/top_5", valid.top_5),
            ("valid/mae", valid.mae),
            ("valid/rmse", valid.rmse),
        ];
        self.write(&scalars, true);
    }
}
