//! The console's serial port on a computer: a queue that a thread fills, as a board's receive interrupt does, and a
//! writer. The console has no other way to end than an error of its port; [`Ended`] is that error.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tern_firmware::boot_count::BootCount;
use tern_firmware::queue::QueueReader;
use tern_firmware::{LostBytes, Port};

/// Ticks of [`HostPort`]'s clock per second: a tick is 100 ns.
pub const CLOCK_HZ: u32 = 10_000_000;
/// The time after which the reading thread checks a full queue again.
pub const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The reason why the console stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The command `reset`: the caller starts the console again.
    Reset,
    /// The input has ended, or the command `quit` was given.
    Closed,
    /// The system reported an error.
    Failed(ErrorKind),
}

/// The two directions of the console, which outlast a reset.
pub struct Connection {
    /// The queue that the reading thread fills.
    pub received: QueueReader<'static>,
    /// The destination of the answers.
    pub writer: Box<dyn Write + Send>,
    /// Set by the reading thread when the input has ended and all of it is in the queue.
    pub has_ended: &'static AtomicBool,
}

/// The console's port from one reset to the next.
pub struct HostPort<'c> {
    connection: &'c mut Connection,
    /// The time at which the clock shows 0 ticks.
    start: Instant,
    /// The error that every further write returns, which ends the console; set by `reset` and `quit`.
    stop: Option<Ended>,
    boots: &'c mut BootCount,
}

impl<'c> HostPort<'c> {
    /// Makes the port after the reset that `boots` describes.
    pub fn new(connection: &'c mut Connection, boots: &'c mut BootCount) -> Self {
        HostPort { connection, start: Instant::now(), stop: None, boots }
    }
}

impl Port for HostPort<'_> {
    type Error = Ended;

    fn read_ready(&mut self) -> Result<bool, Ended> {
        // `has_ended` is read first: if it is true, `is_ready` already counts every byte of the input.
        let has_ended = self.connection.has_ended.load(Ordering::SeqCst);
        let is_ready = self.connection.received.is_ready();
        if has_ended && !is_ready { Err(Ended::Closed) } else { Ok(is_ready) }
    }

    fn read(&mut self, to: &mut [u8]) -> usize {
        self.connection.received.read(to)
    }

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        match self.stop {
            Some(stop) => Err(stop),
            None => self.connection.writer.write_all(bytes).map_err(|error| Ended::Failed(error.kind())),
        }
    }

    fn flush(&mut self) -> Result<(), Ended> {
        self.connection.writer.flush().map_err(|error| Ended::Failed(error.kind()))
    }

    fn take_lost_bytes(&mut self) -> Option<LostBytes> {
        self.connection.received.take_lost_bytes()
    }

    fn ticks(&mut self) -> u32 {
        const NS_PER_TICK: u128 = 1_000_000_000 / CLOCK_HZ as u128;
        // The conversion to 32 bits makes a counter that wraps.
        (self.start.elapsed().as_nanos() / NS_PER_TICK) as u32
    }

    fn wait(&mut self) {
        // An answer must not stay in a buffer while the console waits.
        let _ = self.connection.writer.flush();
        // The reading thread ends the wait when it has queued a byte; no wait is longer than 100 ms.
        thread::park_timeout(100 * POLL_INTERVAL);
    }

    fn boots(&self) -> Option<BootCount> {
        Some(*self.boots)
    }

    fn mark_ready(&mut self) {
        self.boots.is_ready = true;
    }

    fn reset(&mut self) {
        self.stop = Some(Ended::Reset);
    }

    fn quit(&mut self) {
        self.stop = Some(Ended::Closed);
    }
}
