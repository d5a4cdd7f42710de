//! The console's port on a computer.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tern_firmware::boot_count::BootCount;
use tern_firmware::queue::QueueReader;
use tern_firmware::{LostBytes, Port};

/// Ticks per second.
pub const CLOCK_HZ: u32 = 10_000_000;
/// The time between two checks of a full queue.
pub const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The reason why the console stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The command `reset`.
    Reset,
    /// The input ended, or the command `quit`.
    Closed,
    /// The system reported an error.
    Failed(ErrorKind),
}

/// The two directions of the console, which outlast a reset.
pub struct Connection {
    /// The queue that the reading thread fills.
    pub received: QueueReader<'static>,
    pub writer: Box<dyn Write + Send>,
    /// True when the input has ended.
    pub has_ended: &'static AtomicBool,
}

/// The console's port between two resets.
pub struct HostPort<'c> {
    connection: &'c mut Connection,
    /// The time at which the ticks are 0.
    start: Instant,
    /// The reason that the next write returns as an error; set by `reset` and `quit`.
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
        // The order matters: bytes that came before the end are still read.
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
        // A tick is 100 ns. The conversion to 32 bits makes a counter that wraps.
        (self.start.elapsed().as_nanos() / 100) as u32
    }

    fn wait(&mut self) {
        // An answer must not stay in a buffer while the console waits.
        let _ = self.connection.writer.flush();
        // The reading thread ends the wait when it has queued a byte.
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
