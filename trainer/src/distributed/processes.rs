//! Processes that share work, as the trainer sees them.

use std::time::Duration;
use tern_nn::process_group::{OneProcess, ProcessGroup};

/// Processes that can also send each other messages.
pub trait Processes: ProcessGroup {
    /// Sends a message of at most a few kilobytes to another process, without waiting until it is received.
    fn send(&self, to: usize, message: Vec<u8>);

    /// Returns the next message and the rank of its sender; `None` if no message has arrived.
    fn receive(&self) -> Option<(usize, Vec<u8>)>;

    /// Collective: waits for all processes without using the processor. Returns false if they do not come within the
    /// time; the process can then only end.
    fn wait(&self, patience: Option<Duration>) -> bool;

    /// Makes this process end without the others, since one of them has died: no later function waits for them.
    fn detach(&self);

    /// Ends all processes with this exit status.
    fn abort(&self, status: u8) -> !;
}

impl Processes for OneProcess {
    fn send(&self, _to: usize, _message: Vec<u8>) {}

    fn receive(&self) -> Option<(usize, Vec<u8>)> {
        None
    }

    fn wait(&self, _patience: Option<Duration>) -> bool {
        true
    }

    fn detach(&self) {}

    fn abort(&self, status: u8) -> ! {
        std::process::exit(status.into())
    }
}
