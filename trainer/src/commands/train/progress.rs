//! Prints the progress of a training on stderr: a table with a row for each epoch, and on a terminal a progress bar.

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
    /// The unit of the speed: tokens or rows.
    unit: &'static str,
    /// The metric that chooses the best epoch.
    metric: Metric,
    /// True once the header of the table is printed.
    has_header: bool,
    start: Instant,
    epoch_start: Instant,
    /// The number of tokens or rows so far in the running epoch.
    epoch_tokens: usize,
    /// Tokens or rows per second in the running epoch.
    speed: f64,
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
            epoch_start: now,
            epoch_tokens: 0,
            speed: 0.0,
        }
    }

    /// Removes the progress bar after the last epoch.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Returns the names and values of the table's columns for an epoch. Metrics that the task does not have are left
    /// out.
    fn columns(&self, figures: &EpochFigures) -> Vec<(&'static str, f64)> {
        let valid = &figures.valid;
        let macro_f1 = valid.macro_f1.filter(|_| self.metric == Metric::MacroF1);
        // A language model is judged by its perplexity, not by its accuracy.
        let accuracy = valid.accuracy.filter(|_| valid.perplexity.is_none());
        let columns = [
            ("train loss", Some(figures.train_loss)),
            ("accuracy", figures.train_accuracy),
            ("valid loss", Some(valid.loss)),
            ("accuracy", accuracy),
            ("macro F1", macro_f1),
            ("perplexity", valid.perplexity),
            ("bits/char", valid.bits_per_character),
            ("MAE", valid.mae),
            ("RMSE", valid.rmse),
        ];
        columns.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Returns a row of the table: `first`, right-aligned cells and `last`. It is at most 80 characters wide.
    fn row(&self, first: &str, cells: impl Iterator<Item = String>, last: &str) -> String {
        let cells: String = cells.map(|cell| format!("{cell:>11}")).collect();
        format!("{first:<12}{cells} {last}").trim_end().to_owned()
    }
}

impl Callback for Progress {
    fn on_batch(&mut self, progress: &BatchProgress) {
        if progress.batch == 1 {
            self.epoch_start = Instant::now();
            self.epoch_tokens = 0;
        }
        self.epoch_tokens += progress.tokens;
        self.speed = self.epoch_tokens as f64 / self.epoch_start.elapsed().as_secs_f64().max(1e-6);
        let Some(bar) = &self.bar else { return };
        bar.set_length((self.epochs * progress.batches) as u64);
        bar.set_position(((progress.epoch - 1) * progress.batches + progress.batch) as u64);
        let speed = format!("{:.0}k {}", self.speed / 1e3, self.unit);
        bar.set_message(format!("epoch {}/{} loss {} {speed}", progress.epoch, self.epochs, number(progress.loss)));
    }

    fn on_epoch(&mut self, figures: &EpochFigures, best: bool) {
        let columns = self.columns(figures);
        let mut lines = Vec::new();
        if !self.has_header {
            self.has_header = true;
            lines.push(format!("* marks the best epoch so far by {}", self.metric.title()));
            lines.push(self.row("", columns.iter().map(|(name, _)| (*name).to_owned()), "* best"));
        }
        let mark = if best { "*" } else { " " };
        let elapsed = self.start.elapsed();
        let epochs_done = figures.epoch - self.resumed_after;
        let time_left = elapsed.mul_f64((self.epochs - figures.epoch) as f64 / epochs_done as f64);
        let first = format!("epoch {:>3}/{}", figures.epoch, self.epochs);
        let last = format!("{mark} {} left", minutes(time_left));
        lines.push(self.row(&first, columns.iter().map(|(_, value)| number(*value)), &last));
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
    fn the_rows_of_every_task_fit_80_columns() {
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
            let figures = EpochFigures { epoch: 100, train_loss: 0.5, train_accuracy, valid, learning_rate: 0.1 };
            let mut progress = Progress::new(&Recipe::for_data(Path::new("a.csv")), 100, 0);
            progress.metric = Metric::MacroF1;
            let cells = progress.columns(&figures);
            let names = cells.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>();
            let numbers = cells.iter().map(|(_, value)| number(*value)).collect();
            for cells in [names, numbers] {
                let row = progress.row("epoch  99/99", cells.into_iter(), "* 10:00 left");
                assert!(row.len() <= 80, "{} columns: {row}", row.len());
            }
        }
    }
}
