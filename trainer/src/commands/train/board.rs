//! Tells TensorBoard how a training goes.

use crate::commands::note;
use crate::tensorboard::EventWriter;
use crate::train::{BatchProgress, EpochFigures, Observer};
use std::io;
use std::path::{Path, PathBuf};

/// Writes an event file. What goes wrong there is told once and does not end the training.
#[derive(Debug)]
pub struct Board {
    folder: PathBuf,
    writer: Option<EventWriter>,
    /// Of the last batch.
    step: u64,
}

impl Board {
    /// An event file in `folder`, after so many steps.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn new(folder: &Path, step: u64) -> io::Result<Self> {
        let writer = EventWriter::create(folder, step)?;
        Ok(Board { folder: folder.to_owned(), writer: Some(writer), step })
    }

    fn write(&mut self, scalars: &[(&str, Option<f64>)], flush: bool) {
        let scalars: Vec<(&str, f64)> = scalars.iter().filter_map(|(tag, value)| Some((*tag, (*value)?))).collect();
        let Some(writer) = &mut self.writer else { return };
        let written = writer.scalars(self.step, &scalars).and_then(|()| if flush { writer.flush() } else { Ok(()) });
        if let Err(error) = written {
            note(format_args!("warning: {}: {error}; TensorBoard is told no more", self.folder.display()));
            self.writer = None;
        }
    }
}

impl Observer for Board {
    fn batch(&mut self, progress: &BatchProgress) {
        self.step += 1;
        let scalars = [
            ("train/loss", Some(progress.loss)),
            ("train/accuracy", progress.accuracy),
            ("train/learning_rate", Some(progress.learning_rate)),
            ("train/gradient_norm", Some(progress.gradient_norm)),
        ];
        self.write(&scalars, false);
    }

    fn epoch(&mut self, figures: &EpochFigures, _: bool) {
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
