//! Signals to `tern train` and `tern fit`: the first SIGINT (Ctrl-C), SIGTERM, SIGHUP or SIGUSR1 ends the work after
//! the running batch, and the best model so far is written. On systems other than Unix, only Ctrl-C does this.

use crate::commands::note;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// True after the first signal: the training or search then ends after the running batch.
pub static STOP: AtomicBool = AtomicBool::new(false);
/// The exit status for the first signal: 128 plus its number. Before a signal it is 130, that of Ctrl-C.
static STATUS: AtomicU8 = AtomicU8::new(130);

/// Makes the first signal set [`STOP`], and a second one end the process at once. Prints a warning if the system does
/// not allow it.
pub fn catch() {
    if let Err(error) = catch_signals() {
        note(format_args!("warning: Ctrl-C will end the program without saving the model: {error}"));
    }
}

/// Returns the exit status of an interrupted command, 128 plus the number of the first signal: 130 after Ctrl-C, 143
/// after SIGTERM.
pub fn status() -> u8 {
    STATUS.load(Ordering::Relaxed)
}

/// Handles a signal: the first one sets [`STOP`], the second one ends the process. `status`: the exit status for this
/// signal.
fn interrupt(status: u8) {
    if STOP.swap(true, Ordering::Relaxed) {
        std::process::exit(i32::from(status));
    }
    STATUS.store(status, Ordering::Relaxed);
    note("\ninterrupted: ending after this batch; a second signal ends at once, without writing the model");
}

#[cfg(unix)]
fn catch_signals() -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
    // `mpirun` passes all these signals on to its processes. After a second it kills them, but not after SIGUSR1, which
    // therefore is the signal for a training under `mpirun`.
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            // The numbers of these signals are below 32, so the conversion does not fail.
            interrupt(128 + u8::try_from(signal).unwrap_or(0));
        }
    })?;
    Ok(())
}

#[cfg(not(unix))]
fn catch_signals() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| interrupt(130))
}
