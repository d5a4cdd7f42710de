//! A bar on a terminal, a line an epoch elsewhere.

use crate::commands::note;
use crate::train::{BatchProgress, EpochFigures, Observer, Validation};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

/// Shows on stderr how a training goes.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    epochs: usize,
    /// Epochs that were done before.
    before: usize,
    start: Instant,
    epoch_start: Instant,
    epoch_tokens: usize,
    speed: f64,
}

impl Progress {
    /// Before the epoch after `before`.
    pub fn new(epochs: usize, before: usize) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:24} {percent:>3}% {msg} eta {eta}");
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        let now = Instant::now();
        Progress { bar, epochs, before, start: now, epoch_start: now, epoch_tokens: 0, speed: 0.0 }
    }

    /// After the last epoch.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Progress {
    fn batch(&mut self, progress: &BatchProgress) {
        if progress.batch == 1 {
            self.epoch_start = Instant::now();
            self.epoch_tokens = 0;
        }
        self.epoch_tokens += progress.tokens;
        self.speed = self.epoch_tokens as f64 / self.epoch_start.elapsed().as_secs_f64().max(1e-6);
        let Some(bar) = &self.bar else { return };
        bar.set_length((self.epochs * progress.batches) as u64);
        bar.set_position(((progress.epoch - 1) * progress.batches + progress.batch) as u64);
        bar.set_message(format!(
            "epoch {}/{} loss {:.4}{} {:.0}k tokens/s",
            progress.epoch,
            self.epochs,
            progress.loss,
            accuracy(progress.accuracy),
            self.speed / 1e3
        ));
    }

    fn epoch(&mut self, figures: &EpochFigures, best: bool) {
        let line = format!(
            "epoch {:>3}/{}  train loss {:.4}{}  valid loss {:.4}{}{}",
            figures.epoch,
            self.epochs,
            figures.train_loss,
            accuracy(figures.train_accuracy),
            figures.valid.loss,
            valid(&figures.valid),
            if best { " *" } else { "  " }
        );
        match &self.bar {
            Some(bar) => bar.println(line),
            None => {
                let elapsed = self.start.elapsed();
                let left = elapsed.mul_f64((self.epochs - figures.epoch) as f64 / (figures.epoch - self.before) as f64);
                note(format_args!("{line}  {:.0}k tokens/s  {} left", self.speed / 1e3, rounded(left)));
            }
        }
    }
}

/// " accuracy 0.9876" where there is one.
fn accuracy(value: Option<f64>) -> String {
    value.map_or(String::new(), |value| format!(" accuracy {value:.4}"))
}

/// The held-out figures after the loss.
fn valid(figures: &Validation) -> String {
    if let (Some(perplexity), Some(bits)) = (figures.perplexity, figures.bits_per_character) {
        return format!(" perplexity {perplexity:.2} bits/character {bits:.4}");
    }
    if let (Some(mae), Some(rmse)) = (figures.mae, figures.rmse) {
        return format!(" MAE {mae:.4} RMSE {rmse:.4}");
    }
    accuracy(figures.accuracy)
}

/// A duration in seconds, or in minutes and seconds.
fn rounded(duration: Duration) -> String {
    let seconds = duration.as_secs_f64().round() as u64;
    if seconds < 60 { format!("{seconds} s") } else { format!("{} min {:02} s", seconds / 60, seconds % 60) }
}
