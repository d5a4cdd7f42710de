//! The console's port on a computer.

use std::fmt;
use std::io::{ErrorKind, Write};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use embedded_io::{ErrorType, Read, ReadReady};
use tern_firmware::boot_count::BootCount;
use tern_firmware::queue::QueueReader;
use tern_firmware::{LostBytes, Port, ResetReason};

/// Ticks a second.
pub const CLOCK_HZ: u32 = 10_000_000;
/// The time between two checks of a full queue.
pub const SLICE: Duration = Duration::from_millis(1);

/// Why the console stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The command `reset`.
    Reset,
    /// The input ended, or the command `quit`.
    Closed,
    /// The system reported an error.
    Failed(ErrorKind),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Reset => write!(f, "reset by command"),
            Ended::Closed => write!(f, "the input ended"),
            Ended::Failed(kind) => write!(f, "{kind}"),
        }
    }
}

impl std::error::Error for Ended {}

impl embedded_io::Error for Ended {
    fn kind(&self) -> embedded_io::ErrorKind {
        embedded_io::ErrorKind::Other
    }
}

/// A port of a queue, which another thread fills, and a writer.
pub struct HostPort<W> {
    received: QueueReader<'static>,
    writer: W,
    start: Instant,
    /// True when the input has ended.
    ended: Arc<Mutex<bool>>,
    /// Set by `reset` and `quit`: why the next access ends the console.
    stop: Option<Ended>,
    boots: BootCount,
}

impl<W: Write> HostPort<W> {
    /// The port after power-on.
    pub fn new(received: QueueReader<'static>, writer: W) -> Self {
        let ended = Arc::new(Mutex::new(false));
        HostPort { received, writer, start: Instant::now(), ended, stop: None, boots: BootCount::FIRST }
    }

    /// The flag that the reading thread sets when the input has ended.
    pub fn ended(&self) -> Arc<Mutex<bool>> {
        Arc::clone(&self.ended)
    }

    /// Starts again after a reset.
    pub fn restart(&mut self, reason: ResetReason) {
        (self.stop, self.boots) = (None, BootCount::next(&self.boots.to_words(), reason));
    }
}

impl<W: Write> ErrorType for HostPort<W> {
    type Error = Ended;
}

impl<W: Write> Read for HostPort<W> {
    fn read(&mut self, to: &mut [u8]) -> Result<usize, Ended> {
        let bytes = std::iter::from_fn(|| self.received.pop());
        Ok(to.iter_mut().zip(bytes).map(|(to, byte)| *to = byte).count())
    }
}

impl<W: Write> ReadReady for HostPort<W> {
    fn read_ready(&mut self) -> Result<bool, Ended> {
        // The order matters: bytes that came before the end are still read.
        let ended = self.ended.lock().is_ok_and(|ended| *ended);
        let is_ready = self.received.is_ready();
        if ended && !is_ready { Err(Ended::Closed) } else { Ok(is_ready) }
    }
}

impl<W: Write> embedded_io::Write for HostPort<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Ended> {
        if let Some(stop) = self.stop {
            return Err(stop);
        }
        self.writer.write_all(bytes).map_err(|error| Ended::Failed(error.kind()))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Ended> {
        self.writer.flush().map_err(|error| Ended::Failed(error.kind()))
    }
}

impl<W: Write> Port for HostPort<W> {
    fn take_lost_bytes(&mut self) -> Option<LostBytes> {
        self.received.take_lost_bytes()
    }

    fn ticks(&mut self) -> u32 {
        // Truncated to a counter that wraps.
        (self.start.elapsed().as_nanos() / 100) as u32
    }

    fn wait(&mut self) {
        // An answer must not stay in a buffer while the console waits.
        let _ = self.writer.flush();
        thread::park_timeout(100 * SLICE);
    }

    fn boot_count(&self) -> Option<BootCount> {
        Some(self.boots)
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
