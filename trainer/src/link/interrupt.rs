//! The user's wish to stop: Ctrl-C, or a signal to end.
//!
//! A handler only leaves a note. Whoever waits for a device reads it and returns, so that destructors run: they restore the
//! terminal and end the emulator.

use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

/// From now on, the user's wish to stop is noted and does not end the process.
pub fn catch() {
    // This fails where a command has set a handler already; then the process ends as that one wants.
    let _ = ctrlc::set_handler(|| ASKED.store(true, Ordering::Relaxed));
}

/// Whether the user wants to stop.
pub fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
