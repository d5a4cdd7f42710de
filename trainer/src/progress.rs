//! Progress bars, notes and warnings, on stderr or in the log of the program that calls this library.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr};
use std::sync::OnceLock;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// Time after which a stage is shown. A shorter stage is not shown.
const DELAY: Duration = Duration::from_millis(700);

/// The function that receives notes in place of stderr.
static LOG: OnceLock<fn(&str)> = OnceLock::new();

/// Passes all further notes and warnings to `log` in place of stderr, and shows no progress bars. Only the first call
/// has an effect.
pub fn log_to(log: fn(&str)) {
    let _ = LOG.set(log);
}

/// Returns true if progress bars can be shown: stderr is a terminal, and notes go there.
pub fn shows_bars() -> bool {
    LOG.get().is_none() && stderr().is_terminal()
}

/// A stage of the work, such as reading a file. If it takes longer than 0.7 s, a terminal shows a progress bar until
/// the stage is dropped, and any other output gets a note of one line.
#[derive(Debug)]
pub struct Stage {
    bar: ProgressBar,
    /// Dropping it ends the thread that waits to show the stage.
    _running: Sender<()>,
}

impl Stage {
    /// Begins a stage whose amount of work is unknown.
    pub fn new(name: impl Into<String>) -> Self {
        Stage::with_total(name, 0)
    }

    /// Begins a stage with `total` units of work, 0 if the number is unknown. Calls of [`at`](Self::at) report how many
    /// are done.
    pub fn with_total(name: impl Into<String>, total: usize) -> Self {
        let bar = ProgressBar::with_draw_target((total > 0).then_some(total as u64), ProgressDrawTarget::hidden());
        let template = if total > 0 { "{bar:24} {percent:>3}% {msg}" } else { "{spinner} {msg} {elapsed}" };
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        let bar = bar.with_message(name.into());
        let (running, stopped) = mpsc::channel::<()>();
        let shown = bar.clone();
        thread::spawn(move || {
            // A stage that is dropped disconnects the channel before the timeout.
            if stopped.recv_timeout(DELAY) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            if shows_bars() {
                shown.set_draw_target(ProgressDrawTarget::stderr());
                shown.enable_steady_tick(Duration::from_millis(200));
            } else {
                note(format_args!("{} …", shown.message()));
            }
        });
        Stage { bar, _running: running }
    }

    /// Reports that `done` of the stage's units of work are done.
    pub fn at(&self, done: usize) {
        self.bar.set_position(done as u64);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Writes a warning, as [`note`] writes a line.
pub fn warn(message: impl Display) {
    note(format_args!("warning: {message}"));
}

/// Writes a line to the log of [`log_to`], or to stderr. An error of stderr is ignored.
pub fn note(line: impl Display) {
    match LOG.get() {
        Some(log) => log(&line.to_string()),
        None => drop(writeln!(stderr(), "{line}")),
    }
}
