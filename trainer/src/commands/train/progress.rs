//! Prints the progress of a training on stderr: a table with a line for each epoch, and on a terminal a progress bar.

use crate::commands::note;
use crate::progress::shows_bars;
use crate::recipe::{InputKind, Metric, Recipe, Task};
use crate::train::{BatchProgress, Callback, EpochFigures};
use indicatif::{ProgressBar, ProgressStyle};
use std::time::{Duration, Instant};

/// The callback that prints the progress.
#[derive(Debug)]
pub struct Progress {
    /// The progress bar, if stderr is a terminal.
    bar: Option<ProgressBar>,
    /// The largest number of epochs.
    epochs: usize,
    /// The number of epochs before this process began, which is above 0 for a resumed training.
    resumed_after: usize,
    /// The unit of the speed: tokens, or rows of numbers, per second.
    unit: &'static str,
    /// The metric that chooses the best epoch.
    metric: Metric,
    /// True once the header of the table is printed.
    has_header: bool,
    /// The time at which this process began to train.
    start: Instant,
    /// The epoch of the last batch; 0 before the first batch.
    epoch: usize,
    /// The end of the first batch of `epoch` in this process, from which the speed is measured.
    first_batch_end: Instant,
    /// The number of tokens, or rows of numbers, of the epoch's batches after the first one.
    tokens: usize,
}

impl Progress {
    /// The progress of a training of at most `epochs` epochs, `resumed_after` of which were done before.
    pub fn new(recipe: &Recipe, epochs: usize, resumed_after: usize) -> Self {
        let bar = shows_bars().then(|| {
            let style = ProgressStyle::with_template("{bar:16} {percent:>3}% {msg} {eta} left");
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        let reads_numbers = recipe.task == Task::Forecast || recipe.data.input == InputKind::Values;
        let now = Instant::now();
        Progress {
            bar,
            epochs,
            resumed_after,
            unit: if reads_numbers { "rows/s" } else { "tokens/s" },
            metric: recipe.metric(),
            has_header: false,
            start: now,
            epoch: 0,
            first_batch_end: now,
            tokens: 0,
        }
    }

    /// Removes the progress bar after the last epoch.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Counts a batch for the speed. The first batch of an epoch does not count, because its beginning is not known.
    fn count(&mut self, progress: &BatchProgress) {
        if progress.epoch == self.epoch {
            self.tokens += progress.tokens;
        } else {
            (self.epoch, self.first_batch_end, self.tokens) = (progress.epoch, Instant::now(), 0);
        }
    }

    /// Returns the speed in thousands of tokens, or rows of numbers, per second, such as `120k tokens/s`; empty before
    /// the second batch of an epoch. `elapsed`: the time since the end of the epoch's first batch.
    fn speed(&self, elapsed: Duration) -> String {
        let thousands = self.tokens as f64 / 1e3 / elapsed.as_secs_f64().max(1e-6);
        if self.tokens > 0 { format!("{thousands:.0}k {}", self.unit) } else { String::new() }
    }

    /// Returns the names and values of the table's columns for an epoch. Metrics that the task does not have are left
    /// out, and so is the macro F1 score if it does not choose the best epoch.
    fn columns(&self, figures: &EpochFigures) -> Vec<(&'static str, f64)> {
        let valid = &figures.valid;
        let macro_f1 = valid.macro_f1.filter(|_| self.metric == Metric::MacroF1);
        // A language model is judged by its perplexity, not by its accuracy.
        let shown_accuracy = |accuracy: Option<f64>| accuracy.filter(|_| valid.perplexity.is_none());
        let columns = [
            ("train loss", Some(figures.train_loss)),
            ("train acc", shown_accuracy(figures.train_accuracy)),
            ("valid loss", Some(valid.loss)),
            ("valid acc", shown_accuracy(valid.accuracy)),
            ("macro F1", macro_f1),
            ("perplexity", valid.perplexity),
            ("bits/char", valid.bits_per_character),
            ("MAE", valid.mae),
            ("RMSE", valid.rmse),
        ];
        columns.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Returns the first column of the table's line for an epoch.
    fn first_column(&self, epoch: usize) -> String {
        format!("epoch {epoch:>3}/{}", self.epochs)
    }

    /// Returns a line of the table: `first`, right-aligned cells and `last`. It is at most 80 characters wide, with up
    /// to five cells, 9999 epochs and 9 characters in `last`.
    fn table_line(&self, first: &str, cells: impl Iterator<Item = String>, last: &str) -> String {
        let width = self.first_column(self.epochs).len();
        let cells: String = cells.map(|cell| format!("{cell:>11}")).collect();
        format!("{first:<width$}{cells} {last}").trim_end().to_owned()
    }
}

impl Callback for Progress {
    fn on_batch(&mut self, progress: &BatchProgress) {
        self.count(progress);
        let Some(bar) = &self.bar else { return };
        bar.set_length((self.epochs * progress.batches) as u64);
        bar.set_position(((progress.epoch - 1) * progress.batches + progress.batch) as u64);
        let speed = self.speed(self.first_batch_end.elapsed());
        bar.set_message(format!("epoch {}/{} loss {} {speed}", progress.epoch, self.epochs, number(progress.loss)));
    }

    fn on_epoch(&mut self, figures: &EpochFigures, best: bool) {
        let columns = self.columns(figures);
        let mut lines = Vec::new();
        if !self.has_header {
            self.has_header = true;
            lines.push(format!("* marks the best epoch so far by {}", self.metric.title()));
            lines.push(self.table_line("", columns.iter().map(|(name, _)| (*name).to_owned()), "time left"));
        }
        let mark = if best { "*" } else { " " };
        let elapsed = self.start.elapsed();
        let epochs_done = figures.epoch - self.resumed_after;
        let time_left = elapsed.mul_f64((self.epochs - figures.epoch) as f64 / epochs_done as f64);
        let (first, last) = (self.first_column(figures.epoch), format!("{mark} {}", minutes(time_left)));
        lines.push(self.table_line(&first, columns.iter().map(|(_, value)| number(*value)), &last));
        for line in lines {
            match &self.bar {
                Some(bar) => bar.println(line),
                None => note(line),
            }
        }
    }
}

/// Returns a figure with four decimals, or with one decimal from 1000 on.
fn number(value: f64) -> String {
    if value.abs() < 1000.0 { format!("{value:.4}") } else { format!("{value:.1}") }
}

/// Returns a duration as minutes and seconds, such as `12:05`.
pub fn minutes(duration: Duration) -> String {
    let seconds = duration.as_secs_f64().round() as u64;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Validation;
    use std::path::Path;

    #[test]
    fn the_lines_of_every_task_fit_80_columns() {
        let classifier = Validation { accuracy: Some(0.5), macro_f1: Some(0.5), ..Validation::default() };
        let language = Validation {
            loss: 6.5,
            accuracy: Some(0.1),
            perplexity: Some(12_345.6),
            bits_per_character: Some(2.5),
            ..Validation::default()
        };
        let forecast = Validation { mae: Some(12_345.6), rmse: Some(123_456.7), ..Validation::default() };
        for valid in [classifier, language, forecast] {
            let train_accuracy = valid.accuracy;
            let figures = EpochFigures { epoch: 9998, train_loss: 0.5, train_accuracy, valid, learning_rate: 0.1 };
            let mut progress = Progress::new(&Recipe::for_data(Path::new("a.csv")), 9999, 0);
            progress.metric = Metric::MacroF1;
            let cells = progress.columns(&figures);
            let accuracies = cells.iter().filter(|(name, _)| name.ends_with(" acc")).count();
            assert_eq!(accuracies, if valid.macro_f1.is_some() { 2 } else { 0 }, "{cells:?}");
            let header = progress.table_line("", cells.iter().map(|(name, _)| (*name).to_owned()), "time left");
            let numbers = cells.iter().map(|(_, value)| number(*value));
            let last = format!("* {}", minutes(Duration::from_secs(9999 * 60)));
            let line = progress.table_line(&progress.first_column(figures.epoch), numbers, &last);
            for line in [header, line] {
                assert!(line.len() <= 80, "{} columns: {line}", line.len());
            }
        }
    }

    #[test]
    fn the_speed_is_measured_from_the_end_of_the_first_batch() {
        let mut progress = Progress::new(&Recipe::for_data(Path::new("a.csv")), 2, 0);
        let mut speed_after = |epoch, batch| {
            progress.on_batch(&BatchProgress {
                epoch,
                batch,
                batches: 3,
                tokens: 10_000 * batch,
                loss: 1.0,
                accuracy: None,
                learning_rate: 0.1,
                gradient_norm: 1.0,
            });
            progress.speed(Duration::from_secs(2))
        };
        let speeds = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)].map(|(epoch, batch)| speed_after(epoch, batch));
        assert_eq!(speeds, ["", "10k tokens/s", "25k tokens/s", "", "10k tokens/s"]);
    }
}
