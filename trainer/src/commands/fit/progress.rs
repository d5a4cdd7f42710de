//! The progress of a search, as `tern fit` shows it.

use crate::commands::note;
use crate::commands::train::minutes;
use crate::fit::{Observer, Trial};
use crate::progress::shows_bars;
use crate::recipe::Metric;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::time::Duration;

/// The observer that prints a line for each trial (one training of a candidate), shows a bar on a terminal, and passes
/// the figures of each trial to a function.
pub struct Progress<'a> {
    /// The progress of the running training, in thousandths; `None` if stderr is not a terminal.
    bar: Option<ProgressBar>,
    /// The metric that the search maximises, for the header of the column.
    metric: Metric,
    /// The round whose header was printed last, from 1; 0 before the first header.
    round: usize,
    on_figures: &'a mut (dyn FnMut(Value) + Send),
}

impl<'a> Progress<'a> {
    /// The progress of a search by `metric`. `on_figures` is called with each trial as a JSON object.
    pub fn new(metric: Metric, on_figures: &'a mut (dyn FnMut(Value) + Send)) -> Self {
        let bar = shows_bars().then(|| {
            let style = ProgressStyle::with_template("{bar:24} {percent:>3}% {msg}");
            ProgressBar::new(1000).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Progress { bar, metric, round: 0, on_figures }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Prints a line, above the bar if there is one.
    fn print_line(&self, line: impl std::fmt::Display) {
        match &self.bar {
            Some(bar) => bar.println(line.to_string()),
            None => note(line),
        }
    }
}

impl Observer for Progress<'_> {
    fn on_start(&mut self, round: usize, trial: usize, trials: usize) {
        if round != self.round {
            self.round = round;
            // `tern fit` has three rounds, which are numbered from 1.
            let epochs = ["a quarter of the epochs", "half of the epochs", "all epochs"][(round - 1).min(2)];
            self.print_line(format_args!("round {round}: {trials} candidates, {epochs}"));
            self.print_line(format_args!("{:>9}    bytes  seconds  candidate", self.metric.title()));
        }
        if let Some(bar) = &self.bar {
            bar.set_message(format!("round {round}, trial {trial} of {trials}"));
            bar.set_position(0);
        }
    }

    fn on_progress(&mut self, share: f64) {
        if let Some(bar) = &self.bar {
            bar.set_position((1000.0 * share) as u64);
        }
    }

    fn on_trial(&mut self, trial: &Trial, best: &Trial, left: Duration) {
        // `*` marks the best trial so far.
        let mark = if trial.candidate == best.candidate { "*" } else { " " };
        self.print_line(format_args!(
            "{:>9.4}{mark} {:>8} {:>8.1}  {}: {} ({} left)",
            trial.score,
            trial.measured.file_bytes,
            trial.seconds,
            trial.candidate,
            trial.network,
            minutes(left)
        ));
        (self.on_figures)(json!(trial));
    }

    fn on_skipped(&mut self, candidate: usize, reason: &str) {
        self.print_line(format_args!("        –                    {candidate}: {reason}"));
    }
}
