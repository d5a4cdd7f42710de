//! A progress bar for work that may take a while.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::progress::shows_bars;

/// The time after which the bar appears.
const DELAY: Duration = Duration::from_secs(2);

/// A progress bar on stderr that appears after two seconds, if stderr is a terminal. Dropping it removes it.
pub(super) struct DelayedBar(ProgressBar);

impl DelayedBar {
    /// A bar for `length` units of work. `template`: the format of the bar, in indicatif's template syntax.
    pub(super) fn new(length: usize, template: &str) -> Self {
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(length as u64), ProgressDrawTarget::hidden());
        DelayedBar(bar.with_style(style))
    }

    /// Shows that `done` units of work are done.
    pub(super) fn show(&self, done: usize) {
        if self.0.is_hidden() && self.0.elapsed() >= DELAY && shows_bars() {
            self.0.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.0.set_position(done as u64);
    }
}

impl Drop for DelayedBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
