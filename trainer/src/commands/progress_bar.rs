//! A progress bar for work that may take a while.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Time after which the bar appears.
const DELAY: Duration = Duration::from_secs(2);

/// A progress bar on stderr that appears after two seconds, if stderr is a terminal. Dropping it removes it.
pub(super) struct DelayedBar {
    length: usize,
    template: &'static str,
    start: Instant,
    bar: Option<ProgressBar>,
    is_terminal: bool,
}

impl DelayedBar {
    /// A bar of `length` steps. `template` is one of indicatif's.
    pub(super) fn new(length: usize, template: &'static str) -> Self {
        DelayedBar { length, template, start: Instant::now(), bar: None, is_terminal: stderr().is_terminal() }
    }

    /// Shows that `done` steps are done.
    pub(super) fn show(&mut self, done: usize) {
        if self.bar.is_none() && self.is_terminal && self.start.elapsed() >= DELAY {
            let style = ProgressStyle::with_template(self.template);
            let bar = ProgressBar::new(self.length as u64).with_elapsed(self.start.elapsed());
            self.bar = Some(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
        }
    }
}

impl Drop for DelayedBar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
