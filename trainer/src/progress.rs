//! Progress and warnings of long work on data, on stderr.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// Time after which a stage is shown. A shorter stage shows nothing.
const DELAY: Duration = Duration::from_millis(700);

/// A stage of the work, such as reading a file. On a terminal it shows a bar until it is dropped; elsewhere it prints
/// one line.
#[derive(Debug)]
pub struct Stage {
    bar: ProgressBar,
    /// The thread that shows the stage ends when this is dropped.
    _running: Sender<()>,
}

impl Stage {
    /// Begins a stage with `total` units of work, 0 if the number is unknown.
    pub fn new(name: impl Into<String>, total: usize) -> Self {
        let bar = ProgressBar::with_draw_target((total > 0).then_some(total as u64), ProgressDrawTarget::hidden());
        let template = if total > 0 { "{bar:24} {percent:>3}% {msg}" } else { "{spinner} {msg} {elapsed}" };
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        let bar = bar.with_message(name.into());
        let (running, stopped) = mpsc::channel::<()>();
        let shown = bar.clone();
        thread::spawn(move || match stopped.recv_timeout(DELAY) {
            Err(RecvTimeoutError::Timeout) if stderr().is_terminal() => {
                shown.set_draw_target(ProgressDrawTarget::stderr());
                shown.enable_steady_tick(Duration::from_millis(200));
            }
            Err(RecvTimeoutError::Timeout) => note(format_args!("{} …", shown.message())),
            _ => {}
        });
        Stage { bar, _running: running }
    }

    /// Reports that `done` units of work are done.
    pub fn at(&self, done: usize) {
        self.bar.set_position(done as u64);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Prints a warning.
pub fn warn(message: impl Display) {
    note(format_args!("warning: {message}"));
}

/// Writes a line to stderr. If stderr is closed, the work goes on without the line.
pub fn note(line: impl Display) {
    let _ = writeln!(stderr(), "{line}");
}
