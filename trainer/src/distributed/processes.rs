//! The trait [`Processes`]: the operations of processes that share work, which the trainer needs.

use std::time::Duration;
use tern_nn::process_group::{OneProcess, ProcessGroup};

/// A [`ProcessGroup`] whose processes can also send each other messages, wait for each other, and end.
pub trait Processes: ProcessGroup {
    /// Sends a message of at most a few kilobytes to the process of rank `to`, without waiting until it is received.
    fn send(&self, to: usize, message: Vec<u8>);

    /// Returns the next message and the rank of its sender; `None` if no message has arrived.
    fn receive(&self) -> Option<(usize, Vec<u8>)>;

    /// Waits until all processes have called this function, without keeping the processor busy. `patience`: the longest
    /// wait; `None` for no limit. Returns false if that time has passed before all processes called; this
    /// process must then call [`abort`](Self::abort), since its own call cannot be taken back. Returns true at once
    /// after [`detach`](Self::detach).
    fn wait(&self, patience: Option<Duration>) -> bool;

    /// Lets this process end without the others, because one of them has died: [`wait`](Self::wait) and dropping the
    /// group no longer wait for them.
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
