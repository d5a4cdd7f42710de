//! How far the work is, for a person who waits.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar is worth its place from here on.
const AFTER: Duration = Duration::from_secs(2);

/// A progress bar on stderr, if that is a terminal and the work is not done at once. It goes when dropped.
pub(super) struct Meter {
    length: usize,
    /// indicatif's template.
    template: &'static str,
    start: Instant,
    bar: Option<ProgressBar>,
    is_wanted: bool,
}

impl Meter {
    /// Of `length` things. `template` is indicatif's.
    pub(super) fn new(length: usize, template: &'static str) -> Self {
        Meter { length, template, start: Instant::now(), bar: None, is_wanted: stderr().is_terminal() }
    }

    /// So many are done.
    pub(super) fn show(&mut self, done: usize) {
        if self.bar.is_none() && self.is_wanted && self.start.elapsed() >= AFTER {
            let style = ProgressStyle::with_template(self.template);
            let bar = ProgressBar::new(self.length as u64).with_elapsed(self.start.elapsed());
            self.bar = Some(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
